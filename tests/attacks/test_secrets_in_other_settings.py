"""A credential that stands in a setting of another kind is not shown in parts, wherever the setting is split."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.usefixtures("in_process")

# Each separator that a setting of core or of a plugin knows stands between two parts.
SECRET = "wonder,land=7731|Prague:9964;ham/zebra.xml"

SETTINGS = (
    *("project", "plugins", "disable_plugins", "local_plugins", "environment_name", "environments", "service_ids"),
    *("issuekeys", "issue_keys", "key_aliases", "test_results", "properties", "sites", "key_patterns"),
    *("keys_git_sources", "keys_git_trailers", "queue_sites", "queue_backoff"),
)
IN_THE_PROJECTS_FILE = "project", "key_aliases", "test_results", "key_patterns", "keys_git_sources"
NOT_SPLIT = (
    *("environment_type", "link", "cloud_id", "instance", "run_number", "duration", "deadline", "verify"),
    *("queue_rate", "queue_name", "queue_metrics", "keys_git_since", "keys_git_remember", "card_schema"),
)
SPELLED = {
    "itself": str,
    "among others": lambda text: f"MYT,{text},a=b",
    "in JSON": lambda text: json.dumps(text).replace("=", "\\u003d"),
    "with escaped commas": lambda text: text.replace(",", "\\,"),
    "base64 in lines": lambda text: base64.encodebytes(text.encode() * 3).decode(),
}


@pytest.fixture
def harness(harness_oauth):
    harness_oauth.environ["PLUGIN_CLIENT_SECRET"] = SECRET
    del harness_oauth.environ["JIRA_CI_DISABLE_PLUGINS"]
    return harness_oauth


def gives_nothing_away(text, spelled=SECRET):
    for place in range(len(spelled) - 3):
        assert spelled[place : place + 4].lower() not in text.lower(), text


def is_refused(done, setting, spelled=SECRET):
    assert done.code == 2, done.text
    gives_nothing_away(done.text, spelled)
    assert "it holds a credential (not shown)" in done.text
    assert setting.replace("issue_keys", "issuekeys").upper() in done.text


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_variable_that_is_split(harness, setting):
    for spell in (SPELLED["itself"], SPELLED["among others"]):
        is_refused(harness("--format", "json", **{setting: spell(SECRET)}), setting)


@pytest.mark.parametrize("spelling", SPELLED)
@pytest.mark.parametrize("setting", ["environments", "issuekeys"])
def test_in_another_spelling(harness, setting, spelling):
    spelled = SPELLED[spelling](SECRET)
    is_refused(harness(**{setting: spelled}), setting, spelled)


@pytest.mark.parametrize("setting", ["plugins", "local_plugins", "environments", "sites", "keys_git_sources"])
def test_a_flag_that_is_split(harness, setting):
    is_refused(harness(f"--{setting.replace('_', '-')}", SECRET), setting)


@pytest.mark.parametrize("setting", ["environments", "sites", "properties", "keys_git_sources"])
def test_the_file_that_config_names(harness, setting):
    name = setting.replace("_", "-")
    (harness.folder / "trusted.toml").write_text(f"{name} = {json.dumps(['a=b', SECRET])}\n")
    is_refused(harness("--config", "trusted.toml"), setting)
    if setting != "sites":  # whose table holds the settings of each
        (harness.folder / "trusted.toml").write_text(f'{name} = {{"{SECRET}" = "production"}}\n')
        is_refused(harness("--config", "trusted.toml"), setting)


@pytest.mark.parametrize("setting", IN_THE_PROJECTS_FILE)
def test_the_projects_own_file(harness, setting):
    harness.environ.pop("PLUGIN_PROJECT", None)
    (harness.folder / "jira-ci.toml").write_text(f"{setting.replace('_', '-')} = {json.dumps(SECRET)}\n")
    is_refused(harness(), setting)


@pytest.mark.parametrize("setting", NOT_SPLIT)
def test_the_error_of_a_setting_that_is_one_text(harness, setting):
    for value in (SECRET, f"https://ci.example/{SECRET}?x", f"12 {SECRET}"):
        done = harness("--format", "json", **{setting: value})
        assert "Traceback" not in done.text
        gives_nothing_away(done.text)


PLUGIN = """
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr, model_validator

from jira_ci_core import InvalidValueError, PluginSettings, hookimpl, setting


def letters(text):
    return text.split(";")


def one_of_two(text):
    for part in text.split("="):
        raise InvalidValueError(f"the part {part!r} is wrong", f"write no {part!r}")


class Plugin:
    class Settings(PluginSettings):
        a_list: Annotated[list[str], BeforeValidator(letters)] = setting([], help="a list")
        a_text: Annotated[str, AfterValidator(one_of_two)] | None = setting(None, help="a text")
        one: str | None = setting(None, help="one")
        keys_of_mine: Annotated[tuple[SecretStr, ...], BeforeValidator(letters)] = setting((), help="several")

        @model_validator(mode="after")
        def check(self):
            if self.one:
                raise InvalidValueError(f"{self.one[:7]!r} is the first half", "write none")
            return self

    def __init__(self, settings):
        self.keys = settings.keys_of_mine

    @hookimpl
    def jira_ci_extract_issue_keys(self, pipeline):
        raise ValueError([key.get_secret_value() for key in self.keys])
"""


class TestAPlugin:
    @pytest.fixture(autouse=True)
    def plugin(self, harness):
        (harness.folder / "mine.py").write_text(PLUGIN)
        harness.environ["PLUGIN_LOCAL_PLUGINS"] = "mine.py"

    @pytest.mark.parametrize("setting", ["a_list", "a_text", "one"])
    def test_its_settings(self, harness, setting):
        done = harness("--format", "json", **{setting: SECRET})
        assert done.code == 2, done.text
        gives_nothing_away(done.text)
        assert "it holds a credential (not shown)" in done.text

    def test_one_of_its_credentials(self, harness):
        done = harness(keys_of_mine="first-key-1234;second-key-5678")
        assert done.code == 3, done.text
        assert "['[secret]', '[secret]']" in done.text


@pytest.mark.parametrize("command", ["explain", "doctor", "gate", "plugins", "show", "delete", "outbox flush"])
def test_every_command(harness, command):
    for setting in ("environment_name", "plugins", "properties", "environments"):
        done = harness.run(*command.split(), **{setting: SECRET})
        gives_nothing_away(done.text)


def test_the_command_line_itself(harness):
    for words in (["--project", *SECRET.split(",")], [f"--{SECRET}"], ["--formats", SECRET], ["--format", SECRET]):
        harness.environ["PLUGIN_CLIENT_SECRET"] = " ".join(words[1:]) if len(words) == 3 else words[-1]
        done = harness("--dry-run", *words)
        assert done.code == 2
        gives_nothing_away(done.text)


def test_a_line_of_a_backfill(harness):
    (harness.folder / "lines").write_text(json.dumps({"kind": "build", "issue_keys": SECRET, "state": "odd"}))
    done = harness.run("backfill", "lines")
    assert done.code == 1, done.text
    gives_nothing_away(done.text + (harness.folder / "lines.rejected").read_text())
    assert "it is not valid, and holds a credential (not shown)" in done.text


def test_nothing_of_it_reaches_jira_or_the_outbox(harness, jira):
    for setting in ("environment_name", "properties", "service_ids"):
        done = harness(**{setting: f"{SECRET}=1", "outbox": "kept"})
        assert done.code == 2
    assert jira.deployments() == jira.builds() == []
    assert not (harness.folder / "kept").exists()


@pytest.mark.parametrize("password", ["test", "prod", "1234", "production", "MYT"])
def test_a_password_that_is_a_word_stops_no_step(harness, password):
    proxied = f"http://user:{quote(password)}@127.0.0.1:9"
    done = harness(
        "--dry-run",
        http_proxy=proxied,
        environment_name="test,production",
        environments="test-*=testing,prod-*=production",
        issuekeys="MYT-12345",
    )
    assert done.code == 0, done.text
