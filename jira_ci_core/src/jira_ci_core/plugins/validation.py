"""What a plugin must be like: its contract, settings, hooks and constants, and the answers of its hooks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pluggy
from pydantic import ValidationError

from jira_ci_core import hookspecs
from jira_ci_core.config.settings import PluginSettings
from jira_ci_core.config.specs import SettingSpec, setting_specs
from jira_ci_core.hookspecs import CONTRACT_VERSION, PROJECT_NAME
from jira_ci_core.models import FoundKey, MappedEnvironment, Model, Pipeline, Receipt, Retraction, SkipReason, State
from jira_ci_core.net.connection import SignIn

T = TypeVar("T")
M = TypeVar("M", bound=Model)

HOOK_PREFIX = f"{PROJECT_NAME}_"
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(HOOK_PREFIX))

DELIVERY_CONSTANTS = {"NEEDS_SIGN_IN": True, "THREAD_SAFE": False, "ONLY_WHEN_NAMED": False}
"""What a plugin that delivers may say of itself, in its module or class, and what holds if it says nothing."""


class PluginManager(pluggy.PluginManager):
    """pluggy's, without a look at the many names that no hook function can have."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        return None if name.startswith("__") else super().parse_hookimpl_opts(plugin, name)


class InvalidPluginError(Exception):
    """A plugin that breaks the contract, and how."""


class InvalidAnswerError(Exception):
    """A hook answered something else than its contract says."""


def constants_of(loaded: object, module: object) -> dict[str, object]:
    """All that a plugin says in its module and in its class, which wins. Runs none of its code."""
    return {**_members_of(module), **_members_of(loaded)}


def _members_of(place: object) -> dict[str, object]:
    """What stands in a module, a class or an object, without asking its descriptors, as `getattr_static` does it."""
    classes = place.__mro__ if inspect.isclass(place) else type(place).__mro__
    members = {name: member for one in reversed(classes) for name, member in vars(one).items()}
    return {**members, **getattr(place, "__dict__", {})}


def check_contract(constants: Mapping[str, object]) -> None:
    """Raise InvalidPluginError where a plugin was made for another version of the contract."""
    made_for = constants.get("CONTRACT", CONTRACT_VERSION)
    if made_for != CONTRACT_VERSION:
        raise InvalidPluginError(f"it was made for contract version {made_for}; this core has {CONTRACT_VERSION}")


def settings_of(loaded: object, name: str) -> tuple[SettingSpec, ...]:
    """The settings that a plugin declares. Raises InvalidPluginError where its `Settings` are none."""
    model = getattr(loaded, "Settings", None) if inspect.isclass(loaded) else None
    if model is None:
        return ()
    if not (inspect.isclass(model) and issubclass(model, PluginSettings)):
        raise InvalidPluginError("its Settings is not a subclass of PluginSettings")
    return setting_specs(model, name)


def hooks_of(loaded: object, options_of: Callable[[object, str], Mapping[str, Any] | None]) -> tuple[str, ...]:
    """The hooks that a plugin implements, in the order of the contract.

    `options_of` is pluggy's `parse_hookimpl_opts`. Raises InvalidPluginError if a function with a hook's name is not
    marked with `@hookimpl`, or has a name that only begins like a hook's.
    """
    found = set()
    for name, member in _members_of(loaded).items():
        options = options_of(loaded, name)
        if options is not None:
            found.add(options.get("specname") or name)
        elif name.startswith(HOOK_PREFIX) and inspect.isroutine(member):
            raise InvalidPluginError(f"{name} is not marked with @hookimpl" if name in HOOKS else unknown_hook(name))
    return tuple(hook for hook in HOOKS if hook in found)


def coming_changes(hooks: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Of these hooks, those that are going to change, and how."""
    for hook in hooks:
        change = getattr(hookspecs, hook).jira_ci_spec["warn_on_impl"]
        if change is not None:
            yield hook, change


def unknown_hook(name: str) -> str:
    """What is wrong with a hook function whose hook is not in the contract."""
    near = _nearest(name.removeprefix(HOOK_PREFIX), [hook.removeprefix(HOOK_PREFIX) for hook in HOOKS], HOOK_PREFIX)
    return f"there is no hook {name}{near}"


def delivery_constants(constants: Mapping[str, object]) -> dict[str, bool]:
    """The value of each of `DELIVERY_CONSTANTS`. Raises InvalidPluginError if one is misspelt, or is not a bool."""
    for name, value in constants.items():
        if name in DELIVERY_CONSTANTS:
            if not isinstance(value, bool):
                raise InvalidPluginError(f"its {name} is {value!r}; it must be True or False")
        elif (
            isinstance(value, bool)
            and name != "TYPE_CHECKING"
            and (near := _nearest(name.upper(), DELIVERY_CONSTANTS, cutoff=0.75))
        ):
            raise InvalidPluginError(f"{name} is not a known constant{near}")
    return {name: bool(constants.get(name, default)) for name, default in DELIVERY_CONSTANTS.items()}


def checked_answer(hook: str, plugin: str, answer: object) -> Any:
    """The answer of a hook, checked and with the plugin's name where it has one. Raises InvalidAnswerError."""
    check = _CHECKS.get(hook)
    return check(plugin, answer) if check else None


def _found_keys(plugin: str, answer: Any) -> list[FoundKey | Retraction]:
    if isinstance(answer, (str, Mapping)):
        raise InvalidAnswerError(f"answered {type(answer).__name__}, not a list of FoundKey")
    found = list(answer)
    for key in found:
        if not isinstance(key, (FoundKey, Retraction)):
            raise InvalidAnswerError(f"answered a list with {type(key).__name__} in it, not FoundKey")
    return [_model(type(key), key).model_copy(update={"plugin": plugin}) for key in found]


def _sign_in(plugin: str, answer: Any) -> SignIn:
    sign_in = _instance(SignIn, answer)
    for name, value in {"kind": [sign_in.kind], "hosts": sign_in.hosts, "missing": sign_in.missing}.items():
        if not (isinstance(value, (tuple, list)) and all(isinstance(text, str) and text for text in value)):
            raise InvalidAnswerError(f"answered an invalid SignIn: its {name} is {getattr(sign_in, name)!r}")
    return replace(sign_in, plugin=plugin)


def _meaning(plugin: str, answer: Any) -> State | SkipReason:
    return answer if answer is SkipReason.NOTHING_HAPPENED else _instance(State, answer)


def _instance(expected: type[T], answer: Any) -> T:
    if not isinstance(answer, expected):
        raise InvalidAnswerError(f"answered {type(answer).__name__}, not {expected.__name__}")
    return answer


def _model(expected: type[M], answer: Any) -> M:
    """A model, with each field checked once more: `model_copy` and `model_construct` check nothing."""
    fields = _instance(expected, answer).model_dump(warnings=False)
    try:
        return expected.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidAnswerError(f"answered an invalid {expected.__name__}: {where}: {first['msg']}") from None


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "jira_ci_read_pipeline": lambda _, answer: _model(Pipeline, answer),
    "jira_ci_extract_issue_keys": _found_keys,
    "jira_ci_map_state": _meaning,
    "jira_ci_map_environment": lambda _, answer: _model(MappedEnvironment, answer),
    "jira_ci_authenticate": _sign_in,
    "jira_ci_deliver": lambda _, answer: _model(Receipt, answer),
}


def _nearest(name: str, known: Iterable[str], prefix: str = "", cutoff: float = 0.6) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {prefix}{near[0]}?" if near else ""
