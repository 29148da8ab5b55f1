"""From flags, environment and files to settings and started plugins; nobody else looks at any of those."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from jira_ci_core.config.settings import NetworkSettings, PluginChoice, Settings
from jira_ci_core.config.sources import (
    SHIPPED_CREDENTIALS,
    SettingSpec,
    Sources,
    check_names,
    resolve,
    setting_specs,
    shipped_credential,
    without_secrets,
)
from jira_ci_core.errors import PluginError, SettingsError
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

CORE_SETTINGS = setting_specs(Settings, "core")
NETWORK_SETTINGS = setting_specs(NetworkSettings, "core")

# What a site has of its own, besides credentials: nothing of it may come from elsewhere.
OWN_SETTINGS = tuple(setting for setting in CORE_SETTINGS if setting.name in ("instance", "cloud_id", "auth"))


@dataclass(frozen=True)
class Runtime:
    """Everything a run starts from; all of it is checked."""

    settings: Settings
    network: NetworkSettings
    plugins: Plugins
    environ: Mapping[str, str]
    """Without any spelling of a secret setting."""
    secrets: Secrets
    credentials: frozenset[str]
    """Which credentials of the kinds that ship are given, by their names."""

    def within(self, seconds: float) -> Runtime:
        """The same with a DEADLINE of so many seconds at the most."""
        deadline = min(seconds, self.network.deadline)
        return replace(self, network=self.network.model_copy(update={"deadline": deadline}))


def choose_plugins(sources: Sources) -> Plugins:
    """Import the plugins that the settings choose; what fails is noted in `failures`.

    Raises SettingsError where the choice itself is malformed.
    """
    choice, problems = resolve(PluginChoice, setting_specs(PluginChoice, "core"), sources)
    if choice is None:
        raise SettingsError(*problems)
    return Plugins(choice)


def load(sources: Sources, secrets: Secrets, plugins: Plugins | None = None) -> Runtime:
    """Check all settings, and start the plugins.

    Where SITES names a site its section is read. Raises SettingsError with everything that is wrong at once, or
    PluginError.
    """
    plugins = plugins or choose_plugins(sources)
    everything = (*CORE_SETTINGS, *NETWORK_SETTINGS, *plugins.settings)
    given = hide_secrets(everything, sources, secrets)
    if sources.sites:
        sources = _of_the_site(sources, plugins)
        given = hide_secrets(everything, sources, secrets)
    problems = check_names(everything, sources)
    settings, wrong = resolve(Settings, CORE_SETTINGS, sources)
    network, wrong_network = resolve(NetworkSettings, NETWORK_SETTINGS, sources)
    problems += [*wrong, *wrong_network, *plugins.start(sources)]
    _tell_failures(plugins)
    if settings is None or network is None or problems:
        raise SettingsError(*problems)
    return Runtime(settings, network, plugins, without_secrets(sources.environ, everything), secrets, given)


def _of_the_site(sources: Sources, plugins: Plugins) -> Sources:
    """The sources, narrowed to the section of the one site that SITES names."""
    names = sources.sites
    if len(names) > 1:
        raise SettingsError(
            Problem(
                f"SITES names {len(names)} sites, and this speaks with one",
                "only `jira-ci report` goes through several",
                f"choose one of them: --sites {names[0]}",
            )
        )
    signing_in = [plugin for plugin in plugins.installed if "jira_ci_authenticate" in plugin.hooks]
    secrets = [setting for plugin in signing_in for setting in plugin.settings if setting.secret]
    shipped = [shipped_credential(name) for names in SHIPPED_CREDENTIALS.values() for name in names]
    own = {setting.name: setting for setting in (*OWN_SETTINGS, *shipped, *secrets)}
    of_site = sources.of_site(names[0], own)
    for setting in own.values():
        if next(sources.values(setting), None) is not None:
            log.warning(
                "%s is set outside of %s and not used: a site has its own", setting.variable, of_site.section_name
            )
    return of_site


def hide_secrets(settings: tuple[SettingSpec, ...], sources: Sources, secrets: Secrets) -> frozenset[str]:
    """Have the value of every credential removed from all output, well-formed or not, and answer which are given."""
    shipped = {name: shipped_credential(name) for names in SHIPPED_CREDENTIALS.values() for name in names}
    given = set()
    for setting in (*(setting for setting in settings if setting.secret), *shipped.values()):
        for value in sources.values(setting):
            secrets.add(str(value))
            given.add(setting.name)
    return frozenset(given & shipped.keys())


def _tell_failures(plugins: Plugins) -> None:
    if plugins.failures and plugins.fail:
        raise PluginError(*plugins.failures)
    for problem in plugins.failures:
        log.warning("%s: %s", problem.what, problem.why)
