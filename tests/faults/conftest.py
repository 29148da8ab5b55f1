"""A server between a step and the local Jira that does wrong what it is told to, and a step that goes through it."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from jira_ci_core.cli.main import call
from jira_ci_core.net.preconnect import preconnect
from jira_ci_sandbox.client import Sandbox


@dataclass(frozen=True)
class Answer:
    """What Jira answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def raw(self) -> bytes:
        """As it goes over the wire."""
        headers = {**self.headers, "Content-Length": str(len(self.body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


class Front:
    """Listens on loopback, takes one request a connection and hands it to Jira; those at `wrong` go wrong.

    `act` is what happens to a connection then: it is given the connection and a function that asks Jira. The first
    connection is number 0. With `greet`, each connection is first made a safe one: it is given its number.
    """

    def __init__(self, jira: Sandbox) -> None:
        self._jira = jira
        self.wrong: Callable[[int], bool] = lambda number: False
        self.act: Callable[[socket.socket, Callable[[], Answer]], None] = lambda caller, ask: None
        self.greet: Callable[[socket.socket, bool], socket.socket] = lambda caller, wrong: caller
        self.before: Callable[[int], None] = lambda number: None
        self.seen = 0
        self.stopping = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._opening = threading.Lock()
        self._listener: threading.Thread | None = None
        self._callers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def open_again(self) -> None:
        """Listen again, where it was closed; of calls that wait side by side, the first does it."""
        with self._opening:
            if self._server.fileno() < 0:
                self._server = socket.create_server(("127.0.0.1", self.port))
                self.before = lambda number: None
                self.open()

    def open(self) -> None:
        """Listen from now on."""
        self._listener = threading.Thread(target=self._listen, args=(self._server,), daemon=True)
        self._listener.start()

    def close(self) -> None:
        """Listen no more: each connection is refused."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        if self._listener is not None:
            self._listener.join()  # until it has noticed, the port is not free

    def stop(self) -> None:
        """End everything."""
        self.stopping.set()
        self.close()
        for caller in self._callers:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(caller, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _listen(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = server.accept()
                thread = threading.Thread(target=self._serve, args=(caller, self.seen), daemon=True)
                self.seen += 1
                self._callers.append(caller)
                self._threads.append(thread)
                thread.start()

    def _serve(self, caller: socket.socket, number: int) -> None:
        wrong = self.wrong(number)
        away = contextlib.suppress(OSError, ValueError, http.client.HTTPException)  # also of those who say nothing
        with away, caller:
            caller.getpeername()  # raises for one that has gone already, of whom ssl would leave a socket open
            self._answer(self.greet(caller, wrong), number, wrong=wrong)

    def _answer(self, connection: socket.socket, number: int, *, wrong: bool) -> None:
        with connection:
            self._callers.append(connection)
            ask = self._read(connection)
            if wrong:
                self.act(connection, ask)
            else:
                answer = ask()
                self.before(number + 1)
                connection.sendall(answer.raw())
            connection.shutdown(socket.SHUT_RDWR)

    def _read(self, connection: socket.socket) -> Callable[[], Answer]:
        with connection.makefile("rb") as file:
            method, target, _ = file.readline().decode("latin-1").split()
            headers = http.client.parse_headers(file)
            length = int(headers.get("Content-Length", 0))
            body = file.read(length)
        if len(body) < length:
            raise ValueError("the caller has gone, and Jira would wait for the rest of what it had to say")

        def ask() -> Answer:
            jira = http.client.HTTPConnection("127.0.0.1", int(self._jira.url.rpartition(":")[2]), timeout=30)
            with contextlib.closing(jira):
                jira.request(method, target, body, {**dict(headers), "Connection": "close"})
                response = jira.getresponse()
                return Answer(
                    response.status, {"Content-Type": response.headers.get("Content-Type", "")}, response.read()
                )

        return ask


@pytest.fixture
def front(jira: Sandbox) -> Iterator[Front]:
    """A server in front of the local Jira."""
    made = Front(jira)
    made.open()
    yield made
    made.stop()


@dataclass(frozen=True)
class Ended:
    """How a step ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@pytest.fixture
def jira_ci(step: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs `jira-ci` in this process, as its `main` does: `jira_ci("report", "--dry-run", environ={…})`."""
    monkeypatch.chdir(step.folder)

    def run(*arguments: str, environ: Mapping[str, str]) -> Ended:
        capsys.readouterr()
        least = {"PATH": os.environ["PATH"], "HOME": str(step.folder), "GIT_CEILING_DIRECTORIES": str(step.folder)}
        with monkeypatch.context() as without:
            # What pytest keeps of the log may hold characters that cannot be handed from one process to another.
            without.setattr(logging.getLogger(), "handlers", [])
            code = call(arguments, {**least, **environ}, preconnect(arguments, {**least, **environ}))
        return Ended(int(code), *capsys.readouterr())

    return run


@pytest.fixture
def report(harness: Any, jira_ci: Callable[..., Ended]) -> Callable[..., Ended]:
    """Runs `jira-ci report` as a step of a Harness run; keywords are the step's own settings."""

    def run(*arguments: str, environ: Mapping[str, str] | None = None, **plugin: object) -> Ended:
        settings = {f"PLUGIN_{name.upper()}": str(value) for name, value in plugin.items()}
        return jira_ci("report", *arguments, environ={**harness.environ, **(environ or {}), **settings})

    return run


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate authority that the step is told to trust; `file` names its certificate."""
    import trustme

    made = trustme.CA()
    made.file = tmp_path_factory.mktemp("authority") / "ca.pem"  # type: ignore[attr-defined]
    made.cert_pem.write_to_path(str(made.file))  # type: ignore[attr-defined]
    return made


@pytest.fixture(scope="session")
def certificates(authority: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ssl.SSLContext]:
    """What a server may show: its own certificate, and those that no step may accept."""
    import trustme

    long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    leaves = {
        "good": authority.issue_cert("127.0.0.1"),
        "expired": authority.issue_cert("127.0.0.1", not_before=long_ago, not_after=long_ago + datetime.timedelta(1)),
        "another": authority.issue_cert("jira.example"),
        "unknown": trustme.CA().issue_cert("127.0.0.1"),
    }
    contexts = {name: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for name in (*leaves, "self-signed")}
    for name, leaf in leaves.items():
        leaf.configure_cert(contexts[name])
    file = tmp_path_factory.mktemp("self-signed") / "both.pem"
    file.write_bytes(self_signed())
    contexts["self-signed"].load_cert_chain(file)
    return contexts


def self_signed() -> bytes:
    """A certificate that vouches for itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
