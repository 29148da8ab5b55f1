"""The result of the installed step, in files and for the CI: as documented, without secrets, without side effects."""

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
# The variables of each CI, without those of Harness.
IN = {ci: {**dict.fromkeys(RECORDED["Harness"]), **RECORDED[ci]} for ci in RECORDED}
REJECTED = {"acceptedBuilds": [], "unknownIssueKeys": [], "rejectedBuilds": []}


RECORDER = """
from pathlib import Path
from jira_ci_core import hookimpl

@hookimpl
def jira_ci_reported(pipeline, reports, receipt):
    Path("arguments").write_text(repr((pipeline, reports, receipt)))
"""


def rejecting(*messages):
    """A response by Jira that rejects the build, with these messages."""
    key = {"pipelineId": "harness/acme/default/shop/checkout", "buildNumber": 42}
    return {**REJECTED, "rejectedBuilds": [{"key": key, "errors": [{"message": message} for message in messages]}]}


@pytest.fixture
def step(step, in_process):
    """A step that runs in this process."""
    return step


def written(step):
    """The content of the files, by name."""
    return {name: (step.folder / name).read_text() for name in FILES.values() if (step.folder / name).exists()}


class TestResults:
    """Every result is written, if the step got as far as having settings."""

    def test_accepted(self, harness_oauth, jira):
        result = harness_oauth(environ=FILES)
        assert result.code == 0, result.text
        files = written(harness_oauth)
        assert files.keys() == set(FILES.values())
        assert files["drone"].splitlines() == [
            *("JIRA_ISSUE_KEYS=MYT-1", "JIRA_STATE=successful", "JIRA_ACCEPTED=true"),
            f"JIRA_URLS={jira.url}/browse/MYT-1",
        ]
        assert json.loads(files["annotations"])["Jira"][0]["external_link"]["url"] == f"{jira.url}/browse/MYT-1"
        assert json.loads(files["card"])["data"]["reports"][0]["result"] == "accepted"
        assert "accepted" in files["summary"]

    def test_rejected(self, harness_oauth, jira):
        jira.fault("answer", status=202, body=rejecting("no such pipeline"))
        assert harness_oauth(environ=FILES).code == 1
        files = written(harness_oauth)
        assert "JIRA_ACCEPTED=false\n" in files["dotenv"]
        for name in ("card", "summary", "annotations"):
            assert "no such pipeline" in files[name], name

    def test_kept(self, harness_oauth, jira):
        jira.fault("answer", status=503, count=100)
        result = harness_oauth("--format", "json", environ=FILES, outbox="box", on_failure="keep", deadline="0.3")
        assert result.code == 0, result.text
        assert "JIRA_ACCEPTED=false\n" in written(harness_oauth)["dotenv"]
        [kept] = result.json["kept"]
        assert (harness_oauth.folder / kept).is_file()

    def test_without_a_key(self, harness_oauth):
        result = harness_oauth(environ={**FILES, "DRONE_COMMIT_MESSAGE": "none"})
        assert result.code == 0, result.text
        files = written(harness_oauth)
        assert files["dotenv"] == "JIRA_ISSUE_KEYS=\nJIRA_STATE=\nJIRA_ACCEPTED=false\nJIRA_URLS=\n"
        assert "**` no issue key was found `**" in files["summary"]
        assert "no issue key was found" in files["annotations"]

    def test_skipped_by_state_is_no_problem(self, harness_oauth):
        result = harness_oauth(environ={**FILES, "DRONE_BUILD_STATUS": "failure"}, state="successful")
        assert result.code == 0, result.text
        files = written(harness_oauth)
        assert "nothing was sent: ` STATE says successful" in files["summary"]
        assert json.loads(files["annotations"]) == {"Jira": []}

    @pytest.mark.parametrize(
        "end", [{}, {"DRONE_COMMIT_MESSAGE": "none"}, {"DRONE_BUILD_STATUS": "failure", "PLUGIN_STATE": "successful"}]
    )
    def test_a_dry_run_writes_nothing(self, harness_oauth, end):
        assert harness_oauth("--dry-run", environ=FILES | end).code == 0
        assert written(harness_oauth) == {}


@pytest.mark.parametrize("place", ["none/file", "/dev/full", "folder"])
@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_a_file_that_cannot_be_written_is_only_a_warning(harness_oauth, jira, place, policy):
    (harness_oauth.folder / "folder").mkdir()
    result = harness_oauth(environ=dict.fromkeys(FILES, place), on_plugin_error=policy)
    assert result.code == 0, result.text
    assert len(jira.builds()) == 1
    warned = re.findall(
        r"^warning: (\w+) could not be written: .+; check that the folder exists", result.err, re.MULTILINE
    )
    assert sorted(warned) == sorted(name.removeprefix("PLUGIN_") for name in FILES)


@pytest.mark.parametrize("out", ["/dev/full", None], ids=["full", "closed"])
@pytest.mark.parametrize("format", ["text", "json"])
def test_so_is_standard_output(harness_oauth, jira, monkeypatch, out, format):
    monkeypatch.undo()  # as a process, for what Python does at its end
    environ = harness_oauth.variables({"DRONE_CARD_PATH": "/dev/stdout"}, {})
    where = f"> {out}" if out else ">&-"
    result = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -P -m jira_ci_core report --format {format} {where}', sys.executable],
        cwd=harness_oauth.folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert len(jira.builds()) == 1
    assert b"could not be written" in result.stderr or b"cannot be written" in result.stderr
    assert b"Traceback" not in result.stderr


class TestSecrets:
    """Everything that plugins get is without secrets, wherever those come from."""

    @pytest.fixture
    def all_in(self, harness_oauth, clean, secrets):
        """Runs a step with a credential in its data, and checks everything that it prints and writes."""

        def run(ci, environ, **settings):
            result = harness_oauth(environ={**IN[ci], **FILES, **environ}, **settings)
            clean(result)
            files = written(harness_oauth)
            card = json.loads(files["card"])
            texts = [result.text, *files.values(), json.dumps(card["data"], ensure_ascii=False)]
            for secret in secrets:
                assert [text for text in texts if secret in text] == []
            assert "[secret]" in files["summary"]
            return result

        return run

    @pytest.mark.parametrize("ci", ["Harness", "GitHub Actions", "Azure Pipelines", "TeamCity", "GitLab"])
    def test_that_jira_says(self, all_in, jira, ci):
        jira.fault("answer", status=403, body={"message": f"no {jira.client_secret} here"})
        result = all_in(ci, {}, state="failed", issuekeys="MYT-1", run_number="42", link="https://ci.example/42")
        assert result.code == 1

    @pytest.mark.parametrize("ci", ["Harness", "GitHub Actions"])
    def test_that_are_in_the_name_of_the_pipeline(self, all_in, jira, ci):
        all_in(ci, {}, state="failed", issuekeys="MYT-1", pipeline=f"a {jira.client_secret} b", run_number="42")

    def test_that_are_in_anything_a_plugin_gets(self, harness_oauth, jira):
        (harness_oauth.folder / "recorder.py").write_text(RECORDER)
        jira.fault("answer", status=403, body={"message": f"no {jira.client_secret} here"})
        environ = {"DRONE_COMMIT_MESSAGE": f"MYT-1 {jira.client_secret}", "DRONE_TAG": jira.client_secret}
        assert harness_oauth(environ=environ, outbox=jira.client_secret, local_plugins="recorder.py").code == 1
        arguments = (harness_oauth.folder / "arguments").read_text()
        assert arguments.count("[secret]") == 6  # message, tag, description, label, Jira's answer, kept
        assert jira.client_secret not in arguments

    def test_that_are_on_the_card_on_standard_output(self, harness_oauth, jira):
        jira.fault("answer", status=403, body={"message": f"no {jira.client_secret} here"})
        result = harness_oauth(environ={"DRONE_CARD_PATH": "/dev/stdout"})
        [encoded] = re.findall("\x1b\\]1338;(.+)\x1b\\]0m\n", result.out)
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
    def test_a_rejection_is_one_if_the_ci_has_annotations(self, harness_oauth, jira, ci, order, more):
        evil = "::error::a\n::error::b ##vso[task.complete result=Failed;]c ##teamcity[buildStop comment='d']"
        jira.fault("answer", status=400, body={"message": evil})
        result = harness_oauth(*more, environ=IN[ci], state="failed", issuekeys="MYT-1", run_number="42")
        assert result.code == 1
        ours = [line for line in result.text.splitlines() if line.startswith(order)]
        assert len(ours) == 1
        rest = result.text.replace(ours[0], "")
        assert not re.search(r"^\s*::|##(vso|teamcity)?\[", rest, re.MULTILINE)
        assert not re.search(r"##(vso|teamcity)?\[", ours[0].removeprefix(order))
        # With --format json, standard output is JSON alone.
        assert result.json["accepted"] is False if more else result.out == f"{ours[0]}\n"

    def test_a_warning_is_one_too(self, harness_oauth, jira):
        environ = IN["GitHub Actions"] | {"PLUGIN_ENVIROMENT_NAME": "prod", "PLUGIN_LINK": "$(Link)"}
        result = harness_oauth(environ=environ, state="failed", issuekeys="MYT-1")
        assert result.code == 0, result.text
        assert result.out.splitlines() == [
            "::warning title=jira-ci::PLUGIN_ENVIROMENT_NAME is not known; did you mean ENVIRONMENT_NAME?",
            "::warning title=jira-ci::LINK: PLUGIN_LINK holds $(Link), which CI did not replace, so it counts as not set",
        ]

    def test_other_cis_get_none(self, harness_oauth, jira):
        jira.fault("answer", status=400, body={"message": "no"})
        assert harness_oauth().out == ""

    def test_they_can_be_disabled(self, harness_oauth, jira):
        jira.fault("answer", status=400, body={"message": "no"})
        settings = {"state": "failed", "issuekeys": "MYT-1", "disable_plugins": "annotations,git"}
        assert harness_oauth(environ=IN["GitHub Actions"], **settings).out == ""


class TestJson:
    def test_it_agrees_with_the_outputs(self, harness_oauth, jira):
        result = harness_oauth("--format", "json", environ=FILES, issuekeys="MYT-1,MYT-2")
        outputs = dict(line.split("=") for line in written(harness_oauth)["dotenv"].splitlines())
        assert outputs == {
            "JIRA_ISSUE_KEYS": ",".join(result.json["issue_keys"]),
            "JIRA_STATE": result.json["state"],
            "JIRA_ACCEPTED": json.dumps(result.json["accepted"]),
            "JIRA_URLS": ",".join(result.json["urls"]),
        }

    def test_its_fields_are_those_in_the_page(self, harness_oauth):
        result = harness_oauth("--format", "json")
        rows = re.findall(r"^\| `(\w+)` \| ", PAGE.partition("## For programs")[2], re.MULTILINE)
        assert rows == list(result.json)


class TestThePage:
    """docs/outputs.md shows what the step writes."""

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
