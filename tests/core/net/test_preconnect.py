"""Connections that are opened before the libraries are loaded: only where the environment alone says where to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from jira_ci_core import SettingsError
from jira_ci_core.net.preconnect import HOSTS_GROUP, REPORT, Preconnections, preconnect


@pytest.fixture
def server():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def place(server):
    return server.getsockname()[:2]


def url(server):
    return "http://{}:{}".format(*place(server))


@pytest.fixture
def connect(server):
    """The environment of a step that signs in with a Connect key, at the server."""
    return {"PLUGIN_CONNECT_KEY": "a-key", "PLUGIN_CONNECT_HOSTNAME": url(server), "PLUGIN_INSTANCE": url(server)}


@pytest.fixture
def hosts_of_a_plugin(tmp_path, monkeypatch):
    """Installs a function that names hosts, as the package of a plugin does: `hosts_of_a_plugin("saml", code)`."""
    site = tmp_path / "site-packages"
    modules = []

    def make(name, code):
        module = f"hosts_of_{name.replace('-', '_')}"
        modules.append(module)
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (info / "entry_points.txt").write_text(f"[jira_ci]\nx = y:z\n\n[{HOSTS_GROUP}]\n{name} = {module}:hosts\n")
        monkeypatch.syspath_prepend(str(site))

    yield make
    for module in modules:
        sys.modules.pop(module, None)


def is_open(preconnections, server):
    """Whether there is a connection to the server; it is taken, and the server sees the end of it."""
    connected = preconnections.take(*server.getsockname()) if preconnections else None
    if connected is None:
        return False
    connected.close()
    caller, _ = server.accept()
    with caller:
        assert caller.recv(1) == b"", "nothing is sent before the connection is used"
    return True


def test_the_hosts_of_the_credentials_are_connected_to(connect, server):
    assert is_open(preconnect(REPORT, connect), server)


def test_a_credential_may_stand_in_a_file_which_is_not_read(connect, server):
    connect["PLUGIN_CONNECT_KEY_FILE"] = "/run/secrets/missing"
    del connect["PLUGIN_CONNECT_KEY"]
    assert is_open(preconnect(REPORT, connect), server)


def test_with_oauth_and_a_cloud_id_the_site_is_not_asked_so_not_connected_to(server):
    with socket.create_server(("127.0.0.1", 0)) as api:
        environ = {"JIRA_CI_CLIENT_ID": "id", "JIRA_CI_CLIENT_SECRET": "secret", "JIRA_CI_API_URL": url(api)}
        environ |= {"PLUGIN_INSTANCE": url(server), "PLUGIN_CLOUD_ID": "11223344-5566-7788-99aa-bbccddeeff00"}
        preconnections = preconnect(REPORT, environ)
        assert not is_open(preconnections, server)
        assert is_open(preconnections, api)


@pytest.mark.parametrize(
    "arguments",
    [[], ["report", "--dry-run"], ["report", "--help"], ["report", "--instance", "other"], ["plugins"], ["doctor"]],
    ids=" ".join,
)
def test_nothing_is_opened_for_anything_but_a_report_by_the_environment_alone(connect, arguments):
    assert preconnect(arguments, connect) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"PLUGIN_CONFIG": "jira.toml"},
        {"PLUGIN_SITES": "a,b"},
        {"JIRA_CI_DELIVERY": "celery"},
        {"PLUGIN_HTTPS_PROXY": "http://proxy:3128"},
        {"HTTPS_PROXY": "http://proxy:3128"},
        {"HARNESS_HTTP_PROXY": "http://proxy:3128"},
        {"PLUGIN_CA_BUNDLE": "/missing.pem"},
        {"SSL_CERT_FILE": "/missing.pem"},
        {"PLUGIN_INSTANCE": "my org"},
        {"PLUGIN_CONNECT_HOSTNAME": "http://jira-ci.example"},
        {"PLUGIN_CONNECT_HOSTNAME": "jira-ci.example"},
        {"PLUGIN_PLUGIN_TIMEOUT": "soon"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_nothing_is_opened_where_more_counts_or_something_is_wrong(connect, variables):
    assert preconnect(REPORT, {**connect, **variables}) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"PLUGIN_CONNECT_KEY": ""},
        {"PLUGIN_CONNECT_KEY": "null"},
        {"PLUGIN_CONNECT_KEY": "<+secrets.getValue('jira')>"},
        {"PLUGIN_CONNECT_KEY": "$(jiraConnectKey)"},
        {"PLUGIN_CLIENT_ID": "id", "PLUGIN_CLIENT_SECRET": "secret"},
        {"PLUGIN_DISABLE_PLUGINS": "git, connect"},
        {"PLUGIN_PLUGINS": "oauth"},
        {"PLUGIN_AUTH": "oauth"},
    ],
    ids=str,
)
def test_nothing_is_connected_to_where_it_is_not_known_which_credentials_count(connect, server, variables):
    assert not is_open(preconnect(REPORT, {**connect, **variables}), server)


def test_auth_says_which_of_several_kinds_counts(connect, server):
    both = {**connect, "PLUGIN_CLIENT_ID": "id", "PLUGIN_CLIENT_SECRET": "secret"}
    assert is_open(preconnect(REPORT, {**both, "PLUGIN_AUTH": "Connect"}), server)


def test_a_strangers_kind_of_sign_in_names_its_hosts_in_the_same_way(hosts_of_a_plugin, server):
    hosts_of_a_plugin("saml", "hosts = lambda is_set, address, site: [address('saml_url'), site, '']")
    environ = {"PLUGIN_SAML_URL": url(server), "PLUGIN_INSTANCE": url(server)}
    assert is_open(preconnect(REPORT, environ), server)


@pytest.mark.parametrize("setting", ["PLUGIN_PLUGINS", "PLUGIN_AUTH"])
def test_a_plugin_may_have_a_hyphen_in_its_name(hosts_of_a_plugin, connect, server, setting):
    hosts_of_a_plugin("acme-saml", f"hosts = lambda is_set, address, site: [{url(server)!r}]")
    elsewhere = {**connect, "PLUGIN_CONNECT_HOSTNAME": "http://127.0.0.1:9", "PLUGIN_INSTANCE": "http://127.0.0.1:9"}
    assert is_open(preconnect(REPORT, {**elsewhere, setting: "acme-saml"}), server)


@pytest.mark.parametrize(
    "code", ["1 / 0", "raise SystemExit", "hosts = None", "hosts = lambda is_set, address, site: [1]"]
)
def test_what_fails_in_a_plugin_is_left_to_the_check_of_the_settings(hosts_of_a_plugin, code):
    hosts_of_a_plugin("saml", code)
    assert preconnect(REPORT, {"PLUGIN_INSTANCE": "acme"}) is None


@pytest.mark.parametrize(
    "key", ["s3cret", "s3cret.example", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "hooks/s3cret"]
)
def test_no_credential_is_handed_to_a_plugin(hosts_of_a_plugin, key, capsys):
    hosts_of_a_plugin(
        "reader", "def hosts(is_set, address, site): print(is_set('connect_key'), address('connect_key'))"
    )
    for spelt in (key, f"https://chat.example/{key}"):
        preconnect(
            REPORT, {"PLUGIN_CONNECT_KEY": spelt, "PLUGIN_INSTANCE": "acme", "PLUGIN_DISABLE_PLUGINS": "connect"}
        )
        printed = capsys.readouterr().out
        assert key not in printed
    assert printed == "True https://chat.example\n"


def test_a_plugin_that_is_off_is_not_even_imported(hosts_of_a_plugin, connect, server):
    hosts_of_a_plugin("saml", "1 / 0")
    assert is_open(preconnect(REPORT, {**connect, "PLUGIN_DISABLE_PLUGINS": "saml"}), server)


@pytest.fixture
def report(connect, tmp_path):
    """`jira-ci report` as a process, with what is in the folder of plugins."""

    def run(**variables):
        environ = {"PYTHONPATH": str(tmp_path / "site-packages"), **connect, **variables}
        command = [sys.executable, "-P", "-m", "jira_ci_core", *REPORT]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_an_interruption_shows_no_traceback(hosts_of_a_plugin, report):
    hosts_of_a_plugin("saml", "raise KeyboardInterrupt")
    done = report()
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_one_that_hangs_ends_the_step_with_its_name(hosts_of_a_plugin, report):
    hosts_of_a_plugin("saml", "import threading; threading.Event().wait()")
    done = report(PLUGIN_PLUGIN_TIMEOUT="0.1")
    assert done.returncode == 3
    assert done.stderr.startswith("error: plugin saml in hosts_of_saml:hosts hangs")
    assert [line[:6] for line in done.stderr.splitlines()] == ["error:", "  why:", "  do: "]


class TestDelivery:
    """What becomes of them once the settings are checked."""

    def report(self, connect, server, **variables):
        """Open connections, then check the settings, which end the step; answers whether the connection was closed."""
        preconnections = preconnect(REPORT, connect)
        caller, _ = server.accept()
        caller.settimeout(20)
        from jira_ci_core.output.redaction import Secrets
        from jira_ci_core.plugins.loader import load, open_sources
        from jira_ci_core.reporting import run

        runtime = load(open_sources({"PATH": os.environ["PATH"], **connect, **variables}, {}, Secrets()))
        run.report(runtime, preconnections=preconnections)
        with caller:
            return caller.recv(1) == b""

    @pytest.fixture
    def variables(self):
        return {"PLUGIN_PROJECT": "MYT", "PLUGIN_STATE": "successful", "PLUGIN_DISABLE_PLUGINS": "git,checkout"}

    def test_those_that_are_not_needed_are_closed_in_the_end(self, connect, server, variables):
        assert self.report(connect, server, **variables)

    def test_those_that_trust_other_authorities_are_not_used(self, connect, server, variables, tmp_path):
        import certifi

        assert self.report(connect, server, **variables, PLUGIN_CA_BUNDLE=certifi.where())


class TestPreconnections:
    """Connections that are opened while the rest is still loading."""

    def test_a_connection_is_given_away_once(self, server):
        preconnections = Preconnections(None)
        preconnections.open([url(server), url(server)])
        connected = preconnections.take(*place(server))
        assert connected is not None
        with connected:
            assert connected.getpeername() == server.getsockname()
        assert preconnections.take(*place(server)) is None

    def test_nothing_is_opened_that_was_not_asked_for(self, server):
        assert Preconnections(None).take(*place(server)) is None

    def test_what_it_failed_with_is_raised_where_it_is_taken(self, free_port):
        preconnections = Preconnections(None)
        preconnections.open([f"http://127.0.0.1:{free_port}"])
        with pytest.raises(ConnectionRefusedError):
            preconnections.take("127.0.0.1", free_port)

    def test_those_that_are_not_taken_are_closed(self, server):
        preconnections = Preconnections(None)
        preconnections.open([url(server)])
        caller, _ = server.accept()
        preconnections.close()
        with caller:
            assert caller.recv(1) == b""

    def test_one_may_be_taken_while_the_others_are_closed(self, server, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as other:
            preconnections = Preconnections(None)
            preconnections.open([url(server), url(other)])
            taken = []

            def abandon(opening):
                """Close one, while another thread takes the other."""
                opening.join()
                opening.connection.close()
                thread = threading.Thread(target=lambda: taken.append(preconnections.take(*place(other))))
                thread.start()
                thread.join()

            monkeypatch.setattr("jira_ci_core.net.preconnect._Opening.abandon", abandon)
            preconnections.close()
            [connected] = taken
            connected.close()

    def test_an_authority_that_cannot_be_used_is_told_before_anything_is_opened(self, tmp_path):
        with pytest.raises(SettingsError, match="CA_BUNDLE cannot be"):
            Preconnections(str(tmp_path / "missing.pem"))
