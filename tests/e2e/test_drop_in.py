"""The step takes the place of `plugins/jira`: it sends the same, or what `docs/moving-from-plugins-jira.md` says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from jira_ci_core import Settings

ROOT = Path(__file__).parents[2]
DATA = tomllib.loads((Path(__file__).parent / "data" / "drop_in.toml").read_text(encoding="utf-8"))
CASES = DATA["case"]
PAGE = (ROOT / "docs" / "moving-from-plugins-jira.md").read_text(encoding="utf-8")
ROWS = {
    name: (theirs, ours, set(re.findall("`([^`]+)`", fields)))
    for name, theirs, ours, fields in re.findall(
        r"^\| (?!difference|-)(.+?) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE
    )
}
ABSENT = "-"

pytestmark = pytest.mark.usefixtures("in_process")


def expected(case):
    """What they send in this case, and what we do."""
    sends, ours_sends = case["sends"], case.get("ours_sends", case["sends"])
    theirs = DATA[sends]["theirs"] | case.get("theirs", {})
    ours = (theirs if ours_sends == sends else DATA[ours_sends]["theirs"]) | DATA[ours_sends]["ours"]
    ours = ours | case.get("ours", {})
    return [{field: value for field, value in side.items() if value != ABSENT} for side in (theirs, ours)]


def rows_of(case):
    """The differences that show in a case: its own, and those of whatever both send."""
    sends = {case["sends"], case.get("ours_sends", case["sends"])}
    always = set(DATA[case["sends"]].get("differs", ())) if len(sends) == 1 else set()
    return always | set(case.get("differs", ()))


def sent(listener, code):
    """The one call to Jira, flat: its kind, what it is about, its fields, and how the step ended."""
    calls = [call for call in listener.received if call.target.endswith("/bulk")]
    if not calls:
        return {"kind": "nothing", "exit": code}
    [call] = calls
    body = json.loads(call.body)
    product = body.pop("providerMetadata")["product"]
    [(kind, [entity])] = body.items()
    assert f"/{kind}/0.1/" in call.target
    associated = [value for one in entity.pop("associations", []) for value in one["values"]]
    flat = {"kind": kind.removesuffix("s"), "exit": code, "product": product}
    flat["issues"] = entity.pop("issueKeys", associated)
    for reference in entity.pop("references", []):
        flat |= {"commit": reference["commit"]["id"], "commit_in": reference["commit"]["repositoryUri"]}
        flat |= {"ref": reference["ref"]["name"], "ref_url": reference["ref"]["uri"]}
    assert entity.pop("lastUpdated")
    assert entity["updateSequenceNumber"] > 1_700_000_000_000
    entity["updateSequenceNumber"] = "milliseconds"
    for field, value in entity.items():
        flat |= {f"{field}.{part}": text for part, text in value.items()} if isinstance(value, dict) else {field: value}
    return flat


@pytest.fixture
def image(step, passing_on, request):
    """Runs a case as the image does, and answers what it sent."""

    def run(case):
        listener = passing_on()
        for kind in case.get("sign_in", "connect").split():
            step.environ |= request.getfixturevalue(kind)
        step.environ |= DATA["environments"][case.get("environment", "harness")] | case.get("environ", {})
        hosts = dict.fromkeys(("INSTANCE", "API_URL", "CONNECT_HOSTNAME"), listener.url)
        done = step(**{"PROJECT": "MYT", **hosts, **case["settings"]})
        return sent(listener, done.code), done

    return run


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_it_sends_the_same_or_what_the_page_says(case, image):
    ours, done = image(case)
    theirs, wanted = expected(case)
    assert ours == wanted, done.text
    differing = {field for field in theirs.keys() | ours.keys() if theirs.get(field) != ours.get(field)}
    if theirs["kind"] != ours["kind"]:
        # Two different things: what each holds follows from that.
        differing &= {"kind", "exit"}
    rows = rows_of(case)
    assert differing <= {field for row in rows for field in ROWS[row][2]}, "the page does not say so"
    assert [row for row in case.get("differs", ()) if not ROWS[row][2] & {*differing, *ours.keys()}] == []


@pytest.mark.parametrize("row", sorted(ROWS.keys() - {"Custom domain"}))
def test_a_row_of_the_page_shows_in_a_case_with_the_very_values_that_it_names(row):
    cases = [case for case in CASES if row in rows_of(case)]
    assert cases, "no case shows it"
    fields = ROWS[row][2]
    shown = set()
    given = " ".join(f"{name}={value}" for case in cases for name, value in {**case["settings"], **of(case)}.items())
    sides = [" ".join(str(value) for case in cases for value in expected(case)[side].values()) for side in (0, 1)]
    for case in cases:
        theirs, ours = expected(case)
        shown |= {field for field in theirs.keys() | ours.keys() if theirs.get(field) != ours.get(field)}
    assert shown >= fields, "a field that it names is the same on both sides"
    for cell, side in zip(ROWS[row][:2], sides, strict=True):
        for text in re.findall("`([^`]+)`", cell):
            known = f"{given} {side}"
            assert text in known or text.partition("=")[0].lower() in Settings.model_fields, f"{text}: not in any case"


def of(case):
    """The environment of a case."""
    return DATA["environments"][case.get("environment", "harness")] | case.get("environ", {})


def test_the_first_row_is_the_deployment_that_no_setting_asks_for():
    assert next(iter(ROWS)) == "No ENVIRONMENT_NAME"


@pytest.mark.parametrize(("word", "state"), DATA["states"].items())
@pytest.mark.parametrize("said_by", ["PLUGIN_STATE", "DRONE_BUILD_STATUS"])
def test_words_for_states_mean_the_same(step, word, state, said_by):
    environ = DATA["environments"]["harness"] | {said_by: word}
    done = step("--dry-run", "--format=json", environ=environ, project="MYT", instance="x", environment_name="prod")
    assert done.json["request"]["deployments"][0]["state"] == state


@pytest.mark.parametrize(("name", "type"), DATA["types"].items())
def test_names_of_environments_mean_the_same_type(step, name, type):
    environ = DATA["environments"]["harness"]
    done = step("--dry-run", "--format=json", environ=environ, project="MYT", instance="x", environment_name=name)
    assert done.json["request"]["deployments"][0]["environment"]["type"] == type


@pytest.mark.parametrize(("instance", "site"), DATA["sites"].items())
def test_instance_means_the_same_site(instance, site):
    assert Settings(project="MYT", instance=instance).instance == site


@pytest.mark.parametrize(("instance", "sites"), DATA["other_sites"].items())
def test_instance_may_be_a_domain_of_one_s_own(instance, sites):
    theirs, ours, _ = ROWS["Custom domain"]
    assert Settings(project="MYT", instance=instance).instance == sites[1]
    assert re.findall("`([^`]+)`", theirs) == [instance, sites[0]]
    assert re.findall("`([^`]+)`", ours) == [sites[1]]


def test_a_run_that_is_reported_twice_shows_what_was_said_last(image, jira):
    """With the number of the run as update number, as they send it, Jira would keep `in_progress`."""
    case = {"settings": {"PIPELINE": "drone", "ENVIRONMENT_NAME": "production", "STATE": "in_progress"}}
    image(case)
    assert [one["state"] for one in jira.deployments()] == ["in_progress"]
    image({"settings": case["settings"] | {"STATE": "successful"}})
    assert [one["state"] for one in jira.deployments()] == ["successful"]
