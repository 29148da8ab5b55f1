"""TLS and the way out: which authorities are trusted, which versions are spoken, which proxy is gone through."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading

import pytest
import trustme

from jira_ci_sandbox.client import Sandbox

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def running_tls():
    with Sandbox.start("MYT", tls=True) as sandbox:
        yield sandbox


@pytest.fixture
def tls(running_tls, secrets, harness):
    """A local Jira that serves https, and a step that is pointed at it and does not know its authority."""
    running_tls.reset()
    secrets += [running_tls.client_secret, running_tls.connect_key]
    harness.environ |= {
        "PLUGIN_INSTANCE": running_tls.url,
        "PLUGIN_API_URL": running_tls.url,
        "PLUGIN_CLIENT_ID": running_tls.client_id,
        "PLUGIN_CLIENT_SECRET": running_tls.client_secret,
    }
    return running_tls


@pytest.fixture
def tunnel():
    """Starts a proxy that opens tunnels, and keeps which hosts it was asked for."""
    servers = []

    def start():
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                method, target, _ = self.rfile.readline().decode().split()
                while self.rfile.readline().strip():
                    pass
                self.server.asked.append((method, target))
                host, _, port = target.rpartition(":")
                with socket.create_connection((host, int(port))) as other:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    threading.Thread(target=pass_on, args=(self.connection, other), daemon=True).start()
                    pass_on(other, self.connection)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.asked = True, []
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class TestTheSystemsAuthorities:
    """`CA_BUNDLE=system` trusts whom the system trusts, as its TLS library finds them."""

    @pytest.mark.parametrize("spelling", ["system", "System"])
    def test_they_are_trusted(self, harness, tls, clean, monkeypatch, spelling):
        monkeypatch.setenv("SSL_CERT_FILE", tls.ca_file)  # where OpenSSL is told that they are
        done = clean(harness(ca_bundle=spelling))
        assert done.code == 0, done.text
        assert len(tls.builds()) == 1

    def test_no_other_is(self, harness, tls, failed, monkeypatch, tmp_path):
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
        assert "could not be reached safely" in failed(harness(ca_bundle="system"), 1).what
        assert tls.requests() == []

    def test_where_there_is_none_it_is_said(self, harness, tls, failed, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", "/missing")
        monkeypatch.setenv("SSL_CERT_DIR", "/missing")
        failure = failed(harness(ca_bundle="system"), 2)
        assert failure.what == "CA_BUNDLE cannot be 'system'"
        assert tls.requests() == []


class TestVerificationIsNeverOff:
    """No setting and no variable switches the check of certificates off."""

    @pytest.mark.parametrize(
        "environ",
        [
            {"PYTHONHTTPSVERIFY": "0"},
            {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""},
            {"NODE_TLS_REJECT_UNAUTHORIZED": "0", "GIT_SSL_NO_VERIFY": "1", "CURL_INSECURE": "1"},
        ],
    )
    def test_by_no_variable(self, harness, tls, failed, environ):
        assert "could not be reached safely" in failed(harness(environ=environ), 1).what
        assert tls.requests() == []

    @pytest.mark.parametrize("value", ["false", "False", "0", "no", "none", "/dev/null"])
    def test_by_no_value_of_ca_bundle(self, harness, tls, failed, value):
        failure = failed(harness(ca_bundle=value), 2)
        assert "CA_BUNDLE" in failure.what + failure.do
        assert tls.requests() == []

    def test_a_certificate_is_not_trusted_after_some_tries(self, harness, tls, failed):
        done = harness()
        failed(done, 1)
        assert "trying again" not in done.err


@pytest.fixture
def speaking():
    """Starts a server that speaks one version of TLS, and answers nothing after the handshake."""
    sockets = []

    def start(authority, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else the server would not offer the old ones itself
        context.minimum_version = context.maximum_version = version
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)
        spoken = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    with caller, contextlib.suppress(OSError), context.wrap_socket(caller, server_side=True) as safe:
                        spoken.append(safe.version())

        threading.Thread(target=serve, daemon=True).start()
        return f"https://127.0.0.1:{server.getsockname()[1]}", spoken

    yield start
    for server in sockets:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
class TestVersions:
    """TLS 1.2 is the oldest that is spoken."""

    @pytest.fixture
    def step_at(self, harness, oauth, tmp_path, speaking):
        def make(version):
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
            url, spoken = speaking(authority, version)
            oauth_there = oauth | {"PLUGIN_API_URL": url, "PLUGIN_INSTANCE": url}
            return harness(ca_bundle=tmp_path / "ca.pem", deadline="0.5", environ=oauth_there), url, spoken

        return make

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
    def test_an_older_one_is_refused(self, step_at, failed, version):
        done, url, spoken = step_at(version)
        assert failed(done, 1).what == f"{url} could not be reached safely"
        assert spoken == []

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_newer_one_is_spoken(self, step_at, version):
        done, _, spoken = step_at(version)
        assert done.code == 1
        assert set(spoken) == {{"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]}


class TestTunnels:
    """https goes through a proxy in a tunnel, checked from end to end."""

    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "PLUGIN_HTTPS_PROXY", "HARNESS_HTTPS_PROXY"])
    def test_a_report_goes_through_it(self, harness, tls, tunnel, clean, variable):
        proxy = tunnel()
        done = clean(harness(ca_bundle=tls.ca_file, environ={variable: proxy.url}))
        assert done.code == 0, done.text
        assert set(proxy.asked) == {("CONNECT", tls.url.removeprefix("https://"))}
        assert len(tls.builds()) == 1

    def test_the_certificate_is_checked_through_it(self, harness, tls, tunnel, failed):
        proxy = tunnel()
        assert "could not be reached safely" in failed(harness(https_proxy=proxy.url), 1).what
        assert proxy.asked
        assert tls.requests() == []

    @pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy", "PLUGIN_NO_PROXY", "HARNESS_NO_PROXY"])
    def test_no_proxy_goes_around_it(self, harness, tls, tunnel, variable):
        proxy = tunnel()
        done = harness(ca_bundle=tls.ca_file, environ={"HTTPS_PROXY": proxy.url, variable: "localhost,127.0.0.1"})
        assert done.code == 0, done.text
        assert proxy.asked == []

    @pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable"])
    def test_a_tunnel_that_fails_for_the_moment_is_tried_again(self, harness, tls, failed, status):
        with socket.create_server(("127.0.0.1", 0)) as server:
            asked = []

            def refuse():
                with contextlib.suppress(OSError):
                    while True:
                        caller, _ = server.accept()
                        with caller:
                            asked.append(caller.recv(65536))
                            caller.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())

            threading.Thread(target=refuse, daemon=True).start()
            proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
            done = harness(ca_bundle=tls.ca_file, https_proxy=proxy, deadline="0.9")
            failure = failed(done, 1)
            assert "trying again" in done.err
            assert len(asked) >= 2
            assert "could not be reached through the proxy" in failure.what
            server.shutdown(socket.SHUT_RDWR)

    def test_one_that_trickles_is_cut_at_the_deadline(self, harness, tls, failed):
        stop = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as server:

            def trickle():
                caller, _ = server.accept()
                with caller, contextlib.suppress(OSError):
                    caller.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while not stop.wait(0.02):
                        caller.sendall(b"x")

            thread = threading.Thread(target=trickle)
            thread.start()
            proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
            done = harness(ca_bundle=tls.ca_file, https_proxy=proxy, deadline="0.5")
            stop.set()
            thread.join()
        assert "did not answer in time" in failed(done, 1).what
