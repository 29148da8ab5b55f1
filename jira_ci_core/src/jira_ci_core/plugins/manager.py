"""The plugins of one run: choosing, constructing and calling them, with a plugin's name on each answer and error.

pluggy calls them. Core's own are registered in the same way as any other.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pluggy

from jira_ci_core import hookspecs
from jira_ci_core.config.resolve import resolve
from jira_ci_core.config.settings import NetworkSettings, PluginChoice, Settings
from jira_ci_core.config.sources import Sources
from jira_ci_core.config.specs import SettingSpec, setting_specs
from jira_ci_core.errors import JiraCiError, PluginError, SettingsError
from jira_ci_core.hookspecs import PROJECT_NAME
from jira_ci_core.net.connection import Connection, SignIn
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.discovery import Activity, InstalledPlugin, discover, reason_of
from jira_ci_core.plugins.validation import (
    HOOK_PREFIX,
    InvalidAnswerError,
    InvalidPluginError,
    PluginManager,
    check_contract,
    checked_answer,
    coming_changes,
    constants_of,
    delivery_constants,
    hooks_of,
    settings_of,
    unknown_hook,
)
from jira_ci_core.problem import Problem
from jira_ci_core.watchdog import Watchdog, report_hang

if TYPE_CHECKING:
    import click

    from jira_ci_core.models import (
        FoundKey,
        Kind,
        MappedEnvironment,
        Pipeline,
        Receipt,
        Report,
        Retraction,
        Site,
        SkipReason,
        State,
    )
    from jira_ci_core.net.client import Http

log = logging.getLogger(__name__)

# How much a line of the trace shows of each.
LONGEST_ARGUMENTS = 4000
LONGEST_ANSWER = 2000
LONGEST_SOURCE = 200
"""How much of the place where a key was found is shown: the name of a branch, a tag, a trailer."""


class Plugins:
    """The plugins of one run. The constructor imports the chosen plugins; `start` registers them."""

    def __init__(
        self,
        choice: PluginChoice,
        found: Iterable[InstalledPlugin] | None = None,
        secrets: Secrets | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`found` are the plugins to choose from, by default the installed ones, of which those for other CIs are off.

        The CI is told by `environ`; without it, the readers of all CIs are on. `secrets` are masked in the trace.
        """
        self._secrets = secrets or Secrets()
        self.failures: list[Problem] = []
        """What is wrong with plugins that could not be used."""
        self.answered: dict[str, str] = {}
        """Hook to the plugin whose answer came last."""
        self.fail = choice.on_plugin_error == "fail"
        """Whether a failing plugin ends the step."""
        self._timeout = choice.plugin_timeout
        self._watchdog = Watchdog(self._timeout, report_hang)
        self._pluggy = PluginManager(PROJECT_NAME)
        self._pluggy.add_hookspecs(hookspecs)
        self._traced = threading.local()
        """The arguments of the hook call that this thread makes; only for the trace."""
        if choice.trace_hooks:
            self._pluggy.add_hookcall_monitoring(self._begin_trace, lambda *call: None)
        self._installed: dict[str, InstalledPlugin] = {}
        core = (*setting_specs(Settings, "core"), *setting_specs(NetworkSettings, "core"))
        self._owners = {name: "core" for setting in core for name in setting.names}
        for plugin in discover(choice, self._watchdog, environ) if found is None else found:
            self._add(plugin)

    # Inspection.

    @property
    def installed(self) -> tuple[InstalledPlugin, ...]:
        """All of them: those of others by name, then core's own in call order."""
        return tuple(self._installed.values())

    @property
    def settings(self) -> tuple[SettingSpec, ...]:
        return tuple(setting for plugin in self.installed for setting in plugin.settings)

    def is_installed(self, name: str) -> bool:
        return name in self._installed

    def is_on(self, name: str) -> bool:
        return name in self._installed and self._installed[name].state == "on"

    def implementers(self, hook: str) -> list[str]:
        """The plugins that implement a hook (named without its prefix), in call order; wrappers come first."""
        return [implementation.plugin_name for implementation in self._implementations(hook)]

    def readers(self) -> dict[str, tuple[str, ...]]:
        """The plugins that recognise a CI, each with what it is recognised by, in call order."""
        functions = {one.plugin_name: one.function for one in self._implementations("read_pipeline")}
        known = [plugin for plugin in self.installed if plugin.state in ("on", "idle")]
        signs = {one.name: getattr(functions.get(one.name), "recognised_by", one.conditions) for one in known}
        return {name: conditions for name, conditions in signs.items() if conditions}

    def state_words(self, ci: str) -> list[str]:
        """The words for states that plugins list, in call order, those of the CI among them."""
        functions = [implementation.function for implementation in self._implementations("map_state")]
        lists = [(*getattr(one, "words", ()), *getattr(one, "words_of_ci", {}).get(ci, ())) for one in functions]
        return list(dict.fromkeys(word for words in lists for word in words))

    def delivery_constant(self, plugin: str, name: str) -> bool:
        """What a plugin that delivers says of itself in one of `DELIVERY_CONSTANTS`."""
        return delivery_constants(constants_of(self._installed[plugin].loaded, self._installed[plugin].module))[name]

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._pluggy.hook, HOOK_PREFIX + hook)
        return caller.get_hookimpls()[::-1]

    # The hooks, as the rest of core calls them.

    def read_pipeline(self, environ: Mapping[str, str]) -> Pipeline | None:
        """What the first reader says that knows this CI."""
        return cast("Pipeline | None", self._pluggy.hook.jira_ci_read_pipeline(environ=environ))

    def extract_issue_keys(
        self, pipeline: Pipeline, environ: Mapping[str, str], settings: Settings
    ) -> list[FoundKey | Retraction]:
        """The keys that all extractors find or take back, in call order."""
        answers = self._pluggy.hook.jira_ci_extract_issue_keys(pipeline=pipeline, environ=environ, settings=settings)
        found = [key for answer in answers for key in answer]
        return [key.model_copy(update={"source": self._secrets.shorten(key.source, LONGEST_SOURCE)}) for key in found]

    def map_state(self, status: str, kind: Kind, pipeline: Pipeline, settings: Settings) -> State | SkipReason | None:
        """What a word means: a state, or that nothing happened; None where no plugin knows the word."""
        hook = self._pluggy.hook.jira_ci_map_state
        answer = hook(status=status, kind=kind, pipeline=pipeline, settings=settings)
        return cast("State | SkipReason | None", answer)

    def map_environment(self, name: str, settings: Settings) -> MappedEnvironment | None:
        """Type and id of an environment; None where no plugin knows the name."""
        answer = self._pluggy.hook.jira_ci_map_environment(name=name, settings=settings)
        return cast("MappedEnvironment | None", answer)

    def authenticate(self, site: Site | None, settings: Settings) -> list[SignIn]:
        """All ways to sign in that have at least part of their settings."""
        return list(self._pluggy.hook.jira_ci_authenticate(site=site, settings=settings))

    def deliver(
        self,
        reports: Sequence[Report],
        connect: Callable[[], Connection],
        http: Http,
        settings: Settings,
        leave_out: Collection[str] = (),
    ) -> Receipt | None:
        """The first receipt; `leave_out` are the names of plugins that are not asked. None where no plugin delivers."""
        hook = self._pluggy.subset_hook_caller("jira_ci_deliver", [self._pluggy.get_plugin(name) for name in leave_out])
        return cast("Receipt | None", hook(reports=reports, connect=connect, http=http, settings=settings))

    def reported(self, pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: Settings) -> None:
        """Tell all plugins how a run ended."""
        self._pluggy.hook.jira_ci_reported(pipeline=pipeline, reports=reports, receipt=receipt, settings=settings)

    def register_commands(self, cli: click.Group) -> None:
        """Have all plugins add their commands."""
        self._pluggy.hook.jira_ci_register_commands(cli=cli)

    def connect(self, sign_in: SignIn, http: Http) -> Connection:
        """Sign in. An error in the plugin, now or when it signs a request, has the plugin's name on it."""
        from jira_ci_core.net.auth import CallbackAuth

        name = sign_in.plugin
        connection: Connection = self._call(name, "connect", sign_in.connect, http)
        if not isinstance(connection, Connection):
            raise self.failure(name, "connect", f"answered {type(connection).__name__}, not Connection")
        for url in (connection.builds_url, connection.deployments_url):
            if not isinstance(url, str):
                raise self.failure(name, "connect", f"answered an invalid Connection: {url!r} is not an address")
        auth = CallbackAuth(lambda request: self._call(name, "auth", connection.auth, request))
        return replace(connection, auth=auth, renew=lambda: self._call(name, "renew", connection.renew))

    def failure(self, name: str, hook: str, reason: str) -> PluginError:
        return PluginError(self._installed[name].failure(reason, hook))

    # Timeouts.

    def extend_timeout(self, seconds: float) -> None:
        """Let each call take that much longer: what waits for the network has a deadline of its own."""
        self._watchdog.seconds = self._timeout + seconds

    def disable_timeout(self) -> None:
        """Never end the process because a plugin hangs: the caller has a time limit of its own."""
        self._watchdog.disable()

    # Registration.

    def start(self, sources: Sources) -> list[Problem]:
        """Construct and register all that are on; answers what is wrong with their settings."""
        # pluggy asks the one registered last first, and those with `trylast` in the order of their registration.
        others = [plugin for plugin in reversed(self.installed) if not plugin.is_built_in]
        own = [plugin for plugin in self.installed if plugin.is_built_in]
        return [problem for one in (*others, *own) if one.state == "on" for problem in self._start(one, sources)]

    def _add(self, plugin: InstalledPlugin) -> None:
        other = self._installed.get(plugin.name)
        if other is not None:
            both = f"{other.origin} ({other.target}) and {plugin.origin} ({plugin.target})"
            self._fail(other, f"another plugin has the same name: {both}")
            return
        self._installed[plugin.name] = plugin
        if plugin.state == "off":
            self._pluggy.set_blocked(plugin.name)
        elif plugin.state == "failed":
            self._fail(plugin, plugin.reason)
        elif plugin.state == "on":
            try:
                self._check(plugin)
            except Exception as error:  # looking at a plugin may run its code
                self._fail(plugin, str(error) if isinstance(error, InvalidPluginError) else reason_of(error))

    def _check(self, plugin: InstalledPlugin) -> None:
        """Note what a plugin declares. Raises InvalidPluginError."""
        twin = next((one for one in self.installed if one.loaded is plugin.loaded and one.name != plugin.name), None)
        if twin is not None:
            raise InvalidPluginError(f"it is registered twice: {plugin.target} is the plugin {twin.name} as well")
        constants = constants_of(plugin.loaded, plugin.module)
        check_contract(constants)
        settings = settings_of(plugin.loaded, plugin.name)
        hooks = hooks_of(plugin.loaded, self._pluggy.parse_hookimpl_opts)
        if "jira_ci_deliver" in hooks:
            delivery_constants(constants)
        self._installed[plugin.name] = replace(plugin, hooks=hooks, settings=settings)
        for setting in settings:
            for name in setting.names:
                owner = self._owners.setdefault(name, plugin.name)
                if owner != plugin.name:
                    raise InvalidPluginError(f"it declares the setting {name.upper()}, and so does {owner}")
        for hook, change in () if plugin.is_built_in else coming_changes(hooks):
            message = "plugin %s (%s) implements %s, which is going to change: %s"
            log.warning(message, plugin.name, plugin.origin, hook, change)

    def _fail(self, plugin: InstalledPlugin, reason: str) -> None:
        self._installed[plugin.name] = replace(plugin, state="failed", reason=reason, hooks=())
        self.failures.append(plugin.failure(reason))

    def _start(self, plugin: InstalledPlugin, sources: Sources) -> Sequence[Problem]:
        problems: Sequence[Problem] = ()
        try:
            instance, problems = self._construct(plugin, sources)
            if not problems:
                self._register(plugin, instance)
        except SettingsError as error:
            problems = error.problems
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._fail(plugin, str(error) if isinstance(error, InvalidPluginError) else reason_of(error))
        if problems:
            self._installed[plugin.name] = replace(plugin, state="failed", reason=problems[0].what)
        return problems

    def _construct(self, plugin: InstalledPlugin, sources: Sources) -> tuple[object, Sequence[Problem]]:
        if not inspect.isclass(plugin.loaded):
            return plugin.loaded, ()
        arguments: list[object] = []
        model = getattr(plugin.loaded, "Settings", None)
        if model is not None:
            values, problems = resolve(model, plugin.settings, sources)
            if problems:
                return None, problems
            arguments = [values]
        with self._watchdog.watching(Activity(plugin, "its construction")):
            return plugin.loaded(*arguments), ()

    def _register(self, plugin: InstalledPlugin, instance: object) -> None:
        """Register a plugin, and guard its hook functions. Raises InvalidPluginError where a hook is misspelt."""
        self._pluggy.register(instance, plugin.name)
        try:
            self._pluggy.check_pending()
        except pluggy.PluginValidationError:
            unknown = next(
                caller.name
                for caller in self._pluggy.get_hookcallers(instance) or ()
                if not caller.has_spec() and not all(one.optionalhook for one in caller.get_hookimpls())
            )
            self._pluggy.unregister(name=plugin.name)
            raise InvalidPluginError(unknown_hook(unknown)) from None
        for caller in self._pluggy.get_hookcallers(instance) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is instance:
                    wraps = implementation.wrapper or implementation.hookwrapper
                    guard = self._guard_wrapper if wraps else self._guard
                    # pluggy has no way to put a function around one implementation.
                    implementation.function = guard(plugin, caller.name, implementation)  # type: ignore[misc]

    # Calling plugins.

    def _guard(self, plugin: InstalledPlugin, hook: str, implementation: pluggy.HookImpl) -> Callable[..., Any]:
        function: Callable[..., Any] = implementation.function
        short_name = hook.removeprefix(HOOK_PREFIX)

        @functools.wraps(function)
        def guarded(*arguments: object) -> Any:
            try:
                with self._watchdog.watching(Activity(plugin, hook)):
                    answer = function(*arguments)
                    if answer is not None:
                        answer = checked_answer(hook, plugin.name, answer)
            except BaseException as error:
                self._handle(plugin, hook, error)
                return None
            if takes := getattr(self._traced, "arguments", None):
                shown = ", ".join(f"{name}={_shown(takes[name])}" for name in implementation.argnames if name in takes)
                shown = self._secrets.shorten(shown, LONGEST_ARGUMENTS)
                answered = self._secrets.shorten(repr(answer), LONGEST_ANSWER)
                log.info("hook %s of %s(%s) answered %s", short_name, plugin.name, shown, answered)
            if answer is not None:
                self.answered[short_name] = plugin.name
            return answer

        return guarded

    def _guard_wrapper(self, plugin: InstalledPlugin, hook: str, implementation: pluggy.HookImpl) -> Callable[..., Any]:
        function: Callable[..., Any] = implementation.function

        @functools.wraps(function)
        def guarded(*arguments: object) -> Generator[None, Any, Any]:
            inner = function(*arguments)
            try:
                next(inner)
            except BaseException as error:
                self._handle(plugin, hook, error)
                return (yield)
            answer = yield
            try:
                inner.send(answer)
            except StopIteration as end:
                return end.value
            except BaseException as error:
                self._handle(plugin, hook, error)
            return answer

        return guarded

    def _handle(self, plugin: InstalledPlugin, hook: str, error: BaseException) -> None:
        """Raise what has to end the step, or warn of it."""
        is_last = hook == "jira_ci_reported"  # called when all is done, so that a failure in it can only be a warning
        if isinstance(error, KeyboardInterrupt) or (isinstance(error, JiraCiError) and not is_last):
            raise error
        failure = plugin.failure(str(error) if isinstance(error, InvalidAnswerError) else reason_of(error), hook)
        if self.fail and not is_last:
            raise PluginError(failure) from None
        log.warning("%s", failure)

    def _call(self, name: str, what: str, function: Callable[..., Any], *arguments: object) -> Any:
        """Call something that a plugin has handed out."""
        try:
            with self._watchdog.watching(Activity(self._installed[name], what)):
                return function(*arguments)
        except (JiraCiError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self.failure(name, what, reason_of(error)) from None

    def _begin_trace(self, hook: str, implementations: object, arguments: Mapping[str, object]) -> None:
        self._traced.arguments = arguments


def _shown(value: object) -> str:
    # The environment holds credentials of other tools, which core does not know to be secret.
    return f"<{len(value)} variables>" if isinstance(value, Mapping) else repr(value)
