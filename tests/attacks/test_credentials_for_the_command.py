"""The command of `jira-ci run` is often code of the change under test: it gets no credential."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from jira_ci_core.command_run.run import environ_of_command

NAMES = "CLIENT_ID", "CLIENT_SECRET", "CONNECT_KEY", "HTTPS_PROXY", "BROKER_URL", "QUEUE_KEY", "QUEUE_KEY_OLD", "VAULT"
PLUGIN = """
from jira_ci_core import PluginSettings, Secret, hookimpl, setting


class Plugin:
    class Settings(PluginSettings):
        vault: Secret | None = setting(None, help="a secret", aliases=("vault_token",), reads=("THE_VAULT",))

    def __init__(self, settings):
        pass

    @hookimpl
    def jira_ci_extract_issue_keys(self):
        return []
"""


@pytest.fixture
def variables(harness_oauth, install, in_process, monkeypatch):
    """What `env` prints as the command of a step with these variables."""
    install("vault", PLUGIN, ":Plugin")
    monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])

    def run(environ, *flags, **settings):
        done = harness_oauth.run("run", *flags, "--", "sh", "-c", "env > seen", environ=environ, **settings)
        assert done.code == 0, done.text
        lines = os.fsdecode((harness_oauth.folder / "seen").read_bytes()).splitlines()
        return dict(line.split("=", 1) for line in lines), done

    return run


def spellings(*names):
    return {
        f"{prefix}{name}{suffix}"
        for prefix in ("", "PLUGIN_", "JIRA_CI_")
        for name in names
        for suffix in ("", "_FILE")
    }


def test_it_sees_no_spelling_of_a_secret_setting(variables, harness_oauth, jira, tmp_path):
    (tmp_path / "file").write_text("s3cret-in-a-file")
    secret = {
        name: str(tmp_path / "file") if name.endswith("_FILE") else "s3cret"
        for name in spellings(*NAMES, "VAULT_TOKEN")
    }
    secret |= {"THE_VAULT": "s3cret", "https_proxy": "http://user:s3cret@127.0.0.1:9", "NO_PROXY": "*"}
    secret |= {name: "http://user:s3cret@127.0.0.1:9" for name in secret if name.endswith("HTTPS_PROXY")}
    secret |= {name: value for name, value in harness_oauth.environ.items() if "CLIENT" in name}
    seen, done = variables(secret, auth="oauth", disable_plugins="celery,git")
    assert not (secret.keys() - {"NO_PROXY"}) & seen.keys()
    assert "s3cret" not in "".join(seen.values()) + done.text
    assert jira.client_secret not in seen.values()


def test_it_sees_everything_else_byte_for_byte(variables, harness_oauth):
    others = {"DEPLOY_KEY": "mine", "PLUGIN_TARGET": "prod", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "*"}
    others["ODD"] = os.fsdecode(b"\xff\xfe x")
    seen, _ = variables(others)
    assert others.items() <= seen.items()
    assert {
        name: value for name, value in harness_oauth.environ.items() if "CLIENT" not in name
    }.items() <= seen.items()


NO_PLACE_FOR_A_PASSWORD = [
    "",
    "proxy",
    "proxy:3128",
    "http://127.0.0.1:9/",
    "https://p_x.example.com:443",
    "http://[::1]:9",
]
SOME_PLACE = [
    *(
        "http://user:s3cret%40proxy:8080",
        "http://s3cret%40proxy:8080",
        "user:s3cret%40proxy",
        "http://user:s3cret\\@p:1",
    ),
    *("http://user%3As3cret%40proxy", "http://h:1/s3cret", "http://h:1?password=s3cret", "http://[::1%40s3cret]:1"),
    *("http://h:1 s3cret", "http://user:s3cret", "http://h:1#s3cret", "h;s3cret"),
]


@pytest.mark.parametrize(
    ("address", "is_passed_on"), [(a, True) for a in NO_PLACE_FOR_A_PASSWORD] + [(a, False) for a in SOME_PLACE]
)
def test_it_sees_a_proxy_that_is_a_host_and_a_port_alone(address, is_passed_on):
    """Whether or not this step uses it: of several variables of a proxy one is read."""
    runtime = SimpleNamespace(settings=SimpleNamespace(pass_credentials=False), secret_variables={"https_proxy"})
    assert ("https_proxy" in environ_of_command(runtime, {"https_proxy": address})) is is_passed_on


def test_it_sees_no_proxy_that_another_variable_replaces(variables):
    seen, done = variables(
        {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://user:s3cret%40proxy:8080", "NO_PROXY": "*"}
    )
    assert seen["HTTPS_PROXY"] == "http://127.0.0.1:9"
    assert "s3cret" not in "".join(seen.values()) + done.text
    assert "the command does not get https_proxy" in done.err


def test_a_name_that_may_be_meant_for_the_command_is_said(variables):
    _, done = variables({"CLIENT_SECRET": "of another tool"})
    assert "the command does not get CLIENT_SECRET" in done.err
    assert "PLUGIN_CLIENT_SECRET" not in done.err


@pytest.mark.parametrize("flags", [("--pass-credentials",), ()])
def test_a_switch_hands_them_on(variables, jira, flags):
    seen, _ = variables({"PLUGIN_VAULT": "s3cret"}, *flags, pass_credentials=None if flags else "true")
    assert (seen["PLUGIN_CLIENT_SECRET"], seen["PLUGIN_VAULT"]) == (jira.client_secret, "s3cret")


def test_the_project_s_own_file_does_not_turn_it(harness_oauth, in_process):
    (harness_oauth.folder / "jira-ci.toml").write_text("pass-credentials = true\n")
    assert harness_oauth.run("run", "--", "true").code == 2
