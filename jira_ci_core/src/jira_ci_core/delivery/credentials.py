"""Which credentials are used, where several kinds are given, or none, or half of one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from jira_ci_core.config.settings import Settings
from jira_ci_core.config.sources import SHIPPED_CREDENTIALS
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import SignIn
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

BOTH_KINDS = "CONNECT_KEY, or CLIENT_ID and CLIENT_SECRET"


def choose_sign_in(
    plugins: Plugins, offers: Sequence[SignIn], credentials: frozenset[str], settings: Settings
) -> SignIn:
    """The one sign-in to use.

    `credentials` are the names of those given for the kinds that ship, their packages installed or not. Raises
    SettingsError where none is complete, or where core cannot know which of several is meant.
    """
    complete = [offer for offer in offers if not offer.missing]
    if settings.auth:
        complete = [offer for offer in complete if offer.kind == settings.auth.strip().lower()]
        if not complete:
            raise _not_usable(settings.auth.strip().lower(), plugins, offers, credentials)
        return complete[0]
    if not complete:
        raise _none_complete(plugins, offers, credentials)
    chosen = complete[0]
    if len(complete) > 1:
        kinds = [offer.kind for offer in complete]
        if not set(kinds) <= SHIPPED_CREDENTIALS.keys():
            raise SettingsError(
                Problem(
                    f"credentials of several kinds are set: {', '.join(kinds)}",
                    "which of them is meant cannot be known",
                    f"set AUTH to one of them ({', '.join(kinds)})",
                )
            )
        chosen = next(offer for offer in complete if offer.kind == "oauth")
        others = [kind for kind in kinds if kind != chosen.kind]
        log.warning(
            "credentials of several kinds are set; %s is used and %s is ignored (AUTH=%s turns that round)",
            chosen.kind,
            ", ".join(others),
            others[0],
        )
    for offer in offers:
        if offer.missing:
            log.warning("%s is ignored: %s is not set", offer.kind, ", ".join(offer.missing))
    for kind in _without_package(plugins, credentials):
        log.warning("%s is ignored: %s", kind, _why_no_package(kind, plugins))
    return chosen


def _not_usable(kind: str, plugins: Plugins, offers: Sequence[SignIn], credentials: frozenset[str]) -> SettingsError:
    for offer in offers:
        if offer.kind == kind:
            return _half_given(offer)
    if kind in SHIPPED_CREDENTIALS and not plugins.is_on(kind):
        return _no_package(kind, plugins)
    if kind in SHIPPED_CREDENTIALS:
        names = " and ".join(name.upper() for name in SHIPPED_CREDENTIALS[kind])
        return SettingsError(Problem(f"AUTH is {kind}, but {names} is not set", "that kind needs them", f"set {names}"))
    kinds = sorted({*SHIPPED_CREDENTIALS, *(offer.kind for offer in offers)})
    return SettingsError(
        Problem(
            f"AUTH cannot be {kind!r}",
            "no plugin offers that kind, or its settings are not there",
            f"use one of: {', '.join(kinds)}; `jira-ci plugins` shows what is installed",
        )
    )


def _none_complete(plugins: Plugins, offers: Sequence[SignIn], credentials: frozenset[str]) -> SettingsError:
    for kind in _without_package(plugins, credentials):
        if credentials.issuperset(SHIPPED_CREDENTIALS[kind]) or not offers:
            return _no_package(kind, plugins)
    if offers:
        return _half_given(offers[0])
    install = (
        ""
        if any(plugins.is_on(kind) for kind in SHIPPED_CREDENTIALS)
        else (" (and install a package for it: pip install 'jira-ci-core[oauth]' or 'jira-ci-core[connect]')")
    )
    return SettingsError(
        Problem(
            "there are no credentials",
            f"Jira takes reports only from those who sign in, with {BOTH_KINDS}",
            f"set {BOTH_KINDS}{install}",
        )
    )


def _half_given(offer: SignIn) -> SettingsError:
    missing = " and ".join(offer.missing)
    return SettingsError(
        Problem(f"{missing} is not set", f"{offer.kind} sign-in needs it beside what is set", f"set {missing} as well")
    )


def _without_package(plugins: Plugins, credentials: frozenset[str]) -> list[str]:
    return [
        kind
        for kind, names in SHIPPED_CREDENTIALS.items()
        if credentials.intersection(names) and not plugins.is_on(kind)
    ]


def _no_package(kind: str, plugins: Plugins) -> SettingsError:
    names = " and ".join(name.upper() for name in SHIPPED_CREDENTIALS[kind])
    remedy = (
        f"leave {kind} out of DISABLE_PLUGINS, or add it to PLUGINS"
        if _is_installed(kind, plugins)
        else f"pip install 'jira-ci-core[{kind}]'"
    )
    return SettingsError(Problem(f"{names} cannot be used", _why_no_package(kind, plugins), remedy))


def _why_no_package(kind: str, plugins: Plugins) -> str:
    if _is_installed(kind, plugins):
        return f"the plugin {kind} is installed but off"
    return f"the package for {kind} sign-in is not installed"


def _is_installed(kind: str, plugins: Plugins) -> bool:
    return any(plugin.name == kind for plugin in plugins.installed)
