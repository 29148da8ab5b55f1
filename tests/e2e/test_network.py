"""Reaching Jira: names, ports, certificates, proxies; and what is never used on the way."""

from __future__ import annotations

import base64

import pytest

from jira_ci_sandbox.client import Sandbox


@pytest.fixture(scope="module")
def running_tls():
    with Sandbox.start("MYT", tls=True) as sandbox:
        yield sandbox


@pytest.fixture
def tls(running_tls, secrets):
    """A local Jira that serves https with a certificate of an unknown authority."""
    running_tls.reset()
    secrets += [running_tls.client_secret, running_tls.connect_key]
    return running_tls


def at(sandbox):
    """The settings that point a step at a sandbox, with OAuth credentials."""
    return {
        "instance": sandbox.url,
        "api_url": sandbox.url,
        "connect_hostname": sandbox.url,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
    }


@pytest.mark.usefixtures("in_process")
class TestUnreachable:
    """Each reason why a host does not answer is named, with the host."""

    @pytest.mark.parametrize("setting", ["instance", "api_url"])
    def test_a_refused_port(self, harness_oauth, jira, failed, free_port, setting):
        address = f"http://127.0.0.1:{free_port}"
        failure = failed(harness_oauth(deadline="0.9", **{setting: address}), 1)
        assert failure.what == f"{address} could not be reached"
        assert "Connection refused" in failure.why
        assert setting.upper() in failure.do
        assert jira.requests("bulk") == []

    def test_a_refused_port_of_the_connect_app(self, harness, connect, jira, failed, free_port):
        failure = failed(harness(connect_hostname=f"http://127.0.0.1:{free_port}", deadline="0.9", environ=connect), 1)
        assert f"http://127.0.0.1:{free_port} could not be reached" in failure.what
        assert jira.requests() == []

    @pytest.mark.parametrize("instance", ["https://jira.invalid", "https://no-such-host.invalid:8443/jira"])
    def test_a_host_that_does_not_exist(self, harness_oauth, jira, failed, instance):
        failure = failed(harness_oauth(instance=instance), 1)
        assert ".invalid" in failure.what
        assert "could not be reached" in failure.what
        assert "INSTANCE" in failure.do
        assert jira.requests("bulk") == []

    def test_a_server_that_does_not_answer_in_time(self, harness_oauth, jira, failed, monkeypatch):
        monkeypatch.setattr("jira_ci_core.net.client.READ_SECONDS", 0.2)
        jira.fault("slow", seconds=30, count=2)
        failure = failed(harness_oauth(deadline="0.9"), 1)
        assert f"{jira.url} did not answer in time" in failure.what

    @pytest.mark.parametrize("setting", ["instance", "api_url", "connect_hostname"])
    @pytest.mark.parametrize("host", ["jira.example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1"])
    def test_plain_http_is_for_loopback_only(self, harness_oauth, jira, failed, setting, host):
        failure = failed(harness_oauth(**{setting: f"http://{host}"}), 2)
        assert setting.upper() in failure.what
        assert "plain http" in failure.why
        assert jira.requests() == []


class TestCertificates:
    """A certificate is always checked; a user who signs his own names the authority."""

    def test_an_unknown_certificate_is_an_error_that_says_what_to_do(self, harness, tls, failed):
        failure = failed(harness(**at(tls)), 1)
        assert failure.what == f"{tls.url} could not be reached safely"
        assert "certificate" in failure.why
        assert "CA_BUNDLE" in failure.do
        assert tls.requests() == []

    @pytest.mark.parametrize("variable", ["PLUGIN_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    @pytest.mark.usefixtures("in_process")
    def test_with_its_authority_it_is_trusted(self, harness, tls, clean, variable):
        done = clean(harness(environ={variable: tls.ca_file}, **at(tls)))
        assert done.code == 0, done.text
        assert len(tls.builds()) == 1

    @pytest.mark.usefixtures("in_process")
    def test_the_connect_app_is_checked_too(self, harness, tls, failed):
        settings = at(tls) | {"client_id": None, "client_secret": None, "connect_key": tls.connect_key}
        failed(harness(**settings), 1)
        done = harness(ca_bundle=tls.ca_file, **settings)
        assert done.code == 0, done.text

    @pytest.mark.usefixtures("in_process")
    def test_another_authority_is_not_enough(self, harness, tls, failed, tmp_path):
        import trustme

        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        assert "could not be reached safely" in failed(harness(ca_bundle=other, **at(tls)), 1).what

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("content", ["", "this is no certificate"])
    def test_a_file_without_certificates_is_an_error(self, harness, tls, failed, tmp_path, content):
        (tmp_path / "ca.pem").write_text(content)
        failure = failed(harness(ca_bundle=tmp_path / "ca.pem", **at(tls)), 2)
        assert "CA_BUNDLE" in failure.what
        assert tls.requests() == []


class TestProxies:
    """Proxy variables are honoured, and so is what goes around them; those of the system are not guessed."""

    VARIABLES = ["http_proxy", "HTTP_PROXY", "PLUGIN_HTTP_PROXY", "HARNESS_HTTP_PROXY"]

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("variable", VARIABLES)
    def test_a_proxy_is_used(self, harness_oauth, jira, passing_on, clean, variable):
        proxy = passing_on()
        done = clean(harness_oauth(log_level="debug", environ={variable: proxy.url}))
        assert done.code == 0, done.text
        *signing_in, bulk = (received.target.removeprefix(jira.url) for received in proxy.received)
        assert sorted(signing_in) == ["/_edge/tenant_info", "/oauth/token"]
        assert bulk == f"/jira/builds/0.1/cloud/{jira.cloud_id}/bulk"
        assert len(jira.builds()) == 1

    @pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy", "PLUGIN_NO_PROXY", "HARNESS_NO_PROXY"])
    @pytest.mark.parametrize("value", ["127.0.0.1", "other.example, 127.0.0.0/8", "*"])
    @pytest.mark.usefixtures("in_process")
    def test_no_proxy_goes_around_it(self, harness_oauth, jira, listen, variable, value):
        proxy = listen()
        done = harness_oauth(environ={"HTTP_PROXY": proxy.url, variable: value})
        assert done.code == 0, done.text
        assert proxy.received == []
        assert len(jira.builds()) == 1

    @pytest.mark.usefixtures("in_process")
    def test_https_goes_through_a_tunnel(self, harness, tls, listen, failed):
        proxy = listen(lambda received: (403, {}, b"not through here"))
        failure = failed(harness(ca_bundle=tls.ca_file, environ={"HTTPS_PROXY": proxy.url}, **at(tls)), 1)
        assert {received.method for received in proxy.received} == {"CONNECT"}
        assert "Authorization" not in proxy.received[0].headers
        assert f"{tls.url} could not be reached through the proxy" in failure.what
        assert "HTTPS_PROXY" in failure.do

    @pytest.mark.usefixtures("in_process")
    def test_the_proxy_of_the_other_scheme_is_not_used(self, harness_oauth, listen):
        proxy = listen()
        assert harness_oauth(environ={"HTTPS_PROXY": proxy.url}).code == 0
        assert proxy.received == []

    def test_a_proxy_that_refuses_is_named_as_the_reason(self, harness_oauth, jira, failed, free_port):
        failure = failed(harness_oauth(deadline="0.9", environ={"HTTP_PROXY": f"http://127.0.0.1:{free_port}"}), 1)
        assert "could not be reached through the proxy" in failure.what
        assert "NO_PROXY" in failure.do
        assert jira.requests() == []

    @pytest.mark.usefixtures("in_process")
    def test_a_proxys_password_is_used_and_never_shown(
        self, harness_oauth, passing_on, clean, failed, secrets, free_port
    ):
        secrets.append("proxy-password-1")
        proxy = passing_on()
        variable = {"HTTP_PROXY": proxy.url.replace("http://", "http://me:proxy-password-1@")}
        done = clean(harness_oauth(log_level="debug", environ=variable))
        assert done.code == 0, done.text
        expected = "Basic " + base64.b64encode(b"me:proxy-password-1").decode()
        assert {received.headers["Proxy-Authorization"] for received in proxy.received} == {expected}
        refused = {"HTTP_PROXY": f"http://me:proxy-password-1@127.0.0.1:{free_port}"}
        failed(harness_oauth(log_level="debug", deadline="0.9", environ=refused), 1)

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("proxy", ["127.0.0.1:{port}", "localhost:{port}"])
    def test_a_proxy_may_be_written_without_its_scheme(self, harness_oauth, jira, passing_on, proxy):
        port = passing_on()
        done = harness_oauth(environ={"HTTP_PROXY": proxy.format(port=port.url.rpartition(":")[2])})
        assert done.code == 0, done.text
        assert len(port.received) == 3

    @pytest.mark.usefixtures("in_process")
    @pytest.mark.parametrize("proxy", ["http://", "://x", "ftp://proxy.example", "http://proxy.example:99999"])
    def test_a_proxy_that_is_no_address_is_an_error(self, harness_oauth, jira, clean, proxy):
        done = clean(harness_oauth(environ={"HTTP_PROXY": proxy}))
        assert done.code in (1, 2)
        assert "jira-ci itself failed" not in done.err
        assert jira.requests() == []


NETRC = "machine 127.0.0.1 login thief password netrc-password-1\ndefault login thief password netrc-password-1\n"


@pytest.mark.parametrize("kind", ["oauth", "connect"])
def test_a_netrc_is_never_used(request, harness, jira, passing_on, secrets, clean, kind):
    (harness.folder / ".netrc").write_text(NETRC)
    (harness.folder / ".netrc").chmod(0o600)
    secrets.append("netrc-password-1")
    between = passing_on()
    harness.environ |= request.getfixturevalue(kind) | {"NETRC": str(harness.folder / ".netrc")}
    done = clean(harness(log_level="debug", instance=between.url, api_url=between.url, connect_hostname=between.url))
    assert done.code == 0, done.text
    assert not [one for one in between.received if one.headers.get("Authorization", "").startswith("Basic")]


def test_nothing_is_written_to_the_home_directory(harness_oauth):
    assert harness_oauth().code == 0
    assert list(harness_oauth.folder.iterdir()) == []


# Python asks this before it opens a connection, looks up a name or starts another program, whatever code wants it to.
WATCH = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg", "subprocess.Popen"):
        with open("seen.txt", "a") as file:
            file.write(event + chr(10))

sys.addaudithook(watch)
"""


def test_a_dry_run_opens_no_connection(harness_oauth, jira, tmp_path):
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    harness_oauth.environ["PYTHONPATH"] = str(tmp_path / "watch")
    seen = harness_oauth.folder / "seen.txt"
    done = harness_oauth("--dry-run", environment_name="prod")
    assert done.code == 0, done.text
    assert not seen.exists()
    assert jira.requests() == []
    # The same step without the option is seen.
    assert harness_oauth(environment_name="prod").code == 0
    assert "socket.connect" in seen.read_text()
