"""From flags, environment and files to checked settings and started plugins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from jira_ci_core.config.resolve import check_names, resolve
from jira_ci_core.config.settings import NetworkSettings, PluginChoice, Settings
from jira_ci_core.config.sources import Sources, read_sources, secret_variables
from jira_ci_core.config.specs import SettingSpec, setting_specs
from jira_ci_core.errors import PluginError, SettingsError
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.catalog import CREDENTIALS, DELIVERIES
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

CORE_SETTINGS = setting_specs(Settings, "core")
NETWORK_SETTINGS = setting_specs(NetworkSettings, "core")
CREDENTIAL_SETTINGS = tuple(SettingSpec(name, secret=True) for names in CREDENTIALS.values() for name in names)
"""The credentials of the kinds that ship, even if their packages are not installed."""
DELIVERY_CREDENTIALS = tuple(SettingSpec(name, secret=True) for names in DELIVERIES.values() for name in names)
"""The same of the deliveries that ship."""

# The settings that a site has of its own, besides credentials.
_OWN_OF_SITE = "instance", "cloud_id", "auth"


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
    secret_variables: frozenset[str]
    """The names of all variables that spell a secret setting."""
    missing_files: tuple[Problem, ...] = ()
    """What is wrong with the files of secrets that are missing or empty, where credentials are needed."""
    warnings: Callable[[], tuple[str, ...]] = tuple
    """Takes what this step has warned of since the last call."""

    def within(self, seconds: float) -> Runtime:
        """The same with a DEADLINE of at most so many seconds."""
        deadline = min(seconds, self.network.deadline)
        return replace(self, network=self.network.model_copy(update={"deadline": deadline}))


def open_sources(
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    secrets: Secrets,
    warnings: Callable[[], tuple[str, ...]] = tuple,
) -> Sources:
    """The sources of all settings. Raises SettingsError if a file of settings cannot be used."""
    return read_sources(environ, flags, secrets, (*NETWORK_SETTINGS, *CREDENTIAL_SETTINGS), warnings)


def choose_plugins(sources: Sources) -> Plugins:
    """Import the plugins that the settings choose, and hide their credentials; what fails is noted in `failures`.

    Raises SettingsError if the choice itself is malformed.
    """
    choice, problems = resolve(PluginChoice, setting_specs(PluginChoice, "core"), sources)
    if choice is None:
        raise SettingsError(*problems)
    plugins = Plugins(choice, secrets=sources.secrets, environ=sources.environ)
    hidden = {(setting.names, setting.reads) for setting in (*NETWORK_SETTINGS, *CREDENTIAL_SETTINGS)}
    sources.hide(setting for setting in plugins.settings if (setting.names, setting.reads) not in hidden)
    return plugins


def load(sources: Sources, plugins: Plugins | None = None) -> Runtime:
    """Check all settings, and start the plugins.

    If SITES names a site its table is used. Raises SettingsError with everything that is wrong at once, or
    PluginError.
    """
    plugins = plugins or choose_plugins(sources)
    sources = replace(sources, missing_files=[])
    known = all_settings(plugins)
    if sources.sites:
        sources = _of_the_site(sources, plugins)
    problems = check_names(known, sources)
    settings, wrong = resolve(Settings, CORE_SETTINGS, sources)
    network, wrong_network = resolve(NetworkSettings, NETWORK_SETTINGS, sources)
    problems += [*wrong, *wrong_network, *plugins.start(sources)]
    if plugins.failures and plugins.fail:
        raise PluginError(*plugins.failures)
    warn_of_failures(plugins.failures)
    if settings is None or network is None or problems:
        raise SettingsError(*problems)
    given = frozenset(setting.name for setting in CREDENTIAL_SETTINGS if sources.is_given(setting))
    hidden = secret_variables((*known, *DELIVERY_CREDENTIALS))
    environ = {name: value for name, value in sources.environ.items() if name not in hidden}
    missing = tuple(sources.missing_files)
    return Runtime(settings, network, plugins, environ, sources.secrets, given, hidden, missing, sources.warnings)


def all_settings(plugins: Plugins) -> tuple[SettingSpec, ...]:
    """Every setting that means something here."""
    return (*CREDENTIAL_SETTINGS, *CORE_SETTINGS, *NETWORK_SETTINGS, *plugins.settings)


def warn_of_failures(problems: Iterable[Problem]) -> None:
    """Warn of plugins that failed and do not end the step."""
    for problem in problems:
        log.warning("%s", problem)


def _of_the_site(sources: Sources, plugins: Plugins) -> Sources:
    """The sources, narrowed to the table of the one site that SITES names."""
    names = sources.sites
    if len(names) > 1:
        what, why = f"SITES names {len(names)} sites, and this takes one", "only `jira-ci report` takes several"
        raise SettingsError(Problem(what, why, f"choose one of them: --sites {names[0]}"))
    sign_ins = [plugin for plugin in plugins.installed if "jira_ci_authenticate" in plugin.hooks]
    own = {
        setting.name: setting
        for setting in (
            *(setting for setting in CORE_SETTINGS if setting.name in _OWN_OF_SITE),
            *CREDENTIAL_SETTINGS,
            *(setting for plugin in sign_ins for setting in plugin.settings if setting.secret),
        )
    }
    of_site = sources.for_site(names[0], own)
    for setting in own.values():
        if sources.is_given(setting):
            message = "%s is set outside of %s and not used: a site has its own"
            log.warning(message, setting.variable, of_site.section_name)
    return of_site
