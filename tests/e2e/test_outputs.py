"""How an end is told in files and to the CI, by the installed step: as documented, without secrets, at no cost."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jira_ci_core.testing import RECORDED

PAGE = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
FILES = {
    "DRONE_CARD_PATH": "card",
    "GITHUB_STEP_SUMMARY": "summary",
    "DRONE_OUTPUT": "drone",
    "GITHUB_OUTPUT": "github",
    "PLUGIN_DOTENV": "dotenv",
    "PLUGIN_GITLAB_ANNOTATIONS": "annotations",
}
# What is known of a run where it is not Harness's.
IN = {ci: {**dict.fromkeys(RECORDED["Harness"]), **RECORDED[ci]} for ci in RECORDED}
REJECTED = {"acceptedBuilds": [], "unknownIssueKeys": [], "rejectedBuilds": []}


TELLER = """
from pathlib import Path
from jira_ci_core import hookimpl

@hookimpl
def jira_ci_reported(pipeline, reports, receipt):
    Path("told").write_text(repr((pipeline, reports, receipt)))
"""


def rejecting(*messages):
    """An answer of Jira that refuses the build, with these words."""
    key = {"pipelineId": "acme/default/shop/checkout", "buildNumber": 42}
    return {**REJECTED, "rejectedBuilds": [{"key": key, "errors": [{"message": message} for message in messages]}]}


@pytest.fixture
def step(step, in_process):
    """A step in this process, in which standard output is what a test sees of it."""
    return step


def written(step):
    """What the files hold, by their names."""
    return {name: (step.folder / name).read_text() for name in FILES.values() if (step.folder / name).exists()}


class TestEnds:
    """Each end that had settings to work with is told."""

    def test_accepted(self, harness_oauth, jira):
        done = harness_oauth(environ=FILES)
        assert done.code == 0, done.text
        files = written(harness_oauth)
        assert files.keys() == set(FILES.values())
        assert files["drone"].splitlines() == [
            *("JIRA_ISSUE_KEYS=MYT-1", "JIRA_STATE=successful", "JIRA_ACCEPTED=true"),
            f"JIRA_URLS={jira.url}/browse/MYT-1",
        ]
        assert json.loads(files["annotations"])["Jira"][0]["external_link"]["url"] == f"{jira.url}/browse/MYT-1"
        assert json.loads(files["card"])["data"]["reports"][0]["result"] == "accepted"
        assert "accepted" in files["summary"]

    def test_refused(self, harness_oauth, jira):
        jira.fault("answer", status=202, body=rejecting("no such pipeline"))
        assert harness_oauth(environ=FILES).code == 1
        files = written(harness_oauth)
        assert "JIRA_ACCEPTED=false\n" in files["dotenv"]
        for name in ("card", "summary", "annotations"):
            assert "no such pipeline" in files[name], name

    def test_kept(self, harness_oauth, jira):
        jira.fault("answer", status=503, count=100)
        done = harness_oauth("--format", "json", environ=FILES, outbox="box", on_failure="keep", deadline="0.3")
        assert done.code == 0, done.text
        assert "JIRA_ACCEPTED=false\n" in written(harness_oauth)["dotenv"]
        [kept] = done.json["kept"]
        assert (harness_oauth.folder / kept).is_file()

    def test_without_a_key(self, harness_oauth):
        done = harness_oauth(environ={**FILES, "DRONE_COMMIT_MESSAGE": "none"})
        assert done.code == 0, done.text
        files = written(harness_oauth)
        assert files["dotenv"] == "JIRA_ISSUE_KEYS=\nJIRA_STATE=\nJIRA_ACCEPTED=false\nJIRA_URLS=\n"
        assert "**` no issue key was found `**" in files["summary"]
        assert "no issue key was found" in files["annotations"]

    def test_left_out_by_state_is_no_problem(self, harness_oauth):
        done = harness_oauth(environ={**FILES, "DRONE_BUILD_STATUS": "failure"}, state="successful")
        assert done.code == 0, done.text
        files = written(harness_oauth)
        assert "nothing was sent: ` STATE says successful" in files["summary"]
        assert json.loads(files["annotations"]) == {"Jira": []}

    def test_a_dry_run_tells_nobody(self, harness_oauth):
        assert harness_oauth("--dry-run", environ=FILES).code == 0
        assert written(harness_oauth) == {}


@pytest.mark.parametrize("place", ["none/file", "/dev/full", "folder"])
@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_what_cannot_be_written_is_a_warning_and_costs_nothing(harness_oauth, jira, place, policy):
    (harness_oauth.folder / "folder").mkdir()
    done = harness_oauth(environ=dict.fromkeys(FILES, place), on_plugin_error=policy)
    assert done.code == 0, done.text
    assert len(jira.builds()) == 1
    warned = re.findall(
        r"^warning: (\w+) could not be written: .+; check that the folder exists", done.err, re.MULTILINE
    )
    assert sorted(warned) == sorted(name.removeprefix("PLUGIN_") for name in FILES)


@pytest.mark.parametrize("out", ["/dev/full", None], ids=["full", "closed"])
@pytest.mark.parametrize("format", ["text", "json"])
def test_neither_does_standard_output_cost_anything(harness_oauth, jira, monkeypatch, out, format):
    monkeypatch.undo()  # as a process, for what Python does at its end
    environ = harness_oauth.variables({"DRONE_CARD_PATH": "/dev/stdout"}, {})
    where = f"> {out}" if out else ">&-"
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -P -m jira_ci_core report --format {format} {where}', sys.executable],
        cwd=harness_oauth.folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(jira.builds()) == 1
    assert b"could not be written" in done.stderr or b"cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


class TestSecrets:
    """Everything that plugins are told is without secrets, whoever wrote them there."""

    @pytest.fixture
    def all_in(self, harness_oauth, clean, secrets):
        """Runs a step that has a credential in all that it is told, and checks what it printed and wrote."""

        def run(ci, environ, **settings):
            done = harness_oauth(environ={**IN[ci], **FILES, **environ}, **settings)
            clean(done)
            files = written(harness_oauth)
            card = json.loads(files["card"])
            texts = [done.text, *files.values(), json.dumps(card["data"], ensure_ascii=False)]
            for secret in secrets:
                assert [text for text in texts if secret in text] == []
            assert "[secret]" in files["summary"]
            return done

        return run

    @pytest.mark.parametrize("ci", ["Harness", "GitHub Actions", "Azure Pipelines", "TeamCity", "GitLab"])
    def test_that_jira_says(self, all_in, jira, ci):
        jira.fault("answer", status=403, body={"message": f"no {jira.client_secret} here"})
        done = all_in(ci, {}, state="failed", issuekeys="MYT-1", run_number="42", link="https://ci.example/42")
        assert done.code == 1

    @pytest.mark.parametrize("ci", ["Harness", "GitHub Actions"])
    def test_that_stand_in_the_name_of_the_pipeline(self, all_in, jira, ci):
        all_in(ci, {}, state="failed", issuekeys="MYT-1", pipeline=f"a {jira.client_secret} b", run_number="42")

    def test_that_stand_in_anything_a_plugin_is_handed(self, harness_oauth, jira):
        (harness_oauth.folder / "teller.py").write_text(TELLER)
        jira.fault("answer", status=403, body={"message": f"no {jira.client_secret} here"})
        environ = {"DRONE_COMMIT_MESSAGE": f"MYT-1 {jira.client_secret}", "DRONE_TAG": jira.client_secret}
        more = {"outbox": jira.client_secret, "properties": f"team={jira.client_secret}", "local_plugins": "teller.py"}
        assert harness_oauth(environ=environ, **more).code == 1
        told = (harness_oauth.folder / "told").read_text()
        assert told.count("[secret]") == 7  # message, tag, description, label, property, Jira's answer, kept
        assert jira.client_secret not in told

    def test_that_stand_on_the_card_on_standard_output(self, harness_oauth, jira):
        jira.fault("answer", status=403, body={"message": f"no {jira.client_secret} here"})
        done = harness_oauth(environ={"DRONE_CARD_PATH": "/dev/stdout"})
        [encoded] = re.findall("\x1b\\]1338;(.+)\x1b\\]0m\n", done.out)
        shown = base64.b64decode(encoded).decode()
        assert "[secret] here" in shown
        assert jira.client_secret not in shown


class TestAnnotations:
    @pytest.mark.parametrize(
        ("ci", "order"),
        [
            ("GitHub Actions", "::warning title="),
            ("Azure Pipelines", "##vso[task.logissue type=warning]"),
            ("TeamCity", "##teamcity[message text='"),
        ],
    )
    @pytest.mark.parametrize("more", [[], ["--format", "json"]])
    def test_a_refusal_is_one_where_the_ci_knows_them(self, harness_oauth, jira, ci, order, more):
        evil = "::error::a\n::error::b ##vso[task.complete result=Failed;]c ##teamcity[buildStop comment='d']"
        jira.fault("answer", status=400, body={"message": evil})
        done = harness_oauth(*more, environ=IN[ci], state="failed", issuekeys="MYT-1", run_number="42")
        assert done.code == 1
        ours = [line for line in done.text.splitlines() if line.startswith(order)]
        assert len(ours) == 1
        rest = done.text.replace(ours[0], "")
        assert not re.search(r"^\s*::|##(vso|teamcity)?\[", rest, re.MULTILINE)
        assert not re.search(r"##(vso|teamcity)?\[", ours[0].removeprefix(order))
        # Programs read nothing but JSON.
        assert done.json["accepted"] is False if more else done.out == f"{ours[0]}\n"

    def test_a_run_elsewhere_prints_none(self, harness_oauth, jira):
        jira.fault("answer", status=400, body={"message": "no"})
        assert harness_oauth().out == ""

    def test_they_can_be_switched_off(self, harness_oauth, jira):
        jira.fault("answer", status=400, body={"message": "no"})
        settings = {"state": "failed", "issuekeys": "MYT-1", "disable_plugins": "annotations,git"}
        assert harness_oauth(environ=IN["GitHub Actions"], **settings).out == ""


class TestJson:
    def test_it_says_what_the_outputs_say(self, harness_oauth, jira):
        done = harness_oauth("--format", "json", environ=FILES, issuekeys="MYT-1,MYT-2")
        outputs = dict(line.split("=") for line in written(harness_oauth)["dotenv"].splitlines())
        assert outputs == {
            "JIRA_ISSUE_KEYS": ",".join(done.json["issue_keys"]),
            "JIRA_STATE": done.json["state"],
            "JIRA_ACCEPTED": json.dumps(done.json["accepted"]),
            "JIRA_URLS": ",".join(done.json["urls"]),
        }

    def test_its_fields_are_those_that_the_page_describes(self, harness_oauth):
        done = harness_oauth("--format", "json")
        rows = re.findall(r"^\| `(\w+)` \| ", PAGE.partition("## For programs")[2], re.MULTILINE)
        assert rows == list(done.json)


class TestThePage:
    """docs/outputs.md shows what is really written."""

    @pytest.fixture
    def shown(self, harness_oauth, jira, monkeypatch):
        monkeypatch.setattr("jira_ci_core.models.Site.name", property(lambda site: "myorg.atlassian.net"))
        environ = {**FILES, "DRONE_COMMIT_MESSAGE": "[MYT-1] [MYT-2] Let people pay"}
        assert harness_oauth(environ=environ, pipeline="shop").code == 0
        return {
            name: text.replace(jira.url, "https://myorg.atlassian.net") for name, text in written(harness_oauth).items()
        }

    @pytest.mark.parametrize("name", ["drone", "github", "summary", "annotations"])
    def test_of_a_report_that_jira_accepts(self, shown, name):
        assert shown[name].strip() in PAGE

    def test_of_the_card(self, shown):
        data = json.loads(shown["card"])["data"]
        assert json.dumps(data) in re.sub(r"\n\s*", " ", PAGE)

    def test_every_setting_is_named(self):
        for name in ("CARD_SCHEMA", *(name.removeprefix("PLUGIN_") for name in FILES)):
            assert f"`{name}`" in PAGE
