"""Which plugins are installed, and loading those that the settings choose.

`importlib.metadata` finds them and stevedore loads them: stevedore's own look-up writes a cache to the home directory
and loses the distribution.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, entry_points, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple, cast

from stevedore.extension import ExtensionManager

from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.specs import SettingSpec
from jira_ci_core.hookspecs import ENTRY_POINT_GROUP
from jira_ci_core.plugins.catalog import BUILT_IN
from jira_ci_core.problem import Problem
from jira_ci_core.watchdog import Watchdog


@dataclass(frozen=True)
class InstalledPlugin:
    """One installed plugin and how it fares."""

    name: str
    read_origin: Callable[[], tuple[str, str]] = field(repr=False)
    """Reads distribution and version: only when asked for, since that takes longer than most plugins do."""
    target: str
    """What the entry point names: `package.module` or `package.module:Class`."""
    state: str = "on"
    """on, off or failed."""
    reason: str = ""
    """Why it is off or failed."""
    hooks: tuple[str, ...] = ()
    settings: tuple[SettingSpec, ...] = ()
    loaded: Any = field(default=None, repr=False)
    """The module or class."""

    @property
    def distribution(self) -> str:
        """The distribution's name."""
        return self.read_origin()[0]

    @property
    def version(self) -> str:
        """The distribution's version."""
        return self.read_origin()[1]

    @property
    def origin(self) -> str:
        """Distribution and version, as people write them."""
        return " ".join(filter(None, self.read_origin()))

    @property
    def is_built_in(self) -> bool:
        """Whether it ships with core."""
        return self.name in BUILT_IN

    def failure(self, reason: str, hook: str = "") -> Problem:
        """What a user is told when it fails, in a hook or before one is called."""
        return Problem(
            f"plugin {self.name} failed{f' in {hook}' if hook else ''}",
            f"{self.origin}: {reason}",
            f"report it to its authors, or leave it out with DISABLE_PLUGINS={self.name}; "
            "ON_PLUGIN_ERROR=warn goes on without its answer",
        )


class Activity(NamedTuple):
    """What a plugin is doing, for the message of the watchdog."""

    plugin: InstalledPlugin
    what: str

    def __str__(self) -> str:
        return f"plugin {self.plugin.name} ({self.plugin.origin}) in {self.what}"


def discover(choice: PluginChoice, watchdog: Watchdog) -> list[InstalledPlugin]:
    """Import what is chosen: local files, then installed plugins by name, then core's own."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value))
    found = {
        **{
            point: InstalledPlugin(point.name, functools.partial(_name_and_version, point.dist), point.value)
            for point in points
        },
        **{
            EntryPoint(name, module, ENTRY_POINT_GROUP): InstalledPlugin(name, _core_origin, module)
            for name, module in BUILT_IN.items()
        },
    }
    off = {point: _why_off(point.name, choice) for point in found}
    loaded = _Loader([_WatchedEntryPoint(point, plugin, watchdog) for point, plugin in found.items() if not off[point]])
    plugins = [_load_file(Path(file), watchdog) for file in choice.local_plugins]
    for point, plugin in found.items():
        if off[point]:
            plugins.append(replace(plugin, state="off", reason=off[point]))
        elif point in loaded.errors:
            plugins.append(replace(plugin, state="failed", reason=loaded.errors[point]))
        else:
            plugins.append(replace(plugin, loaded=plugin_in(loaded.values[point])))
    return plugins


def plugin_in(loaded: Any) -> Any:
    """The plugin that a module holds: its class `Plugin`, where it has one, else the module with its hook functions."""
    return getattr(loaded, "Plugin", loaded) if inspect.ismodule(loaded) else loaded


def reason_of(error: BaseException) -> str:
    """An error as the reason of a failure."""
    return f"{type(error).__name__}: {error}"


class _WatchedEntryPoint:
    """An entry point whose module may do anything while it is imported: hang, or exit."""

    def __init__(self, point: EntryPoint, plugin: InstalledPlugin, watchdog: Watchdog) -> None:
        self.point = point
        self._plugin = plugin
        self._watchdog = watchdog

    def __getattr__(self, name: str) -> Any:
        return getattr(self.point, name)

    def load(self) -> Any:
        try:
            with self._watchdog.watching(Activity(self._plugin, "its import")):
                return self.point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ImportError(reason_of(error)) from error


class _Loader(ExtensionManager[Any]):
    """stevedore's manager, for entry points that were found before."""

    def __init__(self, points: list[_WatchedEntryPoint]) -> None:
        self._points = points
        self.errors: dict[EntryPoint, str] = {}
        super().__init__(ENTRY_POINT_GROUP, on_load_failure_callback=self._note_error)
        self.values = {self._point_of(extension.entry_point): extension.plugin for extension in self.extensions}

    def list_entry_points(self) -> list[EntryPoint]:
        return cast(list[EntryPoint], self._points)

    def _note_error(self, manager: object, point: EntryPoint, error: BaseException) -> None:
        self.errors[self._point_of(point)] = str(error)

    @staticmethod
    def _point_of(watched: EntryPoint) -> EntryPoint:
        return cast(_WatchedEntryPoint, watched).point


def _load_file(file: Path, watchdog: Watchdog) -> InstalledPlugin:
    """A plugin without a package: a file with hook functions, or with a class named `Plugin`."""
    plugin = InstalledPlugin(file.stem.replace("_", "-"), lambda: ("local file", ""), str(file))
    try:
        spec = spec_from_file_location(f"jira_ci_local_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise ImportError("it is no Python file: its name does not end in .py")
        module = module_from_spec(spec)
        with watchdog.watching(Activity(plugin, "its import")):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return replace(plugin, state="failed", reason=reason_of(error))
    return replace(plugin, loaded=plugin_in(module))


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
