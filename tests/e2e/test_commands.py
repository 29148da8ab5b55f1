"""What the other commands and the options of `report` show."""

from __future__ import annotations

import json
import re

import pytest

DOCUMENTED = [
    *("PROJECT", "INSTANCE", "ENVIRONMENT_NAME", "ENVIRONMENT", "ENVIRONMENT_ID", "ENVIRONMENT_TYPE", "STATE"),
    *("STATE_POLICY", "LOG_LEVEL", "CLOUD_ID", "PIPELINE", "LINK", "ISSUEKEYS", "ISSUE_KEYS", "RUN_NUMBER"),
    *("API_URL", "CONNECT_HOSTNAME", "AUTH", "ON_NO_ISSUE", "PLUGINS", "DISABLE_PLUGINS", "ON_PLUGIN_ERROR"),
    *("CA_BUNDLE", "NO_PROXY", "CONFIG"),
]
CREDENTIALS = ["CLIENT_ID", "CLIENT_SECRET", "CONNECT_KEY"]


class TestHelp:
    """`--help` needs no settings and lists every one."""

    def test_it_lists_every_setting_with_its_spellings(self, step, clean):
        done = clean(step("--help"))
        assert done.code == 0
        text = re.sub(r"\s+", " ", done.out)
        for name in DOCUMENTED:
            for spelling in (f"--{name.lower().replace('_', '-')} ", f"PLUGIN_{name}", f"JIRA_CI_{name}"):
                assert spelling in text
        for name in CREDENTIALS:
            assert f"--{name.lower().replace('_', '-')}" not in text
            for spelling in (f"PLUGIN_{name}", f"JIRA_CI_{name}", f"PLUGIN_{name}_FILE", f"JIRA_CI_{name}_FILE"):
                assert spelling in text
        assert "https://api.atlassian.com" in text
        assert "https://jira-ci.harness.io" in text

    @pytest.mark.usefixtures("in_process")
    def test_no_value_of_a_setting_is_in_it(self, harness_oauth, clean):
        assert clean(harness_oauth("--help")).code == 0

    @pytest.mark.usefixtures("in_process")
    def test_the_commands_of_plugins_are_listed_with_those_of_core(self, step):
        done = step.run("--help")
        assert done.code == 0
        found = re.findall(r"^  ([a-z]+) ", done.out, re.MULTILINE)
        assert {"report", "plugins", "doctor", "sandbox", "demo"} <= set(found)

    @pytest.mark.usefixtures("in_process")
    def test_the_version_is_told(self, step):
        assert re.fullmatch(r"jira-ci, version \d+\.\d+\.\d+\n", step.run("--version").out)

    @pytest.mark.usefixtures("in_process")
    def test_an_unknown_command_is_an_error(self, step, failed):
        assert "repotr" in failed(step.run("repotr"), 2).what

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("command", ["demo", "sandbox"])
    def test_a_command_of_a_package_that_is_off_names_what_to_install(self, step, failed, command):
        failure = failed(step.run(command, environ={"JIRA_CI_DISABLE_PLUGINS": "sandbox"}), 2)
        assert failure.do == "pip install 'jira-ci-core[sandbox]'"


class TestDryRun:
    """A dry run shows the keys, where each was found, and the payload; it needs no credential and sends nothing."""

    def test_it_needs_no_credential_and_sends_nothing(self, harness, jira, clean):
        done = clean(harness("--dry-run"))
        assert done.code == 0, done.text
        assert "MYT-1  commit message" in done.err
        assert jira.requests() == []

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("environment", [None, "prod,qa"])
    def test_it_shows_exactly_what_a_report_sends(self, harness_oauth, jira, clean, environment):
        shown = clean(harness_oauth("--dry-run", environment_name=environment)).err
        shown = json.loads(shown[shown.index("\n{") : shown.rindex("}") + 1])
        harness_oauth(environment_name=environment)
        [sent] = [request["body"] for request in jira.requests("bulk")]
        for body in (shown, sent):
            for entity in body.get("builds", []) + body.get("deployments", []):
                del entity["updateSequenceNumber"], entity["lastUpdated"]
        assert shown == sent

    @pytest.mark.usefixtures("in_process")
    def test_each_key_has_the_place_it_was_found(self, harness):
        environ = {
            "DRONE_PULL_REQUEST": "7",
            "DRONE_PULL_REQUEST_TITLE": "MYT-2",
            "DRONE_SOURCE_BRANCH": "feature/myt-3-x",
            "DRONE_COMMIT_MESSAGE": "MYT-2 again\n\nJira: MYT-4",
        }
        done = harness("--dry-run", "--format", "json", environ=environ)
        assert [(found["key"], found["source"]) for found in done.json["keys"]] == [
            ("MYT-2", "pull request title"),
            ("MYT-4", "commit message"),
            ("MYT-3", "branch"),
        ]

    @pytest.mark.usefixtures("in_process")
    def test_wrong_settings_are_errors_in_a_dry_run_too(self, harness, jira, failed):
        failed(harness("--dry-run", project="M"), 2)
        assert jira.requests() == []

    @pytest.mark.usefixtures("in_process")
    def test_a_reader_or_extractor_runs_in_it_and_no_hook_is_told_that_it_was_reported(
        self, harness, install, monkeypatch
    ):
        install(
            "teller", "from jira_ci_core import hookimpl\n\n@hookimpl\ndef jira_ci_reported():\n    raise OSError\n"
        )
        monkeypatch.syspath_prepend(harness.environ["PYTHONPATH"])
        done = harness("--dry-run")
        assert done.code == 0, done.text
        assert "warning" not in done.err


class TestJson:
    """`--format json` is one valid document on standard output, whatever happens."""

    def test_success(self, harness_oauth, clean):
        done = clean(harness_oauth("--format", "json"))
        assert done.code == 0
        answer = done.json
        assert (answer["ending"], answer["exit_code"], answer["problems"]) == ("delivered", 0, [])
        assert answer["outcomes"] == [
            {
                "report": "build 42 of checkout",
                "result": "accepted",
                "kept": None,
                "problems": [],
                "fails_alone": False,
            }
        ]
        assert [found["key"] for found in answer["keys"]] == ["MYT-1"]

    @pytest.mark.usefixtures("in_process")
    def test_some_keys_unknown(self, harness_oauth):
        answer = harness_oauth("--format", "json", issuekeys="MYT-1,GONE-2").json
        assert (answer["exit_code"], answer["unknown_issue_keys"]) == (0, ["GONE-2"])

    @pytest.mark.usefixtures("in_process")
    def test_refusal(self, harness_oauth, jira, failed):
        jira.fault("answer", status=403, body={"message": "no"})
        done = harness_oauth("--format", "json")
        failed(done, 1)
        answer = done.json
        assert (answer["ending"], answer["exit_code"]) == ("not_delivered", 1)
        [problem] = answer["problems"]
        assert set(problem) == {"what", "why", "remedy"}
        assert answer["outcomes"][0]["result"] == "not_delivered"

    @pytest.mark.usefixtures("in_process")
    def test_rejection(self, harness_oauth, jira, failed):
        jira.configure(projects=["OTHER"])
        done = harness_oauth("--format", "json")
        failed(done, 1)
        assert done.json["outcomes"][0]["result"] == "rejected"

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("policy", ["warn", "fail"])
    def test_no_key(self, harness_oauth, policy):
        done = harness_oauth("--format", "json", on_no_issue=policy, environ={"DRONE_COMMIT_MESSAGE": "nothing"})
        assert done.json["ending"] == "skipped"
        assert done.json["exit_code"] == done.code == {"warn": 0, "fail": 1}[policy]

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize(
        ("settings", "code"), [({"project": "M"}, 2), ({"client_id": "null"}, 2), ({"config": "missing.toml"}, 2)]
    )
    def test_errors(self, harness_oauth, failed, settings, code):
        done = harness_oauth("--format", "json", **settings)
        failed(done, code)
        assert (done.json["ending"], done.json["exit_code"]) == ("error", code)

    @pytest.mark.usefixtures("in_process")
    def test_a_failing_plugin(self, harness_oauth, failed, install, monkeypatch):
        install("broken", "raise OSError('no')")
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        done = harness_oauth("--format", "json")
        assert "plugin broken failed" in failed(done, 3).what
        assert (done.json["ending"], done.json["exit_code"]) == ("error", 3)

    @pytest.mark.usefixtures("in_process")
    def test_a_wrong_flag(self, harness_oauth, failed):
        done = harness_oauth("--format", "json", "--nonsense")
        failed(done, 2)
        assert done.json["exit_code"] == 2

    @pytest.mark.usefixtures("in_process")
    def test_debug_output_does_not_get_into_it(self, harness_oauth, clean):
        assert clean(harness_oauth("--format", "json", log_level="debug")).json["exit_code"] == 0


class TestPlugins:
    """`jira-ci plugins` needs no settings and says what is installed and how it fares."""

    def test_it_lists_strangers_and_core_alike(self, step, clean):
        done = clean(step.run("plugins"))
        assert done.code == 0, done.text
        assert "oauth  on" in done.err
        assert "settings  CLIENT_ID, CLIENT_SECRET, API_URL" in done.err
        assert "jira-ci-auth-connect" in done.err

    @pytest.mark.usefixtures("in_process")
    def test_as_json(self, step):
        environ = {"JIRA_CI_DISABLE_PLUGINS": None, "HARNESS_PIPELINE_ID": "checkout"}
        done = step.run("plugins", "--format", "json", environ=environ)
        listed = {plugin["name"]: plugin for plugin in done.json["plugins"]}
        assert listed["oauth"]["hooks"] == ["authenticate"]
        assert [setting["name"] for setting in listed["oauth"]["settings"] if setting["secret"]] == [
            "CLIENT_ID",
            "CLIENT_SECRET",
        ]
        assert listed["http"]["distribution"] == "jira-ci-core"
        assert listed["gitlab"]["reason"] == "it is for a CI with GITLAB_CI=true"
        assert {plugin["state"] for plugin in listed.values()} == {"on", "idle"}
        assert (listed["harness"]["state"], listed["harness"]["hooks"]) == ("on", ["read_pipeline"])

    @pytest.mark.usefixtures("in_process")
    def test_one_that_is_off_says_why(self, step):
        done = step.run("plugins", environ={"JIRA_CI_DISABLE_PLUGINS": "drone"})
        assert done.code == 0
        assert re.search(r"^drone  off: .*DISABLE_PLUGINS", done.err, re.MULTILINE)

    @pytest.mark.usefixtures("in_process")
    def test_one_that_failed_says_why_and_is_exit_3(self, step, install, monkeypatch):
        install("broken", "raise OSError('no such luck')")
        monkeypatch.syspath_prepend(step.environ["PYTHONPATH"])
        done = step.run("plugins")
        assert done.code == 3
        assert re.search(r"^broken  failed: .*OSError: no such luck", done.err, re.MULTILINE)
        assert "from      stranger-broken 1.2" in done.err


class TestDoctor:
    """`jira-ci doctor` checks one thing after the other, reports nothing, and has a remedy for each failure."""

    ALL = ["settings and plugins", "this run", "pipeline and link", "number", "state", "issue keys", "site"]
    ALL += ["credentials", "sign-in and permission"]

    def checks(self, done):
        """How each check went, by its name."""
        return {name: how for how, name in re.findall(r"^(ok|failed) +([^:\n]+)", done.err, re.MULTILINE)}

    @pytest.mark.parametrize("kind", ["oauth", "connect"])
    @pytest.mark.parametrize("environment", [None, "prod"])
    @pytest.mark.usefixtures("in_process")
    def test_all_is_well(self, request, harness, jira, clean, kind, environment):
        harness.environ |= request.getfixturevalue(kind)
        done = clean(harness.run("doctor", environment_name=environment))
        assert done.code == 0, done.text
        assert self.checks(done) == dict.fromkeys(self.ALL, "ok")
        assert jira.updates() == []
        assert "POST" not in {request["method"] for request in jira.requests("/jira") + jira.requests("/rest")}

    def test_all_is_well_as_a_process(self, harness_oauth, clean):
        done = clean(harness_oauth.run("doctor", log_level="debug"))
        assert done.code == 0, done.text

    @pytest.mark.parametrize(
        ("settings", "failing", "remedy", "code"),
        [
            ({"project": "M"}, "settings and plugins", "MYT for MYT-1234", 2),
            ({"environ": {"DRONE_BUILD_LINK": None, "DRONE_REPO_LINK": None}}, "pipeline and link", "LINK", 2),
            ({"environ": {"HARNESS_BUILD_ID": "1.4"}}, "number", "RUN_NUMBER", 2),
            ({"state": "great"}, "state", "successful", 2),
            ({"environ": {"PLUGIN_INSTANCE": None}}, "site", "INSTANCE", 2),
            ({"client_secret": "null"}, "credentials", "CLIENT_SECRET", 2),
            ({"client_secret": "wrong-secret"}, "sign-in and permission", "CLIENT_SECRET", 1),
            ({"instance": "https://jira.invalid"}, "sign-in and permission", "INSTANCE", 1),
            ({"ca_bundle": "missing.pem"}, "credentials", "CA_BUNDLE", 2),
        ],
    )
    @pytest.mark.usefixtures("in_process")
    def test_each_failure_has_its_remedy(self, harness_oauth, failed, settings, failing, remedy, code):
        done = harness_oauth.run("doctor", **settings)
        failure = failed(done, code)
        assert self.checks(done)[failing] == "failed"
        assert list(self.checks(done).values()).count("failed") == 1
        assert remedy in failure.do

    @pytest.mark.usefixtures("in_process")
    def test_a_credential_without_permission(self, harness, jira, failed):
        made = jira.mint("oauth", permission=False)
        done = harness.run("doctor", client_id=made["client_id"], client_secret=made["client_secret"])
        assert "permission" in failed(done, 1).do

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("action", ["html", "reset"])
    def test_a_site_that_is_none(self, harness_oauth, jira, failed, action):
        jira.fault(action, match="builds", count=1000)
        failed(harness_oauth.run("doctor", deadline="0.9"), 1)

    @pytest.mark.usefixtures("in_process")
    def test_several_failures_are_all_told(self, harness_oauth, failed):
        settings = {"state": "great", "environ": {"HARNESS_BUILD_ID": "1.4"}}
        failure = failed(harness_oauth.run("doctor", **settings), 2)
        assert failure.count == 2

    @pytest.mark.usefixtures("in_process")
    def test_no_key_is_said(self, harness_oauth):
        done = harness_oauth.run("doctor", environ={"DRONE_COMMIT_MESSAGE": "nothing"})
        assert done.code == 0
        assert "issue keys: none found" in done.err
        assert 'why: no key of PROJECT (MYT) is in the commit message "nothing"' in done.err
