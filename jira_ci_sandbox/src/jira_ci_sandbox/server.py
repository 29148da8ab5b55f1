"""The server process: it binds a socket, announces that it listens, and shuts down cleanly."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import trustme
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from jira_ci_sandbox.asgi import SandboxApp
from jira_ci_sandbox.credentials import mint_credential
from jira_ci_sandbox.errors import SandboxError
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store

WILDCARDS = ("0.0.0.0", "::", "")
POLL_INTERVAL = 0.1  # seconds


@dataclass(frozen=True)
class ServerInfo:
    """The details that a server announces once it listens. `ca_file` and `credentials` are None if there are none."""

    url: str
    pid: int
    cloud_id: str
    ca_file: str | None
    credentials: Mapping[str, str] | None = field(repr=False)

    def as_json(self) -> str:
        return json.dumps(vars(self))


class Server(uvicorn.Server):
    """uvicorn's server, with a callback once it listens.

    Unlike uvicorn's, it does not raise a signal again after stopping, which would end the process before its clean-up.
    """

    def __init__(self, app: SandboxApp, on_listening: Callable[[], None], tls: _Certificates | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
                ssl_certfile=tls.certificate if tls is not None else None,
                ssl_keyfile=tls.key if tls is not None else None,
            )
        )
        self._app = app
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop without waiting for responses that a fault delays."""
        self._app.stopping.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM. Only the main thread may handle signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


class _Protocol(H11Protocol):
    """HTTP that passes the transport on to the application, which ASGI does not offer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        """Close an idle connection at once, without waiting for the client to end its TLS session."""
        super().shutdown()
        if self.transport.is_closing():
            self.transport.abort()


def serve(
    *,
    on_ready: Callable[[ServerInfo], None],
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | None = None,
    projects: tuple[str, ...] | None = None,
    with_credentials: bool = False,
    tls: bool = False,
    until_closed: IO[bytes] | None = None,
    parent: int | None = None,
) -> None:
    """Serve until a signal, the end of the stream `until_closed`, or the end of the process `parent`.

    `on_ready` is called once the server listens. Without `projects`, those of the data file exist, else DEMO. Raises
    SandboxError if it cannot listen or open the data file.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_bind(host, port))
        store = Store(data)
        stack.callback(store.close)
        settings = Settings().with_changes(store.setting("settings") or {})
        if projects is not None:
            settings = settings.with_changes({"projects": list(projects)})
        app = SandboxApp(store, settings, () if host in WILDCARDS else (host,))
        certificates = None
        if tls:
            folder = stack.enter_context(TemporaryDirectory(prefix="jira-ci-sandbox-"))
            certificates = _create_certificates(Path(folder), host)
        shown_host = "127.0.0.1" if host in WILDCARDS else f"[{host}]" if ":" in host else host
        info = ServerInfo(
            url=f"{'https' if tls else 'http'}://{shown_host}:{listener.getsockname()[1]}",
            pid=os.getpid(),
            cloud_id=app.cloud_id,
            ca_file=str(certificates.authority) if certificates is not None else None,
            credentials=_mint_credentials(store) if with_credentials else None,
        )

        def listening() -> None:
            on_ready(info)
            if until_closed is not None:
                _stop_when(until_closed.read, stop)
            if parent is not None:
                _stop_when(lambda: _wait_for_exit(parent), stop)

        def stop() -> None:
            server.should_exit = True

        server = Server(app, listening, certificates)
        server.run([listener])


@dataclass(frozen=True)
class _Certificates:
    """The files of a temporary certificate authority and of the server's certificate."""

    authority: Path
    certificate: Path
    key: Path


def _create_certificates(folder: Path, host: str) -> _Certificates:
    files = _Certificates(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
    names = dict.fromkeys(["127.0.0.1", "localhost", "::1", *([] if host in WILDCARDS else [host])])
    authority = trustme.CA()
    leaf = authority.issue_cert(*names)
    authority.cert_pem.write_to_path(str(files.authority))
    leaf.private_key_pem.write_to_path(str(files.key))
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(files.certificate), append=True)
    return files


def _mint_credentials(store: Store) -> dict[str, str]:
    """Create one credential of each kind. The numbers distinguish their names from those of earlier starts."""
    number = len(store.credentials()) + 1
    oauth = mint_credential(store, "oauth", f"oauth-{number}", initial=True)
    connect = mint_credential(store, "connect", f"connect-{number + 1}", initial=True)
    return {
        "client_id": oauth["client_id"],
        "client_secret": oauth["client_secret"],
        "connect_key": connect["connect_key"],
    }


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
        # Connections inherit this. Without it the second packet of a response waits 40 ms for the first one's ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        raise SandboxError(
            f"The sandbox cannot listen on {host}, port {port}.",
            "Another program listens there already." if is_taken else f"The system says: {error}.",
            "Choose another port with --port (0 takes a free one), or another address with --host.",
        ) from error


def _stop_when(until: Callable[[], object], then: Callable[[], None]) -> None:
    def watch() -> None:
        until()
        then()

    threading.Thread(target=watch, daemon=True).start()


def _wait_for_exit(process: int) -> None:
    """Wait until a process has ended, even if its parent has not reaped it yet."""
    if not hasattr(os, "pidfd_open"):
        _poll_for_exit(process)
        return
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def _poll_for_exit(process: int) -> None:
    """Wait until a process is gone, if there is no `pidfd_open`. An ended process counts until it is reaped."""
    with suppress(ProcessLookupError):
        while True:
            with suppress(PermissionError):  # alive, and another user's
                os.kill(process, 0)
            time.sleep(POLL_INTERVAL)
