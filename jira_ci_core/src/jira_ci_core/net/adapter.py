"""The transport adapter of `requests`: it takes over preconnected sockets, and no connection outlasts the deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from http.client import HTTPResponse
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from jira_ci_core.net.deadline import Deadline
from jira_ci_core.net.preconnect import Preconnections


class DeadlineAdapter(HTTPAdapter):
    """Cuts every connection of one session when the deadline is over.

    A time-out alone is not enough: it starts again with each byte, so that a slow server could hold a step for ever.
    """

    def __init__(self, deadline: Deadline, preconnections: Preconnections) -> None:
        self._deadline = deadline
        self._preconnections = preconnections
        self._open: set[HTTPConnection] = set()
        self._timer: threading.Timer | None = None
        self._pools = self._pool_classes()
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
        """Make the pools of hosts that are reached directly."""
        super().init_poolmanager(*arguments, **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> PoolManager:
        """Make the pools of hosts that are reached through a proxy."""
        if not proxy.lower().startswith(("http://", "https://")):
            raise InvalidProxyURL("its address does not begin with http:// or https://")
        context = self._preconnections.context()
        manager: PoolManager = super().proxy_manager_for(proxy, proxy_ssl_context=context, **keywords)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Sign in to a proxy with the bytes that its address percent-encodes, as curl does.

        `requests` takes them for UTF-8 and sends Latin-1. https://everything.curl.dev/cmdline/urls/auth.html
        """
        user, _, password = urlsplit(proxy).netloc.rpartition("@")[0].partition(":")
        credentials = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        return {"Proxy-Authorization": f"Basic {b64encode(credentials).decode()}"} if user or password else {}

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: object, cert: object = None
    ) -> Any:
        """Pools are keyed by host alone, since all of them share one TLS context."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self._preconnections.context()} if host["scheme"] == "https" else {}

    def cert_verify(self, *arguments: object) -> None:
        """Leave a pool as it is: its TLS context says what it trusts."""

    def close(self) -> None:
        """Close all connections, those in use by another thread as well, and stop waiting for the deadline."""
        if self._timer is not None:
            self._timer.cancel()
        self._cut()
        self._open.clear()
        super().close()

    def restart(self) -> None:
        """Wait for the deadline from its new beginning."""
        if self._timer is not None:
            self._timer.cancel()
            self._start_timer()

    def _pool_classes(self) -> dict[str, type[HTTPConnectionPool]]:
        preconnections, watch = self._preconnections, self._watch

        class Plain(HTTPConnection):
            response_class = _WithoutCookies
            opened: socket.socket | None = None
            """The socket, also where http.client has let go of it since the server will close it after its answer."""

            def connect(self) -> None:
                # Watched from the start, since a proxy may be slow before TLS begins; and once more when there is a
                # socket to cut, since the deadline may have passed meanwhile.
                watch(self)
                taken = _take(preconnections, self)
                if taken is None:
                    super().connect()
                else:
                    self.sock, self.is_verified = taken, isinstance(taken, ssl.SSLSocket)
                self.opened = self.sock
                watch(self)

        class Tls(Plain, HTTPSConnection):
            pass

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        return {"http": PlainPool, "https": TlsPool}

    def _watch(self, connection: HTTPConnection) -> None:
        self._open.add(connection)
        if self._timer is None:
            self._start_timer()
        elif self._deadline.remaining() <= 0:
            self._cut()  # signing the request may have taken all the time

    def _start_timer(self) -> None:
        self._timer = threading.Timer(self._deadline.remaining(), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        for connection in tuple(self._open):
            for opened in filter(None, (connection.sock, getattr(connection, "opened", None))):
                # The plain socket's method: that of TLS would wait for the other side. A blocked read sees the end.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(opened, socket.SHUT_RDWR)


class _WithoutCookies(HTTPResponse):
    """No cookie is needed, and reading a hundred headers full of them, as the server likes, takes seconds."""

    def begin(self) -> None:
        super().begin()
        for name in ("Set-Cookie", "Set-Cookie2"):
            del self.headers[name]


def _take(preconnections: Preconnections, connection: HTTPConnection) -> socket.socket | None:
    """The socket that is open already for a connection. Raises the error that opening it raised."""
    try:
        taken = preconnections.take(connection.host, connection.port, connection.timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, str(error)) from error
    if taken is not None:
        taken.settimeout(connection.timeout)
    return taken
