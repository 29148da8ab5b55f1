"""Which credentials are used when several kinds are given, or none, or half of one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import NoCredentialsError, SettingsError
from jira_ci_core.net.connection import SignIn
from jira_ci_core.plugins.catalog import CREDENTIALS, PREFERRED_KIND, install_command
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)


def choose_sign_in(
    plugins: Plugins, offers: Sequence[SignIn], credentials: frozenset[str], settings: Settings
) -> SignIn:
    """The one sign-in to use. Raises NoCredentialsError if none is complete, SettingsError if none can be used.

    `credentials` are the names of those given for the kinds that ship, their packages installed or not.
    """
    complete = list(dict.fromkeys(offer.kind for offer in offers if not offer.missing))
    given = [kind for kind, names in CREDENTIALS.items() if credentials.intersection(names)]
    without_package = [kind for kind in given if not plugins.is_on(kind)]
    if settings.auth:
        kind = settings.auth.strip().lower()
        if kind not in complete:
            raise _not_usable(kind, plugins, offers)
        return _only_one(kind, offers)
    if not complete:
        meant = [kind for kind in without_package if credentials.issuperset(CREDENTIALS[kind]) or not offers]
        meant += [offer.kind for offer in offers]
        raise _not_usable(meant[0], plugins, offers) if meant else NoCredentialsError(_none_given(plugins))
    kind = complete[0] if len(complete) == 1 else _preferred(complete)
    for offer in offers:
        if offer.missing and offer.kind != kind:
            log.warning("%s is ignored: %s is not set", offer.kind, ", ".join(offer.missing))
    for other in without_package:
        if other != kind:
            log.warning("%s is ignored: %s", other, _no_package(other, plugins).why)
    return _only_one(kind, offers)


def _only_one(kind: str, offers: Sequence[SignIn]) -> SignIn:
    complete = [offer for offer in offers if offer.kind == kind and not offer.missing]
    if len(complete) > 1:
        what = f"{kind} sign-in is offered by several plugins: {', '.join(offer.plugin for offer in complete)}"
        remedy = "leave all but one out, with DISABLE_PLUGINS or, for a local file, of LOCAL_PLUGINS"
        raise SettingsError(Problem(what, "jira-ci cannot tell which one to use", remedy))
    return complete[0]


def _preferred(kinds: list[str]) -> str:
    if not set(kinds) <= CREDENTIALS.keys():
        what = f"credentials of several kinds are set: {', '.join(kinds)}"
        remedy = f"set AUTH to one of them ({', '.join(kinds)})"
        raise SettingsError(Problem(what, "jira-ci cannot tell which one to use", remedy))
    others = [kind for kind in kinds if kind != PREFERRED_KIND]
    how = f"{PREFERRED_KIND} is used and {', '.join(others)} is ignored (to use {others[0]}, set AUTH={others[0]})"
    log.warning("credentials of several kinds are set; %s", how)
    return PREFERRED_KIND


def _not_usable(kind: str, plugins: Plugins, offers: Sequence[SignIn]) -> SettingsError:
    """Why the requested kind of sign-in cannot be used."""
    for offer in offers:
        if offer.kind == kind:
            missing, why = " and ".join(offer.missing), f"{kind} sign-in needs it together with what is set"
            return NoCredentialsError(Problem(f"{missing} is not set", why, f"set {missing} as well"))
    if kind in CREDENTIALS and not plugins.is_on(kind):
        return SettingsError(_no_package(kind, plugins))
    if kind in CREDENTIALS:
        names = _variables(kind)
        what = f"AUTH is {kind}, but {names} {'is' if len(CREDENTIALS[kind]) == 1 else 'are'} not set"
        return NoCredentialsError(Problem(what, "that kind needs them", f"set {names}"))
    kinds = ", ".join(sorted({*CREDENTIALS, *(offer.kind for offer in offers)}))
    remedy = f"use one of: {kinds}; `jira-ci plugins` shows what is installed"
    why = "no plugin offers that kind, or its settings are not there"
    return SettingsError(Problem(f"AUTH cannot be {kind!r}", why, remedy))


def _none_given(plugins: Plugins) -> Problem:
    both = "CONNECT_KEY, or CLIENT_ID and CLIENT_SECRET"
    install = f" (and install a package for it: {install_command('oauth')} or 'jira-ci-core[connect]')"
    remedy = f"set {both}{'' if any(map(plugins.is_on, CREDENTIALS)) else install}"
    why = f"Jira accepts reports only with credentials: {both}"
    return Problem("there are no credentials", why, remedy)


def _no_package(kind: str, plugins: Plugins) -> Problem:
    what = f"{_variables(kind)} cannot be used"
    if plugins.is_installed(kind):
        why = f"the plugin {kind} is installed but off"
        return Problem(what, why, f"leave {kind} out of DISABLE_PLUGINS, or add it to PLUGINS")
    return Problem(what, f"the package for {kind} sign-in is not installed", install_command(kind))


def _variables(kind: str) -> str:
    return " and ".join(name.upper() for name in CREDENTIALS[kind])
