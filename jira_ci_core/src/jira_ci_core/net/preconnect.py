"""Connections that are opened in the background while the libraries are still loading.

Loading takes as long as several round trips, so this module imports next to nothing. It opens TCP and TLS and sends no
request. Which hosts a report will need is a guess from the environment alone: once the settings are checked, a session
takes the connections that it needs and closes the others. If the environment does not say enough, or anything is
wrong, nothing is opened here, and the check of the settings tells the user.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jira_ci_core.config.environ import CA_BUNDLES, HTTP_PROXIES, HTTPS_PROXIES, PREFIXES, is_set, is_unresolved, words
from jira_ci_core.import_path import trusted_path
from jira_ci_core.urls import https_url, origin, site_url
from jira_ci_core.watchdog import PLUGIN_TIMEOUT, Watchdog, report_hang

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 5

HOSTS_GROUP = "jira_ci_hosts"
"""The group of entry points that name, for a plugin that signs in, the function that says which hosts it will need."""

# If one of these is set, the environment alone does not say where a report goes.
_NOT_ENOUGH = "config", "sites", "delivery", "https_proxy", "http_proxy"


REPORT = ["report"]
"""The only call for which connections are opened early."""


def preconnect(arguments: Sequence[str], environ: Mapping[str, str]) -> Preconnections | None:
    """Begin to open the connections that `jira-ci report` will need; None if that is not known."""

    def setting(name: str) -> str:
        return _first(environ, (f"{prefix}{name.upper()}{end}" for prefix in PREFIXES for end in ("", "_FILE")))

    if list(arguments) != REPORT or any(map(setting, _NOT_ENOUGH)) or _first(environ, HTTPS_PROXIES + HTTP_PROXIES):
        return None
    try:
        origins = _origins(setting)
        connections = Preconnections(setting("ca_bundle") or _first(environ, CA_BUNDLES) or None)
        connections.open(origins)
    except KeyboardInterrupt:
        raise
    except BaseException:  # also what a plugin's function raises
        return None
    return connections


class Preconnections:
    """Connections by host and port, each handed out once; an error of one is raised when it is asked for."""

    def __init__(self, ca_bundle: str | None) -> None:
        """`ca_bundle` is CA_BUNDLE. Raises SettingsError if it cannot be used."""
        self.ca_bundle = ca_bundle
        self._opening: dict[tuple[str, int], _Opening] = {}
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        if ca_bundle is not None:
            self.context()

    def context(self) -> ssl.SSLContext:
        """The TLS context of all connections; made once, as reading a hundred certificates takes long."""
        with self._lock:
            if self._context is None:
                # `ssl` loads while TCP connects, unless a bundle has to be checked first.
                from jira_ci_core.net.tls import tls_context

                self._context = tls_context(self.ca_bundle)
            return self._context

    def open(self, origins: Iterable[str]) -> None:
        """Open a connection to each of these origins (`https://api.atlassian.com`), and close those to all others."""
        wanted = {_place(address): address for address in origins}
        self._close([place for place in self._opening if place not in wanted])
        for place, address in wanted.items():
            if place not in self._opening:
                context = self.context if urlsplit(address).scheme == "https" else None
                self._opening[place] = _Opening(place, context)
                self._opening[place].start()

    def take(self, host: str, port: int, timeout: float | None = None) -> socket.socket | None:
        """The connection to a host, once it is open; None if there is none. Raises what opening it raised.

        Raises TimeoutError if it is not open after so many seconds.
        """
        opening = self._opening.pop((host, port), None)
        if opening is None:
            return None
        opening.join(timeout)
        if opening.is_alive():
            opening.abandon()
            raise TimeoutError("timed out")
        if opening.error is not None:
            raise opening.error
        return opening.connection

    def close(self) -> None:
        """Close the connections that were not taken, also those that are not open yet."""
        self._close(list(self._opening))

    def _close(self, places: Iterable[tuple[str, int]]) -> None:
        for place in places:
            opening = self._opening.pop(place, None)  # another thread may have taken it
            if opening is not None:
                opening.abandon()


class _Opening(threading.Thread):
    """Opens one connection. A daemon, so that the process does not wait for a host that it does not need."""

    def __init__(self, place: tuple[str, int], context: Callable[[], ssl.SSLContext] | None) -> None:
        super().__init__(daemon=True)
        self.connection: socket.socket | None = None
        self.error: Exception | None = None
        self._place = place
        self._context = context
        self._is_abandoned = False
        self._lock = threading.Lock()

    def run(self) -> None:
        try:
            connection = self._connect()
        except Exception as error:
            self.error = error
            return
        with self._lock:
            if self._is_abandoned:
                connection.close()
            else:
                self.connection = connection

    def abandon(self) -> None:
        """Close the connection, now or as soon as it is open."""
        with self._lock:
            self._is_abandoned = True
            if self.connection is not None:
                self.connection.close()

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


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _origins(setting: Callable[[str], str]) -> list[str]:
    """The origins that the one usable kind of credentials leads to. Raises any error if something is wrong."""
    instance = setting("instance")
    site = site_url(instance) if instance else ""
    chosen, disabled, kind = (
        [word for word in words(setting(name).lower()) if word] for name in ("plugins", "disable_plugins", "auth")
    )

    def has(name: str) -> bool:
        return bool(setting(name))

    def address(name: str) -> str:
        """The origin of an address that is set, and no more: a function for hosts gets no credential in any form."""
        text = setting(name)
        if text and "://" not in text:
            raise ValueError(f"{name} is not a whole address")
        return _safe_origin(text) if text else ""

    watchdog = Watchdog(float(setting("plugin_timeout") or PLUGIN_TIMEOUT), report_hang)
    answers = []
    for name, target in _entry_points():
        if name not in disabled and name in (chosen or [name]) and name in (kind or [name]):
            with watchdog.watching(f"plugin {name} in {target}"):
                module, _, function = target.partition(":")
                answers.append(tuple(filter(None, getattr(import_module(module), function)(has, address, site))))
    given = [answer for answer in answers if answer]
    return [_safe_origin(host) for host in given[0]] if len(given) == 1 else []


def _entry_points() -> Iterator[tuple[str, str]]:
    """The entry points in `HOSTS_GROUP`, name and target, as installed packages write them down.

    `importlib.metadata` finds the same, but importing it takes longer than everything else before the first connection.
    """
    for folder in dict.fromkeys(trusted_path()):
        try:
            names = os.listdir(folder)  # noqa: PTH208 (pathlib is not loaded yet)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                yield from _read_entry_points(f"{folder}/{name}/entry_points.txt")


def _read_entry_points(path: str) -> Iterator[tuple[str, str]]:
    """https://packaging.python.org/en/latest/specifications/entry-points/#file-format"""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            _, found, section = file.read().partition(f"[{HOSTS_GROUP}]")
    except OSError:
        return
    for line in section.partition("\n[")[0].splitlines() if found else ():
        name, equals, target = line.partition("=")
        if equals:
            yield name.strip(), target.strip()


def _safe_origin(address: str) -> str:
    """The origin of an address that credentials may be sent to. Raises InvalidValueError for any other."""
    return origin(https_url(address)) or ""


def _first(environ: Mapping[str, str], variables: Iterable[str]) -> str:
    """The first of these variables that is set, or an empty text."""
    values = (environ.get(variable, "") for variable in variables)
    return next((value for value in values if is_set(value) and not is_unresolved(value)), "")
