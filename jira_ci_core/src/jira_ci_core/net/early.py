"""Connections that are opened in the background, while the rest of the program is still loading.

TCP and TLS, and nothing more: no request is sent here. Loading the libraries takes as long as several round trips, so
this module needs none of them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 5


class EarlyConnections:
    """Connections by host and port, each given away once. One that failed is told of to whoever needs it."""

    def __init__(self, bundle: str | None) -> None:
        """`bundle` is CA_BUNDLE. Raises SettingsError where it cannot be used."""
        self.bundle = bundle
        self._opening: dict[tuple[str, int], _Opening] = {}
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        if bundle is not None:
            self.context()

    def context(self) -> ssl.SSLContext:
        """What all connections are made safe with; made once, as reading a hundred certificates takes its time."""
        with self._lock:
            if self._context is None:
                # TCP needs none of it, and connects meanwhile, unless a bundle is to be checked first.
                from jira_ci_core.net.tls import tls_context

                self._context = tls_context(self.bundle)
            return self._context

    def open(self, origins: Iterable[str]) -> None:
        """Have a connection to each of these origins (`https://api.atlassian.com`), and to no others."""
        wanted = {_place(origin): origin for origin in origins}
        self._close(tuple(place for place in self._opening if place not in wanted))
        for place, origin in wanted.items():
            if place not in self._opening:
                context = self.context if urlsplit(origin).scheme == "https" else None
                self._opening[place] = _Opening(place, context)
                self._opening[place].start()

    def take(self, host: str, port: int) -> socket.socket | None:
        """The connection to a host, once it is open; None where there is none. Raises what opening it raised."""
        opening = self._opening.pop((host, port), None)
        if opening is None:
            return None
        opening.join()
        if opening.error is not None:
            raise opening.error
        return opening.connected

    def close(self) -> None:
        """Close those that nobody took, also those that are not open yet."""
        self._close(tuple(self._opening))

    def _close(self, places: Iterable[tuple[str, int]]) -> None:
        # Somebody in another thread may still take one.
        for place in places:
            opening = self._opening.pop(place, None)
            if opening is not None:
                opening.abandon()


def _place(origin: str) -> tuple[str, int]:
    parts = urlsplit(origin)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class _Opening(threading.Thread):
    """Opens one connection. Of the daemon kind, so that nobody waits for a host that is not asked in the end."""

    def __init__(self, place: tuple[str, int], context: Callable[[], ssl.SSLContext] | None) -> None:
        super().__init__(daemon=True)
        self.connected: socket.socket | None = None
        self.error: Exception | None = None
        self._place = place
        self._context = context
        self._is_wanted = True
        self._deciding = threading.Lock()

    def run(self) -> None:
        try:
            connected = self._connect()
        except Exception as error:
            self.error = error
            return
        with self._deciding:
            if self._is_wanted:
                self.connected = connected
            else:
                connected.close()

    def abandon(self) -> None:
        """Nobody wants it any more."""
        with self._deciding:
            self._is_wanted = False
            if self.connected is not None:
                self.connected.close()

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._place, CONNECT_SECONDS)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return plain
            return self._context().wrap_socket(plain, server_hostname=self._place[0].rstrip("."))
        except BaseException:
            plain.close()
            raise
