"""What `requests` sends through: connections that were opened early, and none that outlasts the step."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from jira_ci_core.clock import Deadline
from jira_ci_core.net.early import EarlyConnections


class Connections(HTTPAdapter):
    """The connections of one session: every one of them is cut when the deadline is over.

    A time-out alone is not enough: it begins anew with each byte, so that a server that trickles holds a step for ever.
    """

    def __init__(self, deadline: Deadline, early: EarlyConnections) -> None:
        self._deadline = deadline
        self._early = early
        self._open: set[HTTPConnection] = set()
        self._timer: threading.Timer | None = None
        self._pools = self._pool_classes()
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
        """Make the pools of all hosts that are reached directly."""
        super().init_poolmanager(*arguments, **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *arguments: Any, **keywords: Any) -> PoolManager:
        """Make the pools of all hosts that are reached by a proxy."""
        context = self._early.context()
        manager: PoolManager = super().proxy_manager_for(*arguments, proxy_ssl_context=context, **keywords)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: object, cert: object = None
    ) -> Any:
        """What tells one pool from another: the host alone, since all are safe in the same way."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self._early.context()} if host["scheme"] == "https" else {}

    def cert_verify(self, *arguments: object) -> None:
        """Leave a pool as it is: what it trusts is in its TLS context."""

    def close(self) -> None:
        """Close all connections, those that another thread uses as well, and stop waiting for the deadline."""
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
        early, watch = self._early, self._watch

        class Plain(HTTPConnection):
            def connect(self) -> None:
                # Watched from the start, since a proxy may trickle before TLS begins; and once more when there is
                # something to cut, since by now the deadline may be over.
                watch(self)
                opened = _taken(early, self)
                if opened is None:
                    super().connect()
                else:
                    self.sock, self.is_verified = opened, isinstance(opened, ssl.SSLSocket)
                watch(self)

        class Safe(Plain, HTTPSConnection):
            pass

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SafePool(HTTPSConnectionPool):
            ConnectionCls = Safe

        return {"http": PlainPool, "https": SafePool}

    def _watch(self, connection: HTTPConnection) -> None:
        self._open.add(connection)
        if self._timer is None:
            self._start_timer()
        elif self._deadline.remaining() <= 0:
            self._cut()  # whoever signed a request may have taken all the time

    def _start_timer(self) -> None:
        self._timer = threading.Timer(self._deadline.remaining(), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        for connection in tuple(self._open):
            if connection.sock is not None:
                # The plain socket's own: that of TLS would wait for the other side. Whoever reads sees the end.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _taken(early: EarlyConnections, connection: HTTPConnection) -> socket.socket | None:
    """The early connection to where this one leads; what it failed with is what this one fails with."""
    try:
        opened = early.take(connection.host, connection.port)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, str(error)) from error
    if opened is not None:
        opened.settimeout(connection.timeout)
    return opened
