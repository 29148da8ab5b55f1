"""Which credentials are used, where several kinds are given, or none, or half of one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import SettingsError
from jira_ci_core.net.connection import SignIn
from jira_ci_core.plugins.catalog import CREDENTIALS, PREFERRED_KIND, install_command
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
        kind = settings.auth.strip().lower()
        chosen = next((offer for offer in complete if offer.kind == kind), None)
        if chosen is None:
            raise SettingsError(_not_usable(kind, plugins, offers, credentials))
        return chosen
    if not complete:
        raise SettingsError(_none_complete(plugins, offers, credentials))
    chosen = complete[0]
    if len(complete) > 1:
        kinds = [offer.kind for offer in complete]
        if not set(kinds) <= CREDENTIALS.keys():
            raise SettingsError(
                Problem(
                    f"credentials of several kinds are set: {', '.join(kinds)}",
                    "which of them is meant cannot be known",
                    f"set AUTH to one of them ({', '.join(kinds)})",
                )
            )
        chosen = next(offer for offer in complete if offer.kind == PREFERRED_KIND)
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
    for kind in _kinds_without_package(plugins, credentials):
        log.warning("%s is ignored: %s", kind, _why_no_package(kind, plugins))
    return chosen


def _not_usable(kind: str, plugins: Plugins, offers: Sequence[SignIn], credentials: frozenset[str]) -> Problem:
    """What is wrong with the kind that AUTH names."""
    for offer in offers:
        if offer.kind == kind:
            return _half_given(offer)
    if kind in CREDENTIALS and not plugins.is_on(kind):
        return _no_package(kind, plugins)
    if kind in CREDENTIALS:
        names = _variables(kind)
        return Problem(f"AUTH is {kind}, but {names} is not set", "that kind needs them", f"set {names}")
    kinds = sorted({*CREDENTIALS, *(offer.kind for offer in offers)})
    return Problem(
        f"AUTH cannot be {kind!r}",
        "no plugin offers that kind, or its settings are not there",
        f"use one of: {', '.join(kinds)}; `jira-ci plugins` shows what is installed",
    )


def _none_complete(plugins: Plugins, offers: Sequence[SignIn], credentials: frozenset[str]) -> Problem:
    """What is wrong where no kind has all its credentials."""
    for kind in _kinds_without_package(plugins, credentials):
        if credentials.issuperset(CREDENTIALS[kind]) or not offers:
            return _no_package(kind, plugins)
    if offers:
        return _half_given(offers[0])
    install = " or ".join([install_command("oauth"), "'jira-ci-core[connect]'"])
    hint = "" if any(map(plugins.is_on, CREDENTIALS)) else f" (and install a package for it: {install})"
    return Problem(
        "there are no credentials",
        f"Jira takes reports only from those who sign in, with {BOTH_KINDS}",
        f"set {BOTH_KINDS}{hint}",
    )


def _half_given(offer: SignIn) -> Problem:
    missing = " and ".join(offer.missing)
    return Problem(
        f"{missing} is not set", f"{offer.kind} sign-in needs it beside what is set", f"set {missing} as well"
    )


def _kinds_without_package(plugins: Plugins, credentials: frozenset[str]) -> list[str]:
    return [kind for kind, names in CREDENTIALS.items() if credentials.intersection(names) and not plugins.is_on(kind)]


def _no_package(kind: str, plugins: Plugins) -> Problem:
    remedy = (
        f"leave {kind} out of DISABLE_PLUGINS, or add it to PLUGINS"
        if plugins.is_installed(kind)
        else install_command(kind)
    )
    return Problem(f"{_variables(kind)} cannot be used", _why_no_package(kind, plugins), remedy)


def _why_no_package(kind: str, plugins: Plugins) -> str:
    if plugins.is_installed(kind):
        return f"the plugin {kind} is installed but off"
    return f"the package for {kind} sign-in is not installed"


def _variables(kind: str) -> str:
    return " and ".join(name.upper() for name in CREDENTIALS[kind])
