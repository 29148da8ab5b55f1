"""Connections that are opened before the libraries are loaded, where the environment alone says where a report goes.

Loading takes as long as two round trips, so this module needs next to nothing. What it opens is a guess at what the
settings will say once they are checked: `DeliveryPlan.open` takes those connections that are wanted, and closes the
others. Where more than the environment counts, or anything is wrong, nothing is opened, and whoever checks the settings
tells of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module

from jira_ci_core.config.environ import CA_BUNDLES, HTTP_PROXIES, HTTPS_PROXIES, PREFIXES, UNRESOLVED, words
from jira_ci_core.config.environ import is_set as counts
from jira_ci_core.net.early import EarlyConnections
from jira_ci_core.urls import https_url, origin, site_url
from jira_ci_core.watchdog import PLUGIN_TIMEOUT, Watchdog, tell_of_hang

STEP = ["report"]
"""The arguments of nearly every call."""

HOSTS = "jira_ci_hosts"
"""The package that others add modules to: each has the name of a plugin that signs in, and a function `hosts`.

No entry points, since Python takes as long to look for them as for all else that comes before the first connection.
"""

# Where one of them is set, more than the environment says where a report goes.
MORE = "config", "sites", "delivery", "https_proxy", "http_proxy"


def preconnect(arguments: Sequence[str], environ: Mapping[str, str]) -> EarlyConnections | None:
    """Begin to open the connections that `jira-ci report` will need, or answer None."""

    def setting(name: str) -> str:
        spellings = (f"{prefix}{name.upper()}{suffix}" for prefix in PREFIXES for suffix in ("", "_FILE"))
        return _first(environ, spellings)

    if list(arguments) != STEP or any(map(setting, MORE)) or _first(environ, HTTPS_PROXIES + HTTP_PROXIES):
        return None
    try:
        origins = _origins(setting)
        early = EarlyConnections(setting("ca_bundle") or _first(environ, CA_BUNDLES) or None)
        early.open(origins)
    except KeyboardInterrupt:
        raise
    except BaseException:  # what a plugin's function raises as well
        return None
    return early


def _origins(setting: Callable[[str], str]) -> list[str]:
    """Those that the one usable kind of credentials leads to. Raises whatever it likes where something is wrong."""
    instance = setting("instance")
    site = site_url(instance) if instance else ""
    only, off, kind = (
        [word.replace("-", "_") for word in words(setting(name).lower()) if word]
        for name in ("plugins", "disable_plugins", "auth")
    )
    # By hand, since `pkgutil` and `pathlib` would load more than all of this needs.
    files = [file for folder in import_module(HOSTS).__path__ for file in os.listdir(folder)]  # noqa: PTH208
    installed = [file.removesuffix(".py") for file in files if file.endswith(".py")]
    wanted = [name for name in installed if name not in off and name in (only or [name]) and name in (kind or [name])]

    def is_set(name: str) -> bool:
        return bool(setting(name))

    def address(name: str) -> str:
        """The origin of what is set, and no more: a credential, alone or in an address, is nobody's business here."""
        text = setting(name)
        if text and "://" not in text:
            raise ValueError(f"{name} is no whole address")
        return _origin(text) if text else ""

    watchdog = Watchdog(float(setting("plugin_timeout") or PLUGIN_TIMEOUT), tell_of_hang)
    answers = []
    for name in wanted:
        module = f"{HOSTS}.{name}"
        with watchdog.watching(f"plugin {name} in {module}"):
            answers.append(tuple(filter(None, import_module(module).hosts(is_set, address, site))))
    given = [answer for answer in answers if answer]
    return [_origin(host) for host in given[0]] if len(given) == 1 else []


def _origin(address: str) -> str:
    return origin(https_url(address)) or ""


def _first(environ: Mapping[str, str], variables: Iterable[str]) -> str:
    """The first of them that is set, or an empty text."""
    values = (environ.get(variable, "") for variable in variables)
    return next((value for value in values if counts(value) and not UNRESOLVED.search(value)), "")
