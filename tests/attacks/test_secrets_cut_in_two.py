"""A text is masked before it is cut: where a long secret ends up at the end of what is shown, none of it is."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from jira_ci_core import Secrets

pytestmark = pytest.mark.usefixtures("in_process")

# As long as a signed token; any five characters of it tell it apart from everything else.
SECRET = "".join(f"Q{number:03d}~/+" for number in range(130))
SPELLED = {
    "itself": SECRET,
    "percent-encoded": quote(SECRET, safe=""),
    "in JSON": SECRET.replace("/", "\\/").replace("+", "\\u002B"),
    "hexadecimal": SECRET.encode().hex(),
}


@pytest.fixture
def step(step):
    step.environ["PLUGIN_CONNECT_KEY"] = SECRET
    return step


def gives_nothing_away(*texts):
    for text in texts:
        for spelled in SPELLED.values():
            for place in range(0, len(spelled) - 8, 4):
                assert spelled[place : place + 8] not in text


@pytest.mark.parametrize("spelling", SPELLED)
@pytest.mark.parametrize(
    "setting", ["environment_type", "state", "sites", "log_level", "instance", "cloud_id", "run_number"]
)
def test_in_the_error_of_a_setting(harness, setting, spelling):
    for before in ("", "x" * 190):
        done = harness("--format", "json", **{setting: before + SPELLED[spelling]})
        assert done.code == 2
        gives_nothing_away(done.text)
        assert before[:100] in done.text or "it holds a credential" in done.text


@pytest.mark.parametrize("spelling", ["itself", "in JSON"])
@pytest.mark.parametrize("before", ["", "x" * 61], ids=len)
def test_in_a_title_a_branch_and_names(harness_oauth, jira, spelling, before):
    text = before + SPELLED[spelling]
    environ = {"DRONE_COMMIT_MESSAGE": f"{text} MYT-1", "DRONE_BRANCH": text, "DRONE_TAG": text, "DRONE_REPO": text}
    names = {
        "pipeline": text,
        "environment_name": "east",
        "environment_id": text,
        "label": text,
        "outbox": "kept",
        "trace_hooks": "true",
    }
    for more in ((), ("--dry-run",), ("--dry-run", "--format", "json"), ("--format", "json")):
        done = harness_oauth(
            *more,
            environ=environ,
            log_level="debug",
            **names,
            on_failure="keep",
            api_url="http://127.0.0.1:9",
            deadline="0.2",
            disable_plugins="connect",
        )
        assert "Traceback" not in done.text
        gives_nothing_away(done.text)
    done = harness_oauth.run("explain", environ=environ, pipeline=text)
    gives_nothing_away(done.text)
    kept = [file.read_text() for file in (harness_oauth.folder / "kept").iterdir()]
    assert kept
    gives_nothing_away(*kept)
    harness_oauth(environ=environ, **names, disable_plugins="connect")
    gives_nothing_away(json.dumps(jira.deployments()))


def test_in_an_environment_whose_id_is_in_lower_case(harness_oauth, jira):
    # A word, as any other credential may not stand in this setting.
    harness_oauth.environ["PLUGIN_CONNECT_KEY"] = "WonderlandXyzzy"
    done = harness_oauth(environment_name="x" * 245 + "WonderlandXyzzy" + "y" * 20, disable_plugins="connect")
    assert done.code == 0, done.text
    [deployment] = jira.deployments()
    assert "wonder" not in json.dumps(deployment).lower()


@pytest.mark.parametrize("spelling", SPELLED)
def test_in_what_a_server_says(harness, listen, spelling):
    said = []
    server = listen(lambda received: (403, {}, said[-1]))
    for before in (0, 490, 990, 19_900):
        for body in (
            f"{'x' * before}{SPELLED[spelling]} and more",
            json.dumps({"message": "x" * before + SPELLED[spelling]}),
        ):
            said.append(body.encode())
            done = harness("--format", "json", instance=server.url, connect_hostname=server.url, log_level="debug")
            assert done.code == 1
            gives_nothing_away(done.text)


def test_in_a_line_that_a_backfill_rejects(harness_oauth):
    (harness_oauth.folder / "lines").write_text(
        json.dumps({"kind": "build", "name": "x" * (2**20 - 300) + SECRET}) + "\n"
    )
    done = harness_oauth.run("backfill", "lines", disable_plugins="connect")
    assert done.code == 1, done.text
    rejected = [file.read_text() for file in harness_oauth.folder.iterdir() if file.name != "lines"]
    assert any("x" * 100 in text for text in rejected)
    gives_nothing_away(done.text, *rejected)


def test_in_the_name_of_a_branch_that_was_merged(harness_oauth, checkout):
    checkout(f"Merge branch 'MYT-7-{'x' * 60}{SECRET}'")
    environ = {name: None for name in harness_oauth.environ if name.startswith("DRONE_COMMIT_")}
    for more in ((), ("--dry-run", "--format", "json")):
        done = harness_oauth(*more, environ=environ, disable_plugins="connect,keys")
        assert done.code == 0, done.text
        assert "merged branch MYT-7-" in done.text
        gives_nothing_away(done.text)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_in_what_python_says_of_what_is_no_number(quote):
    """As of the status line of an answer, or of the length of a piece of it."""
    secrets, secret = Secrets(), f"{SECRET}{quote}{SECRET}"
    secrets.add(secret)
    secrets.add(SECRET)
    for text in (secret, f"{'x' * 20}{SECRET}", secret.encode()):
        with pytest.raises(ValueError, match="invalid literal") as caught:
            int(text)
        told = secrets.redact(f"before\n{caught.value}\nafter")
        gives_nothing_away(told)
        assert re.fullmatch(r"before\ninvalid literal for int\(\) with base 10: .*\nafter", told)
        as_json = json.dumps({"why": str(caught.value), "do": "x" * 300})
        gives_nothing_away(secrets.redact(as_json))
        assert json.loads(secrets.redact(as_json))["do"] == "x" * 300
