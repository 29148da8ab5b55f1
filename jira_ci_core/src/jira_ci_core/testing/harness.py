"""Loads a plugin alone, as core loads it."""

from __future__ import annotations

from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.errors import PluginError, SettingsError
from jira_ci_core.git.command import renew_patience
from jira_ci_core.plugins.discovery import InstalledPlugin, plugin_in
from jira_ci_core.plugins.manager import Plugins

NAME = "under-test"


def load_plugin(plugin: object, **settings: str) -> Plugins:
    """Load and start a plugin without any other: `load_plugin(MyPlugin, my_setting="x")`.

    `plugin` is what its entry point names: a module or a class. Raises PluginError if core would refuse it, and
    SettingsError if its settings are wrong.
    """
    renew_patience()
    target = getattr(plugin, "__qualname__", getattr(plugin, "__name__", repr(plugin)))
    installed = InstalledPlugin(NAME, lambda: ("the plugin under test", ""), target, loaded=plugin_in(plugin))
    plugins = Plugins(PluginChoice(), [installed])
    problems = plugins.start(Sources({f"PLUGIN_{name.upper()}": value for name, value in settings.items()}))
    if plugins.failures:
        raise PluginError(*plugins.failures)
    if problems:
        raise SettingsError(*problems)
    return plugins
