"""The kit that authors of plugins test with: it works, and its contract tests find what is wrong with a plugin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from textwrap import dedent

import pytest

from jira_ci_auth_connect.plugin import ConnectAuth
from jira_ci_auth_oauth.plugin import OAuth
from jira_ci_core import Connection, Pipeline, PluginError, SettingsError, Site, State
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.delivery import http
from jira_ci_core.net.auth import BearerAuth
from jira_ci_core.net.client import Http
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.testing import RECORDED, AuthenticationContract, DeliveryContract


class TestOAuth(AuthenticationContract):
    plugin = OAuth

    @pytest.fixture(autouse=True)
    def _sandbox(self, jira_ci_sandbox):
        self.site = Site(url=jira_ci_sandbox.url)
        self.settings = {
            "CLIENT_ID": jira_ci_sandbox.client_id,
            "CLIENT_SECRET": jira_ci_sandbox.client_secret,
            "API_URL": jira_ci_sandbox.url,
        }


class TestConnect(AuthenticationContract):
    plugin = ConnectAuth

    @pytest.fixture(autouse=True)
    def _sandbox(self, jira_ci_sandbox):
        self.site = Site(url=jira_ci_sandbox.url)
        self.settings = {"CONNECT_KEY": jira_ci_sandbox.connect_key, "CONNECT_HOSTNAME": jira_ci_sandbox.url}


class TestHttpDelivery(DeliveryContract):
    plugin = http

    @pytest.fixture(autouse=True)
    def _sandbox(self, jira_ci_sandbox):
        self.sandbox = jira_ci_sandbox
        self.site = Site(url=jira_ci_sandbox.url)

    def http(self):
        return Http(NetworkSettings(), Secrets(), [self.sandbox.url])

    def connect(self):
        auth = BearerAuth(self.sandbox.token)
        base = f"{self.sandbox.url}/jira"
        cloud = f"0.1/cloud/{self.sandbox.cloud_id}/bulk"
        return Connection(f"{base}/builds/{cloud}", f"{base}/deployments/{cloud}", auth, auth.renew)


class TestTheStep:
    def test_it_reports_to_the_local_jira_at_once(self, jira_ci):
        result = jira_ci.report(PROJECT="MYT")
        assert result.code == 0, result.text
        [build] = result.builds
        assert (build["issueKeys"], build["state"], build["buildNumber"]) == (["MYT-1"], "successful", 42)
        assert result.deployments == []

    def test_keyword_arguments_are_settings_and_none_means_not_set(self, jira_ci):
        result = jira_ci.report(ENVIRONMENT_NAME="prod", STATE="failed")
        assert [deployment["state"] for deployment in result.deployments] == ["failed"]
        assert "CLIENT_SECRET is not set" in jira_ci.report(CLIENT_SECRET=None).err

    def test_another_run_is_chosen_by_its_variables(self, jira_ci):
        no_harness = dict.fromkeys(["HARNESS_PIPELINE_ID", "DRONE", "DRONE_BUILD_NUMBER"], "")
        jira_ci.environ |= RECORDED["GitLab"] | {"CI_COMMIT_MESSAGE": "MYT-5"} | no_harness
        output = jira_ci.report("--dry-run", "--format", "json").json
        assert (output["pipeline"]["ci"], [found["key"] for found in output["keys"]]) == ("GitLab", ["MYT-5"])

    def test_other_commands_run_as_well(self, jira_ci):
        assert "contract version" in jira_ci.run("plugins").err

    def test_the_environment_of_the_tests_stays_outside(self, jira_ci, monkeypatch):
        monkeypatch.setenv("PLUGIN_STATE", "failed")
        assert jira_ci.report().builds[0]["state"] == "successful"


class TestTheSandbox:
    def test_it_is_empty_at_first_and_shows_no_secret(self, jira_ci_sandbox):
        assert jira_ci_sandbox.builds() == jira_ci_sandbox.deployments() == jira_ci_sandbox.requests() == []
        assert jira_ci_sandbox.client_secret not in repr(jira_ci_sandbox)
        assert jira_ci_sandbox.connect_key not in repr(jira_ci_sandbox)

    def test_it_refuses_reports_on_request(self, jira_ci, jira_ci_sandbox):
        jira_ci_sandbox.answer(403, {"message": "not you"})
        result = jira_ci.report()
        assert result.code == 1
        assert "not you" in result.err
        assert result.builds == []
        assert jira_ci.report().code == 0

    def test_its_tokens_expire_on_request(self, jira_ci_sandbox):
        assert jira_ci_sandbox.token() != jira_ci_sandbox.token()
        jira_ci_sandbox.expire_tokens()

    def test_a_failure_to_start_says_why_and_what_to_do(self, monkeypatch, tmp_path):
        from jira_ci_core.testing.sandbox import running_sandbox

        (tmp_path / "jira_ci_sandbox.py").write_text("raise SystemExit('no such luck')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(SettingsError) as raised, running_sandbox():
            pass
        [problem] = raised.value.problems
        assert "no such luck" in problem.why
        assert problem.remedy == "pip install 'jira-ci-core[testing]', which brings it"


class TestOnePlugin:
    def test_it_is_loaded_without_any_other(self, jira_ci_plugins):
        from jira_ci_core.builtin import states

        plugins = jira_ci_plugins(states)
        assert [plugin.name for plugin in plugins.installed] == ["under-test"]
        assert (
            plugins.map_state(status="ok", kind=None, pipeline=Pipeline(ci="none"), settings=None) is State.SUCCESSFUL
        )

    def test_it_gets_its_settings(self, jira_ci_plugins):
        [offer] = jira_ci_plugins(OAuth, client_id="an-id").authenticate(
            site=Site(url="https://acme.atlassian.net"), settings=None
        )
        assert offer.missing == ("CLIENT_SECRET",)

    def test_a_plugin_that_core_would_refuse_raises_an_error(self, jira_ci_plugins):
        class Odd:
            def jira_ci_map_state(self):
                pass

        with pytest.raises(PluginError, match="not marked with @hookimpl"):
            jira_ci_plugins(Odd)
        with pytest.raises(SettingsError, match="API_URL"):
            jira_ci_plugins(OAuth, api_url="http://far.example")


def test_a_recorded_run_of_each_ci_is_a_fixture(jira_ci_pipeline):
    assert jira_ci_pipeline.ci in RECORDED


@pytest.mark.parametrize(("jira_ci_pipeline", "number"), [("Jenkins", "42")], indirect=["jira_ci_pipeline"])
def test_a_test_may_choose_the_recorded_run(jira_ci_pipeline, number):
    assert (jira_ci_pipeline.ci, jira_ci_pipeline.number) == ("Jenkins", number)


BAD = """
import random
from pathlib import Path
from types import SimpleNamespace as Module
import urllib.request
import pytest
from jira_ci_core import *
from jira_ci_core import BearerAuth, Connection, Site
from jira_ci_core.testing import *

class Bad:
    CONTRACT = 1
    def __init__(self):
        self.count = 0

class Fails(Bad):
    @hookimpl
    def jira_ci_extract_issue_keys(self, pipeline):
        return [FoundKey(key="MYT-1", source=pipeline.message[:9])]

class TestAnExtractorThatNeedsAMessage(ExtractorContract):
    plugin = Fails

class Changes(Bad):
    @hookimpl
    def jira_ci_extract_issue_keys(self):
        self.count += 1
        return [FoundKey(key=f"MYT-{self.count}", source="a counter")]

class TestAnExtractorThatChangesItsMind(ExtractorContract):
    plugin = Changes

class Forgets(Bad):
    pass

class TestAnExtractorWithoutTheHook(ExtractorContract):
    plugin = Forgets

class Greedy(Bad):
    @hookimpl
    def jira_ci_map_state(self):
        return State.SUCCESSFUL

class TestAStateMapThatKnowsEveryWord(StateMapContract):
    plugin = Greedy

class Random(Bad):
    @hookimpl
    def jira_ci_map_environment(self, name):
        self.count += 1
        return MappedEnvironment(type="production", id=f"{name}-{self.count}")

class TestAnEnvironmentMapWithNewIds(EnvironmentMapContract):
    plugin = Random

class Everywhere(Bad):
    @hookimpl
    def jira_ci_read_pipeline(self, environ):
        return Pipeline(ci="Mine", number="1", id="x", branch=environ["BRANCH"], commit_before="0" * 40)

class TestAReaderThatReadsEveryMachine(ReaderContract):
    plugin = Everywhere
    environ = {"BRANCH": "main"}

class Leaks(Bad):
    class Settings(PluginSettings):
        key_of_mine: Secret | None = setting(None, help="")

    def __init__(self, settings):
        self.key = settings.key_of_mine

    @hookimpl
    def jira_ci_authenticate(self, site):
        if self.key is None:
            return SignIn("mine", self.connect, hosts=("http://far.example",))
        return SignIn("Mine", self.connect, hosts=(f"http://far.example/{self.key.get_secret_value()}",))

    def connect(self, http):
        auth = lambda request: request
        return Connection("https://elsewhere.example/x", "https://elsewhere.example/x", auth, lambda: None)

class TestAnAuthenticationThatLeaks(AuthenticationContract):
    plugin = Leaks
    settings = {"KEY_OF_MINE": "hunter2222"}

class Calls(Bad):
    @hookimpl
    def jira_ci_authenticate(self):
        urllib.request.urlopen("http://127.0.0.1:9")

class TestAnAuthenticationThatCalls(AuthenticationContract):
    plugin = Calls

class Loses(Bad):
    NEEDS_SIGN_IN = False

    @hookimpl
    def jira_ci_deliver(self, reports, connect):
        self.count += 1
        try:
            connect()
        except DeliveryError:
            pass
        return Receipt.for_all(reports[1:], Result.ACCEPTED if self.count % 2 else Result.QUEUED)

class TestADeliveryThatLosesReports(DeliveryContract):
    plugin = Loses

class Expects(Bad):
    @hookimpl
    def jira_ci_reported(self, reports):
        return print(reports[0])

class TestAReportedHookThatExpectsAReport(ReportedContract):
    plugin = Expects
"""

SAME_EXAMPLES = """
from hypothesis import settings

settings.register_profile("same", database=None, derandomize=True)
settings.load_profile("same")
"""

FOUND = {
    "TestAnExtractorThatNeedsAMessage": [
        "test_it_accepts_a_run_without_any_facts",
        "test_it_finds_keys_or_nothing_whatever_the_run",
        "test_one_run_has_the_same_keys_every_time",
    ],
    "TestAnExtractorThatChangesItsMind": ["test_one_run_has_the_same_keys_every_time"],
    "TestAnExtractorWithoutTheHook": ["test_core_loads_it"],
    "TestAStateMapThatKnowsEveryWord": ["test_an_unknown_word_is_left_to_other_plugins"],
    "TestAnEnvironmentMapWithNewIds": ["test_one_name_is_one_environment"],
    "TestAReaderThatReadsEveryMachine": [
        "test_it_accepts_any_values_of_its_variables",
        "test_it_leaves_other_machines_to_other_readers",
    ],
    "TestAnAuthenticationThatLeaks": [
        "test_it_connects_and_signs",
        "test_its_settings_are_explained",
        "test_no_credential_shows",
        "test_with_all_its_settings_the_offer_is_complete",
        "test_without_any_setting_it_offers_nothing",
    ],
    "TestAnAuthenticationThatCalls": [
        "test_it_connects_and_signs",
        "test_no_credential_shows",
        "test_with_all_its_settings_the_offer_is_complete",
        "test_without_any_setting_it_offers_nothing",
    ],
    "TestADeliveryThatLosesReports": [
        "test_delivering_twice_is_harmless",
        "test_each_report_has_an_outcome",
        "test_without_a_connection_nothing_counts_as_accepted",
    ],
    "TestAReportedHookThatExpectsAReport": ["test_it_accepts_every_result"],
}


def run_pytest(folder, *arguments):
    """Run pytest in a folder, without this project's configuration, and without coverage, which would take minutes."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", folder, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_"))},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_contracts_find_what_is_wrong_with_a_plugin(tmp_path):
    (tmp_path / "conftest.py").write_text(SAME_EXAMPLES)
    (tmp_path / "test_bad.py").write_text(BAD)
    process = run_pytest(tmp_path, "-q", "-rf", "--tb=no", "test_bad.py")
    failed: dict[str, set[str]] = {}
    for name, test in re.findall(r"^FAILED test_bad.py::(\w+)::(\w+)", process.stdout, re.MULTILINE):
        failed.setdefault(name, set()).add(test)
    found = {name: sorted(tests - {"test_it_runs_on_every_ci"}) for name, tests in failed.items()}
    assert found == FOUND, process.stdout


class TestThePytestPlugin:
    """It slows down and breaks nothing in projects that have nothing to do with jira-ci."""

    def test_it_imports_core_only_for_tests_that_use_its_fixtures(self, tmp_path):
        (tmp_path / "test_other.py").write_text(
            dedent(
                """
                import sys

                def test_other():
                    assert "pytest_jira_ci" in sys.modules
                    heavy = ("jira_ci_core", "pydantic", "requests", "pluggy._hooks.jira_ci")
                    assert [name for name in heavy if name in sys.modules] == []
                """
            )
        )
        process = run_pytest(tmp_path, "-q", "-W", "error", "-p", "no:anyio", "-p", "no:hypothesispytest")
        assert process.returncode == 0, process.stdout

    def test_without_the_extra_it_says_what_to_install(self, tmp_path):
        (tmp_path / "hypothesis.py").write_text("raise ImportError('not here')")
        (tmp_path / "test_mine.py").write_text("def test_mine(jira_ci_plugins): pass")
        process = run_pytest(tmp_path, "-q", "-p", "no:hypothesispytest", "-p", "no:anyio")
        assert process.returncode == 1
        assert "pip install 'jira-ci-core[testing]'" in process.stdout

    def test_its_names_begin_with_the_name_of_the_project(self, tmp_path):
        process = run_pytest(tmp_path, "--fixtures", "-q")
        ours = process.stdout.partition("fixtures defined from pytest_jira_ci")[2].partition("fixtures defined from")[0]
        names = re.findall(r"^(\w+)", ours, re.MULTILINE)
        assert {"jira_ci", "jira_ci_sandbox", "jira_ci_plugins", "jira_ci_pipeline"} <= set(names)
        assert [name for name in names if not name.startswith("jira_ci")] == []


def test_a_report_loads_nothing_of_the_kit(jira_ci):
    code = """
import sys
from jira_ci_core.cli.main import call
assert call(["report", "--dry-run"], dict(__import__("os").environ)) == 0
print([name for name in sys.modules if name.startswith(("jira_ci_core.testing", "jira_ci_core.scaffold", "pytest"))])
"""
    process = subprocess.run(
        [sys.executable, "-c", code], env=jira_ci.variables(None, {}), capture_output=True, text=True, timeout=60
    )
    assert process.stdout.splitlines()[-1] == "[]", process.stderr
