"""Discovery, construction and choice of plugins, and calling them with a name on every answer and error.

stevedore finds and loads them, pluggy calls them. Core's own are in the same line as everybody else's.
"""

from __future__ import annotations

import functools
import inspect
import logging
import types
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, entry_points, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import pluggy
from pydantic import ValidationError
from stevedore.extension import ExtensionManager

from jira_ci_core import hookspecs
from jira_ci_core.config.settings import NetworkSettings, PluginChoice, PluginSettings, Settings
from jira_ci_core.config.sources import SettingSpec, Sources, resolve, setting_specs
from jira_ci_core.errors import JiraCiError, PluginError, SettingsError
from jira_ci_core.hookspecs import CONTRACT_VERSION, ENTRY_POINT_GROUP, PROJECT_NAME
from jira_ci_core.models import Connection, FoundKey, MappedEnvironment, Model, Pipeline, Receipt, SignIn, State
from jira_ci_core.plugins.catalog import BUILT_IN
from jira_ci_core.problem import Problem
from jira_ci_core.watchdog import Watchdog, report_hang

if TYPE_CHECKING:
    from jira_ci_core.net.client import Http

log = logging.getLogger(__name__)

T = TypeVar("T")
M = TypeVar("M", bound=Model)

# What DELIVERY can name that ships with a package of its own; the extra of core has the same name.
SHIPPED_DELIVERIES = ("celery",)

HOOK_PREFIX = f"{PROJECT_NAME}_"
# Called when all is done: what fails in it can only be told.
REPORTED = f"{HOOK_PREFIX}reported"
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(HOOK_PREFIX))


@dataclass(frozen=True)
class InstalledPlugin:
    """One installed plugin and how it fares."""

    name: str
    comes_from: Callable[[], tuple[str, str]] = field(repr=False)
    """Answers distribution and version. They are read only to be told, since that takes longer than most plugins do."""
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
        return self.comes_from()[0]

    @property
    def version(self) -> str:
        """The distribution's version."""
        return self.comes_from()[1]

    @property
    def origin(self) -> str:
        """Distribution and version, as people write them."""
        return " ".join(filter(None, self.comes_from()))


class _Doing(NamedTuple):
    """What a plugin is doing, in words."""

    plugin: InstalledPlugin
    what: str

    def __str__(self) -> str:
        return f"plugin {self.plugin.name} ({self.plugin.origin}) in {self.what}"


class Plugins:
    """The plugins of one run. Made by importing those that are chosen; they answer once they are started."""

    def __init__(self, choice: PluginChoice, found: Iterable[InstalledPlugin] | None = None) -> None:
        """Those that are `found`, else those that are installed."""
        self.failures: list[Problem] = []
        """What is wrong with plugins that could not be taken in."""
        self.answered: dict[str, str] = {}
        """Hook to the plugin whose answer came last."""
        self._timeout = choice.plugin_timeout
        self._watchdog = Watchdog(self._timeout, report_hang)
        self._trace = choice.trace_hooks
        self.fail = choice.on_plugin_error == "fail"
        """Whether a failing plugin ends the step."""
        self._manager = pluggy.PluginManager(PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)
        self._delivery: str | None = None
        self._installed: dict[str, InstalledPlugin] = {}
        self._declared_by = {
            name: "core"
            for model in (Settings, NetworkSettings)
            for setting in setting_specs(model, "core")
            for name in setting.names
        }
        for plugin in _discover(choice, self._watchdog) if found is None else found:
            self._take_in(plugin)

    @property
    def installed(self) -> tuple[InstalledPlugin, ...]:
        """All of them, those of others by name, then core's own in call order."""
        return tuple(self._installed.values())

    @property
    def settings(self) -> tuple[SettingSpec, ...]:
        """What the plugins declare."""
        return tuple(setting for plugin in self.installed for setting in plugin.settings)

    def is_on(self, name: str) -> bool:
        """Whether a plugin of that name takes part."""
        return name in self._installed and self._installed[name].state == "on"

    def start(self, sources: Sources) -> list[Problem]:
        """Construct and register all that are on; answers what is wrong with their settings."""
        problems: list[Problem] = []
        on = [plugin for plugin in self.installed if plugin.state == "on"]
        others = [plugin for plugin in on if plugin.name not in BUILT_IN]
        own = [plugin for plugin in on if plugin.name in BUILT_IN]
        # pluggy asks the one registered last first, and `trylast` ones in the order of their registration.
        for plugin in [*reversed(others), *own]:
            problems += self._start(plugin, sources)
        return problems

    def allow_more(self, seconds: float) -> None:
        """Let each call take longer: what waits for the network has a deadline of its own."""
        self._watchdog.seconds = self._timeout + seconds

    def disable_timeout(self) -> None:
        """End the process for no plugin that does not come back: whoever calls goes on without it."""
        self._watchdog.disable()

    def first(self, hook: str, **arguments: object) -> Any:
        """The first answer to a hook, or None; the hook's name goes without its prefix."""
        return self._caller(hook)(**arguments)

    def all(self, hook: str, **arguments: object) -> list[Any]:
        """All answers to a hook, in call order."""
        return list(getattr(self._manager.hook, HOOK_PREFIX + hook)(**arguments))

    def notify(self, hook: str, **arguments: object) -> None:
        """Call a hook that has no answer."""
        getattr(self._manager.hook, HOOK_PREFIX + hook)(**arguments)

    def connect(self, sign_in: SignIn, http: Http) -> Connection:
        """Sign in; what fails in the plugin, then or later, has its name on it."""
        from jira_ci_core.net.client import GuardedAuth

        name = sign_in.plugin
        connection: Connection = self._called(name, "connect", sign_in.connect, http)
        if not isinstance(connection, Connection):
            raise self.failure(name, "connect", f"answered {type(connection).__name__}, not Connection")
        for url in (connection.builds_url, connection.deployments_url):
            if not isinstance(url, str):
                raise self.failure(name, "connect", f"answered a Connection that is none: {url!r} is no address")
        auth = GuardedAuth(lambda request: self._called(name, "auth", connection.auth, request))
        return replace(connection, auth=auth, renew=lambda: self._called(name, "renew", connection.renew))

    def failure(self, name: str, hook: str, reason: str) -> PluginError:
        """The error that says that a plugin failed."""
        problem = _failure(self._installed[name], hook, reason)
        return PluginError(problem)

    def _called(self, name: str, what: str, function: Callable[..., Any], *arguments: object) -> Any:
        try:
            with self._watchdog.watching(_Doing(self._installed[name], what)):
                return function(*arguments)
        except (JiraCiError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self.failure(name, what, _reason(error)) from None

    def implementers(self, hook: str) -> list[str]:
        """Who implements a hook, in call order; wrappers come first."""
        caller = getattr(self._manager.hook, HOOK_PREFIX + hook)
        return [implementation.plugin_name for implementation in reversed(caller.get_hookimpls())]

    def choose_delivery(self, name: str | None) -> None:
        """Have reports delivered by the plugin of that name alone; by None, by all but those that want to be named.

        Raises SettingsError where no plugin of that name that is on delivers.
        """
        deliverers = self.implementers("deliver")
        if name is not None and name not in deliverers:
            extra = f"pip install 'jira-ci-core[{name}]'; " if name in SHIPPED_DELIVERIES else ""
            raise SettingsError(
                Problem(
                    f"DELIVERY names {name}, and no plugin of that name delivers reports",
                    "it is not installed, is off, or does something else",
                    f"{extra}`jira-ci plugins` shows what is installed; "
                    f"those that deliver here: {', '.join(deliverers)}",
                )
            )
        self._delivery = name

    def need_sign_in(self) -> bool:
        """Whether every delivery that could be asked wants to be signed in."""
        return all(self._deliveries_say("NEEDS_SIGN_IN", True))

    def deliver_in_threads(self) -> bool:
        """Whether every delivery that could be asked may be called in several threads at once."""
        return all(self._deliveries_say("THREAD_SAFE", False))

    def _deliveries_say(self, constant: str, default: bool) -> list[bool]:
        left_out = self._not_asked("deliver")
        return [self._says(name, constant, default) for name in self.implementers("deliver") if name not in left_out]

    def _not_asked(self, hook: str) -> list[str]:
        """The implementers of a hook that are left out."""
        if hook != "deliver":
            return []
        chosen = self._delivery
        return [
            name
            for name in self.implementers(hook)
            if (self._says(name, "ONLY_WHEN_NAMED", False) if chosen is None else name != chosen)
        ]

    def _says(self, name: str, constant: str, default: bool) -> bool:
        return bool(getattr(self._installed[name].loaded, constant, default))

    def _caller(self, hook: str) -> pluggy.HookCaller:
        left_out = [self._manager.get_plugin(name) for name in self._not_asked(hook)]
        return self._manager.subset_hook_caller(HOOK_PREFIX + hook, left_out)

    def _take_in(self, plugin: InstalledPlugin) -> None:
        other = self._installed.get(plugin.name)
        if other is not None:
            self._failed(
                replace(other, state="failed"),
                f"another plugin has the same name: {other.origin} ({other.target}) "
                f"and {plugin.origin} ({plugin.target})",
            )
            return
        self._installed[plugin.name] = plugin
        if plugin.state != "on":
            if plugin.state == "failed":
                self._failed(plugin, plugin.reason)
            return
        twin = next((one for one in self.installed if one.loaded is plugin.loaded and one.name != plugin.name), None)
        if twin is not None:
            self._failed(plugin, f"it is registered twice: {plugin.target} is the plugin {twin.name} as well")
            return
        try:
            settings = _declared_settings(plugin)
            hooks = _hooks(plugin.loaded)
        except ValueError as error:
            self._failed(plugin, str(error))
            return
        self._installed[plugin.name] = replace(plugin, hooks=hooks, settings=settings)
        _tell_of_changes(plugin, hooks)
        for setting in settings:
            for name in setting.names:
                owner = self._declared_by.setdefault(name, plugin.name)
                if owner != plugin.name:
                    self._failed(plugin, f"it declares the setting {name.upper()}, and so does {owner}")
                    return

    def _failed(self, plugin: InstalledPlugin, reason: str) -> None:
        self._installed[plugin.name] = replace(plugin, state="failed", reason=reason, hooks=())
        self.failures.append(_failure(plugin, "", reason))

    def _start(self, plugin: InstalledPlugin, sources: Sources) -> list[Problem]:
        make = plugin.loaded if inspect.isclass(plugin.loaded) else None
        model = getattr(make, "Settings", None)
        try:
            values, problems = (None, []) if model is None else resolve(model, plugin.settings, sources)
            if problems:
                self._installed[plugin.name] = replace(plugin, state="failed", reason=problems[0].what)
                return problems
            arguments = () if model is None else (values,)
            with self._watchdog.watching(_Doing(plugin, "its construction")):
                instance = make(*arguments) if make else plugin.loaded
            self._manager.register(self._guarded(plugin, instance), plugin.name)
        except SettingsError as error:
            self._installed[plugin.name] = replace(plugin, state="failed", reason=error.problems[0].what)
            return list(error.problems)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(plugin, _reason(error))
        return []

    def _guarded(self, plugin: InstalledPlugin, instance: object) -> types.ModuleType:
        """What pluggy registers in place of the plugin: its hook functions, each with the plugin's name on it."""
        guarded = types.ModuleType(plugin.name)
        for name in plugin.hooks:
            options = self._manager.parse_hookimpl_opts(instance, name)
            if options is not None:
                is_wrapper = options.get("wrapper") or options.get("hookwrapper")
                guard = self._guard_wrapper if is_wrapper else self._guard
                function = guard(plugin, name, getattr(instance, name))
                setattr(function, f"{PROJECT_NAME}_impl", options)
                setattr(guarded, name, function)
        return guarded

    def _guard(self, plugin: InstalledPlugin, hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*arguments: object) -> Any:
            try:
                with self._watchdog.watching(_Doing(plugin, hook)):
                    answer = function(*arguments)
                    if answer is not None:
                        answer = _checked(hook, plugin.name, answer)
                if self._trace:
                    _trace(plugin, hook, function, arguments, answer)
                if answer is None:
                    return None
            except BaseException as error:
                self._tell(plugin, hook, error)
                return None
            self.answered[hook.removeprefix(HOOK_PREFIX)] = plugin.name
            return answer

        return guarded

    def _guard_wrapper(self, plugin: InstalledPlugin, hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*arguments: object) -> Generator[None, Any, Any]:
            inner = function(*arguments)
            try:
                next(inner)
            except BaseException as error:
                self._tell(plugin, hook, error)
                return (yield)
            answer = yield
            try:
                inner.send(answer)
            except StopIteration as end:
                return end.value
            except BaseException as error:
                self._tell(plugin, hook, error)
            return answer

        return guarded

    def _tell(self, plugin: InstalledPlugin, hook: str, error: BaseException) -> None:
        """Raise what has to end the step, or warn of it."""
        only_told = hook == REPORTED
        if isinstance(error, KeyboardInterrupt) or (isinstance(error, JiraCiError) and not only_told):
            raise error
        failure = _failure(plugin, hook, _reason(error))
        if self.fail and not only_told:
            raise PluginError(failure) from None
        log.warning("%s: %s", failure.what, failure.why)


class _WrongAnswerError(Exception):
    """A hook answered something else than its contract says."""


def _found_keys(plugin: str, answer: Any) -> list[FoundKey]:
    if isinstance(answer, (str, Mapping)):
        raise _WrongAnswerError(f"answered {type(answer).__name__}, not a list of FoundKey")
    found = list(answer)
    for key in found:
        if not isinstance(key, FoundKey):
            raise _WrongAnswerError(f"answered a list with {type(key).__name__} in it, not FoundKey")
    return [_model(FoundKey, key).model_copy(update={"plugin": plugin}) for key in found]


def _sign_in(plugin: str, answer: Any) -> SignIn:
    sign_in = _instance(SignIn, answer)
    for name, value in {"kind": [sign_in.kind], "hosts": sign_in.hosts, "missing": sign_in.missing}.items():
        if not (isinstance(value, (tuple, list)) and all(isinstance(text, str) and text for text in value)):
            raise _WrongAnswerError(f"answered a SignIn that is none: its {name} is {getattr(sign_in, name)!r}")
    # Another plugin's wrapper sees it; a bound method would show it the plugin that it is of, credentials and all.
    return replace(sign_in, plugin=plugin, connect=lambda http: sign_in.connect(http))


def _instance(expected: type[T], answer: Any) -> T:
    if not isinstance(answer, expected):
        raise _WrongAnswerError(f"answered {type(answer).__name__}, not {expected.__name__}")
    return answer


def _model(expected: type[M], answer: Any) -> M:
    """A model, with each field checked once more: `model_copy` and `model_construct` check nothing."""
    fields = _instance(expected, answer).model_dump(warnings=False)
    try:
        return expected.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _WrongAnswerError(f"answered a {expected.__name__} that is none: {where}: {first['msg']}") from None


def _checked(hook: str, plugin: str, answer: Any) -> Any:
    check = _ANSWERS.get(hook.removeprefix(HOOK_PREFIX))
    return check(plugin, answer) if check else None


_ANSWERS: dict[str, Callable[[str, Any], Any]] = {
    "read_pipeline": lambda _, answer: _model(Pipeline, answer),
    "extract_issue_keys": _found_keys,
    "map_state": lambda _, answer: _instance(State, answer),
    "map_environment": lambda _, answer: _model(MappedEnvironment, answer),
    "authenticate": _sign_in,
    "deliver": lambda _, answer: _model(Receipt, answer),
}


def _trace(
    plugin: InstalledPlugin, hook: str, function: Callable[..., Any], arguments: Iterable[object], answer: object
) -> None:
    names = inspect.signature(function).parameters
    shown = ", ".join(f"{name}={_shown(value)}" for name, value in zip(names, arguments, strict=False))
    log.info("hook %s of %s(%s) answered %.2000r", hook.removeprefix(HOOK_PREFIX), plugin.name, shown[:4000], answer)


def _shown(value: object) -> str:
    # The environment holds credentials of others, which nobody here knows to be secret.
    return f"<{len(value)} variables>" if isinstance(value, Mapping) else repr(value)


def _failure(plugin: InstalledPlugin, hook: str, reason: str) -> Problem:
    return Problem(
        f"plugin {plugin.name} failed{f' in {hook}' if hook else ''}",
        f"{plugin.origin}: {reason}",
        f"tell its authors, or leave it out with DISABLE_PLUGINS={plugin.name}; "
        "ON_PLUGIN_ERROR=warn goes on without its answer",
    )


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, _WrongAnswerError) else f"{type(error).__name__}: {error}"


def _tell_of_changes(plugin: InstalledPlugin, hooks: Iterable[str]) -> None:
    """Warn of a hook that will change in the next version of the contract."""
    for hook in () if plugin.name in BUILT_IN else hooks:
        change = getattr(hookspecs, hook).jira_ci_spec["warn_on_impl"]
        if change is not None:
            told = "plugin %s (%s) implements %s, which is going to change: %s"
            log.warning(told, plugin.name, plugin.origin, hook, change)


def _declared_settings(plugin: InstalledPlugin) -> tuple[SettingSpec, ...]:
    made_for = getattr(plugin.loaded, "CONTRACT", CONTRACT_VERSION)
    if made_for != CONTRACT_VERSION:
        raise ValueError(f"it was made for version {made_for} of the contract; this core has {CONTRACT_VERSION}")
    model = getattr(plugin.loaded, "Settings", None) if inspect.isclass(plugin.loaded) else None
    if model is None:
        return ()
    if not (inspect.isclass(model) and issubclass(model, PluginSettings)):
        raise ValueError("its Settings is not a subclass of PluginSettings")
    return setting_specs(model, plugin.name)


def _hooks(loaded: object) -> tuple[str, ...]:
    """The hooks a plugin implements. Raises ValueError where one is misspelt or not marked."""
    marker = f"{PROJECT_NAME}_impl"
    found = []
    for name in (name for name in dir(loaded) if not name.startswith("__")):
        function = inspect.getattr_static(loaded, name, None)
        marked = getattr(getattr(function, "__func__", function), marker, None) is not None
        if marked and name not in HOOKS:
            from difflib import get_close_matches

            near = get_close_matches(name, HOOKS, n=1)
            raise ValueError(f"there is no hook {name}{f'; did you mean {near[0]}?' if near else ''}")
        if name in HOOKS and inspect.isroutine(function) and not marked:
            raise ValueError(f"{name} is not marked with @hookimpl")
        if marked:
            found.append(name)
    return tuple(name for name in HOOKS if name in found)


class _CarefulEntryPoint:
    """An entry point whose module may do anything while it is imported, even exit."""

    def __init__(self, entry_point: EntryPoint, plugin: InstalledPlugin, watchdog: Watchdog) -> None:
        self._entry_point = entry_point
        self._plugin = plugin
        self._watchdog = watchdog

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry_point, name)

    def load(self) -> Any:
        try:
            with self._watchdog.watching(_Doing(self._plugin, "its import")):
                return self._entry_point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ImportError(_reason(error)) from error


class _Found(ExtensionManager[Any]):
    """stevedore's manager without its cache, which writes to the home directory and forgets the distribution."""

    def __init__(self, points: Mapping[EntryPoint, InstalledPlugin], watchdog: Watchdog) -> None:
        self.points = points
        self.watchdog = watchdog
        self.errors: dict[EntryPoint, str] = {}
        super().__init__(ENTRY_POINT_GROUP, on_load_failure_callback=_note_error)

    def list_entry_points(self) -> list[EntryPoint]:
        return [
            cast(EntryPoint, _CarefulEntryPoint(point, plugin, self.watchdog)) for point, plugin in self.points.items()
        ]


def _note_error(manager: ExtensionManager[Any], point: EntryPoint, error: BaseException) -> None:
    cast(_Found, manager).errors[point] = str(error)


def _discover(choice: PluginChoice, watchdog: Watchdog) -> list[InstalledPlugin]:
    """Import what is chosen; local ones, then those of others by name, then core's own."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value))
    own = [EntryPoint(name, module, ENTRY_POINT_GROUP) for name, module in BUILT_IN.items()]
    points_of = {
        **{
            point: InstalledPlugin(point.name, functools.partial(_name_and_version, point.dist), point.value)
            for point in points
        },
        **{point: InstalledPlugin(point.name, _core, point.value) for point in own},
    }
    off = {point: _why_off(point.name, choice) for point in points_of}
    found = _Found({point: plugin for point, plugin in points_of.items() if not off[point]}, watchdog)
    loaded = {(extension.name, extension.entry_point_target): extension.plugin for extension in found.extensions}
    errors = {(point.name, point.value): error for point, error in found.errors.items()}
    plugins = [_local(Path(file), watchdog) for file in choice.local_plugins]
    for point, plugin in points_of.items():
        place = point.name, point.value
        if off[point]:
            plugins.append(replace(plugin, state="off", reason=off[point]))
        elif place in errors:
            plugins.append(replace(plugin, state="failed", reason=errors[place]))
        else:
            plugins.append(replace(plugin, loaded=of_module(loaded[place])))
    return plugins


def _local(file: Path, watchdog: Watchdog) -> InstalledPlugin:
    """A plugin without a package: a file with hook functions, or with a class named `Plugin`."""
    name = file.stem.replace("_", "-")
    plugin = InstalledPlugin(name, lambda: ("local file", ""), str(file))
    try:
        spec = spec_from_file_location(f"jira_ci_local_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise ImportError("it is no Python file: its name does not end in .py")
        module = module_from_spec(spec)
        with watchdog.watching(_Doing(plugin, "its import")):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return replace(plugin, state="failed", reason=_reason(error))
    return replace(plugin, loaded=of_module(module))


def of_module(loaded: Any) -> Any:
    """What takes part of a module: its class `Plugin`, where it has one, else its hook functions."""
    return getattr(loaded, "Plugin", loaded) if inspect.ismodule(loaded) else loaded


def _name_and_version(distribution: Distribution | None) -> tuple[str, str]:
    if distribution is None:
        return "", ""
    metadata = distribution.metadata  # read anew each time that it is asked for
    return metadata["Name"], metadata["Version"]


def _core() -> tuple[str, str]:
    return "jira-ci-core", version("jira-ci-core")


def _why_off(name: str, choice: PluginChoice) -> str:
    if name in choice.disable_plugins:
        return "DISABLE_PLUGINS names it"
    if choice.plugins is not None and name not in choice.plugins and name not in BUILT_IN:
        return "PLUGINS does not name it"
    return ""
