"""What plugins are handed holds no credential, however it is looked at; and what holds one does not show it."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from jira_ci_core import Connection, SignIn, hookspecs
from jira_ci_core.cli.report import Context
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.config.sources import Sources
from jira_ci_core.net.client import BearerAuth, Http
from jira_ci_core.output.console import Console
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import load
from jira_ci_core.plugins.manager import HOOKS
from jira_ci_sandbox.server import ServerInfo

PASSWORD = "proxy-hunter2222"
OF_ANOTHER = "another-hunter2222"
OWN = "own-hunter2222"
NOSY = (Path(__file__).parent / "nosy.py").read_text(encoding="utf-8")

ANOTHER = """
from jira_ci_core import PluginSettings, Secret, SignIn, hookimpl, setting

class Another:
    class Settings(PluginSettings):
        another_token: Secret | None = setting(None, help="a token")

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def jira_ci_authenticate(self):
        return SignIn("another", self.connect, missing=("ANOTHER_USER",))

    def connect(self, http):
        raise AssertionError
"""


@pytest.fixture
def looked_at(harness, jira, install, passing_on, tmp_path):
    """Runs a step with every kind of credential, and answers what the nosy plugin saw: hook, argument, texts."""
    install("nosy", NOSY, ":Nosy")
    install("another", ANOTHER, ":Another")
    seen, proxy = tmp_path / "seen", passing_on()
    key = tmp_path / "key"
    key.write_text(jira.connect_key)
    harness.environ |= {
        "PLUGIN_NOSY_FILE": str(seen),
        "PLUGIN_NOSY_TOKEN": OWN,
        "JIRA_CI_ANOTHER_TOKEN": OF_ANOTHER,
        "PLUGIN_CLIENT_ID": jira.client_id,
        "PLUGIN_CLIENT_SECRET": jira.client_secret,
        "PLUGIN_CONNECT_KEY_FILE": str(key),
        "HTTP_PROXY": proxy.url.replace("http://", f"http://user:{PASSWORD}@"),
    }

    def look(*arguments, **settings):
        seen.unlink(missing_ok=True)
        done = harness.run(*arguments, **settings)
        tokens = [
            json.loads(content)["access_token"] if target.endswith("/oauth/token") else content.decode()
            for target, content in proxy.answered
            if target.endswith("/token")
        ]
        return done, [json.loads(line) for line in seen.read_text().splitlines()], tokens

    return look


@pytest.mark.parametrize("auth", ["oauth", "connect"])
@pytest.mark.parametrize("environment", [None, "prod"])
def test_no_argument_of_any_hook_holds_a_credential(looked_at, jira, encodings_of, auth, environment):
    done, seen, tokens = looked_at("report", auth=auth, environment_name=environment)
    assert done.code == 0, done.text
    assert tokens
    hidden = {"proxy": PASSWORD, "another": OF_ANOTHER, "own": OWN, "id": jira.client_id, "token": tokens[0]}
    hidden |= {"secret": jira.client_secret, "key": jira.connect_key}
    found = {
        (look["hook"], look["argument"], name)
        for look in seen
        if look["hook"] != "settings_of_its_own"
        for name, secret in hidden.items()
        if any(form in text for form in encodings_of(secret) for text in look["texts"])
    }
    assert found == set()
    handed = {(look["hook"], look["argument"]) for look in seen}
    assert handed >= {
        (hook.removeprefix("jira_ci_"), argument)
        for hook in HOOKS
        for argument in inspect.signature(getattr(hookspecs, hook)).parameters
        if hook != "jira_ci_register_commands" and (environment or hook != "jira_ci_map_environment")
    }


def test_nor_does_what_commands_are_added_to(looked_at, secrets, encodings_of):
    _, seen, _ = looked_at("--help")
    [cli] = [look for look in seen if look["argument"] == "cli"]
    assert len(cli["texts"]) > 100
    for secret in [*secrets, OF_ANOTHER, PASSWORD, OWN]:
        assert [form for form in encodings_of(secret) if any(form in text for text in cli["texts"])] == []


def test_what_is_looked_at_so_would_be_found(looked_at):
    """Its own credential is in its own settings, so that the tests above can fail."""
    _, seen, _ = looked_at("report")
    [own] = [look for look in seen if look["hook"] == "settings_of_its_own"]
    assert any(OWN in text for text in own["texts"])


HIDDEN = "hunter2222"


def hide():
    return HIDDEN


def everything_that_holds_one():
    """One of each that holds a credential."""
    auth = BearerAuth(hide)
    auth._token = HIDDEN
    secrets = Secrets()
    secrets.add(HIDDEN)
    environ = {"PLUGIN_CLIENT_SECRET": HIDDEN, "PLUGIN_CLIENT_ID": HIDDEN, "PLUGIN_PROJECT": "MYT"}
    environ |= {"HTTPS_PROXY": f"http://u:{HIDDEN}@proxy.example"}
    sources = Sources(environ, {}, {"client-secret": HIDDEN}, "x", {"client-secret": HIDDEN}, "y")
    loaded = load(Sources(environ | {"PLUGIN_INSTANCE": "acme"}), Secrets())
    connection = Connection("https://acme.example/b", "https://acme.example/d", auth, hide)
    return [
        auth,
        secrets,
        sources,
        loaded,
        loaded.network,
        loaded.plugins,
        connection,
        SignIn("mine", lambda http: connection),
        NetworkSettings(https_proxy=f"http://u:{HIDDEN}@proxy.example"),
        Http(loaded.network, secrets, ()),
        Context(environ, secrets, Console(secrets)),
        ServerInfo("http://127.0.0.1", 1, "id", None, {"client_secret": HIDDEN}),
    ]


@pytest.mark.parametrize("holder", everything_that_holds_one(), ids=lambda holder: type(holder).__name__)
def test_what_holds_a_credential_does_not_show_it(holder):
    for text in (repr(holder), str(holder), f"{holder}", repr([holder]), repr({"a": holder})):
        assert HIDDEN not in text
