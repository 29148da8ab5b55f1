"""Which plugins are installed, and loading those that the settings choose.

`importlib.metadata` finds them and stevedore loads them: stevedore's own look-up writes a cache to the home directory
and loses the distribution.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, EntryPoints, distributions, entry_points, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from stevedore.extension import ExtensionManager

from jira_ci_core.config.environ import variables_that_hold
from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.specs import SettingSpec
from jira_ci_core.hookspecs import ENTRY_POINT_GROUP
from jira_ci_core.import_path import folders_left_out, trusted_path
from jira_ci_core.plugins.catalog import BUILT_IN, CIS
from jira_ci_core.problem import Problem
from jira_ci_core.watchdog import Watchdog

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstalledPlugin:
    """An installed plugin and its state."""

    name: str
    read_origin: Callable[[], tuple[str, str]] = field(repr=False)
    """Reads distribution and version: only when asked for, since that takes longer than most plugins do."""
    target: str
    """The target of the entry point: `package.module` or `package.module:Class`."""
    conditions: tuple[str, ...] = ()
    """The plugin is imported only if one of them holds; without any, always. See `variables_that_hold`."""
    state: str = "on"
    """on, off, idle (it is for another CI) or failed."""
    reason: str = ""
    """Why it is not on."""
    hooks: tuple[str, ...] = ()
    settings: tuple[SettingSpec, ...] = ()
    module: Any = field(default=None, repr=False)
    """The module that its entry point or its file names."""
    loaded: Any = field(default=None, repr=False)
    """The module or class."""

    @property
    def distribution(self) -> str:
        return self.read_origin()[0]

    @property
    def version(self) -> str:
        return self.read_origin()[1]

    @property
    def origin(self) -> str:
        """Distribution and version, as people write them."""
        return " ".join(filter(None, self.read_origin()))

    @property
    def is_built_in(self) -> bool:
        return self.name in BUILT_IN

    def failure(self, reason: str, hook: str = "") -> Problem:
        """The error shown when it fails, in a hook or before one is called."""
        return Problem(
            f"plugin {self.name} failed{f' in {hook}' if hook else ''}",
            f"{self.origin}: {reason}",
            f"report it to its authors, or leave it out with DISABLE_PLUGINS={self.name}; "
            "ON_PLUGIN_ERROR=warn goes on without its answer",
        )


class Activity(NamedTuple):
    """The current call of a plugin, for the message of the watchdog."""

    plugin: InstalledPlugin
    what: str

    def __str__(self) -> str:
        return f"plugin {self.plugin.name} ({self.plugin.origin}) in {self.what}"


def discover(
    choice: PluginChoice, watchdog: Watchdog, environ: Mapping[str, str] | None = None
) -> list[InstalledPlugin]:
    """Import what is chosen: local files, then installed plugins by name, then core's own.

    Of those with conditions, only the ones are imported of which one holds in `environ`; without it, all.
    """

    def found(
        name: str, target: str, read_origin: Callable[[], tuple[str, str]], conditions: tuple[str, ...] = ()
    ) -> InstalledPlugin:
        reason = _why_off(name, choice)
        state = "off" if reason else "on"
        if not reason and conditions and environ is not None and not variables_that_hold(environ, conditions):
            state, reason = "idle", f"it is for a CI with {' or '.join(conditions)}"
        return InstalledPlugin(name, read_origin, target, conditions, state, reason)

    plugins = [
        found(point.name, point.value, functools.partial(_name_and_version, point.dist), conditions)
        for point, conditions in sorted(_trusted_entry_points(), key=lambda entry: (entry[0].name, entry[0].value))
    ]
    _warn_of_folders_left_out()
    plugins += [found(name, module, _core_origin, CIS.get(name, ())) for name, module in BUILT_IN.items()]
    local = [_load_file(Path(file), watchdog) for file in choice.local_plugins]
    on = iter(_Loader([_Entry(plugin, watchdog) for plugin in plugins if plugin.state == "on"]).extensions)
    return [*local, *(cast(InstalledPlugin, next(on).plugin) if plugin.state == "on" else plugin for plugin in plugins)]


def plugin_entry_points() -> list[EntryPoint]:
    """The entry points of all plugins that are installed anywhere on the path."""
    return _of_plugins(cast(EntryPoints, entry_points()))


def _of_plugins(points: EntryPoints) -> list[EntryPoint]:
    """Those in the group `jira_ci`, or in one that adds a condition: `jira_ci.ACME_BUILD`, `jira_ci.ACME.true`."""
    groups = sorted(group for group in points.groups if group.partition(".")[0] == ENTRY_POINT_GROUP)
    return [point for group in groups for point in points.select(group=group)]


def _trusted_entry_points() -> list[tuple[EntryPoint, tuple[str, ...]]]:
    """Each entry point of a plugin once, with the conditions that its groups add; none if it is in `jira_ci` itself."""
    folders = set(map(Path, trusted_path()))
    found: dict[tuple[str, str, Path | None], tuple[EntryPoint, list[str]]] = {}
    for point in plugin_entry_points():
        folder = point.dist and Path(str(point.dist.locate_file("")))
        if folder is None or folder in folders:
            condition = point.group.partition(".")[2].replace(".", "=", 1)
            found.setdefault((point.name, point.value, folder), (point, []))[1].append(condition)
    return [(point, tuple(conditions) if all(conditions) else ()) for point, conditions in found.values()]


def _warn_of_folders_left_out() -> None:
    """Warn of folders with plugins that are not loaded, since the change under test could have put them there."""
    for folder in folders_left_out():
        if any(_of_plugins(found.entry_points) for found in distributions(path=[folder])):
            log.warning(
                "no plugin is loaded from %s: it is in the checkout, and not where Python installs packages; "
                "install the plugin, or name its file with LOCAL_PLUGINS",
                folder,
            )


def plugin_in(loaded: Any) -> Any:
    """The plugin that a module holds: its class `Plugin`, if it has one, else the module with its hook functions."""
    return getattr(loaded, "Plugin", loaded) if inspect.ismodule(loaded) else loaded


def reason_of(error: BaseException) -> str:
    """An error as the reason of a failure."""
    return f"{type(error).__name__}: {error}"


class _Entry:
    """Stands in for an entry point; `load` returns the plugin, marked failed if its import raises."""

    def __init__(self, plugin: InstalledPlugin, watchdog: Watchdog) -> None:
        self.name = plugin.name
        self._plugin = plugin
        self._watchdog = watchdog

    def load(self) -> InstalledPlugin:
        point = EntryPoint(self.name, self._plugin.target, ENTRY_POINT_GROUP)
        return _load(self._plugin, point.load, self._watchdog)


class _Loader(ExtensionManager[Any]):
    """stevedore's manager, for entries that were found before."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = entries
        super().__init__(ENTRY_POINT_GROUP)

    def list_entry_points(self) -> list[EntryPoint]:
        return cast(list[EntryPoint], self._entries)


def _load(plugin: InstalledPlugin, load: Callable[[], Any], watchdog: Watchdog) -> InstalledPlugin:
    """A plugin with what it holds. While a module is imported it may do anything: fail, hang, or exit."""
    try:
        with watchdog.watching(Activity(plugin, "its import")):
            loaded = load()
        module = loaded if inspect.ismodule(loaded) else sys.modules.get(plugin.target.partition(":")[0])
        return replace(plugin, loaded=plugin_in(loaded), module=module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return replace(plugin, state="failed", reason=reason_of(error))


def _load_file(file: Path, watchdog: Watchdog) -> InstalledPlugin:
    """A plugin without a package: a file with hook functions, or with a class named `Plugin`."""

    def load() -> ModuleType:
        name = f"jira_ci_local_{file.stem}"
        spec = spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError("it is not a Python file: its name does not end in .py")
        module = sys.modules[name] = module_from_spec(spec)
        folder = str(file.absolute().parent)
        is_left_out = folder in folders_left_out()
        if is_left_out:
            sys.path.append(folder)  # for what lies beside it and is imported with it
        try:
            spec.loader.exec_module(module)
        finally:
            if is_left_out:
                sys.path.remove(folder)
        return module

    return _load(InstalledPlugin(file.stem.replace("_", "-"), lambda: ("local file", ""), str(file)), load, watchdog)


def _name_and_version(distribution: Distribution | None) -> tuple[str, str]:
    if distribution is None:
        return "", ""
    metadata = distribution.metadata  # parsed anew each time that it is asked for
    return metadata["Name"], metadata["Version"]


def _core_origin() -> tuple[str, str]:
    return "jira-ci-core", version("jira-ci-core")


def _why_off(name: str, choice: PluginChoice) -> str:
    if name in choice.disable_plugins:
        return "DISABLE_PLUGINS names it"
    if choice.plugins is not None and name not in choice.plugins and name not in BUILT_IN:
        return "PLUGINS does not name it"
    return ""
