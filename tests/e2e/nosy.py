"""A plugin that looks at every argument of every hook, as deep as it gets, and writes down what it saw.

A function's closure and its globals are not looked into: whoever goes there, in a process that is also his, can go
anywhere. What an argument holds, shows, or can be turned into is all of it that was handed to a plugin.
"""

from __future__ import annotations

import contextlib
import gc
import json
import pickle
import types
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel

from jira_ci_core import PluginSettings, Secret, hookimpl, setting

DEEPEST = 12
# What leads anywhere in the process.
ANYWHERE = type, types.ModuleType, types.CodeType, types.FrameType, types.BuiltinFunctionType


def seen_in(value: object, seen: dict[int, object], depth: int = 0) -> list[str]:
    """Every text that this value shows or holds."""
    if id(value) in seen or depth > DEEPEST or isinstance(value, ANYWHERE):
        return []
    seen[id(value)] = value  # kept alive, or another one might get its id
    texts = [attempt(repr, value), attempt(str, value), attempt(lambda: f"{value}")]
    texts += [attempt(lambda: repr(pickle.dumps(value))), attempt(lambda: json.dumps(value))]
    if isinstance(value, BaseModel):
        texts += [attempt(value.model_dump), attempt(value.model_dump_json)]
    if not isinstance(value, (str, bytes, int, float, type(None))):
        for one in inside(value):
            texts += seen_in(one, seen, depth + 1)
    return texts


def inside(value: object) -> list[object]:
    """What a value holds: its items, what Python's own memory knows it to refer to, and its attributes."""
    if isinstance(value, types.FunctionType):
        return [value.__defaults__, value.__kwdefaults__, value.__dict__]
    found = gc.get_referents(value)
    with contextlib.suppress(Exception):
        found += [*value.items()] if isinstance(value, Mapping) else [*value] if isinstance(value, Collection) else []
    for name in dir(value):
        if not name.startswith("__") or name in ("__self__", "__wrapped__", "__func__", "__dict__"):
            with contextlib.suppress(Exception):
                found.append(getattr(value, name))
    return found


def attempt(function, *arguments: object) -> str:
    try:
        return str(function(*arguments))
    except Exception as error:
        return str(error)


class Nosy:
    CONTRACT = 1

    class Settings(PluginSettings):
        nosy_file: str | None = setting(None, help="where to write what was seen")
        nosy_token: Secret | None = setting(None, help="a credential of its own, to show that it can see one")

    def __init__(self, settings: Settings) -> None:
        self._file = settings.nosy_file and Path(settings.nosy_file)
        self._note("settings_of_its_own", settings=settings)

    def _note(self, hook: str, **arguments: object) -> None:
        if self._file:
            with self._file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                for name, value in arguments.items():
                    texts = seen_in(value, {id(self): self})
                    file.write(json.dumps({"hook": hook, "argument": name, "texts": texts}) + "\n")

    @hookimpl
    def jira_ci_read_pipeline(self, environ):
        self._note("read_pipeline", environ=environ)

    @hookimpl
    def jira_ci_extract_issue_keys(self, pipeline, settings):
        self._note("extract_issue_keys", pipeline=pipeline, settings=settings)

    @hookimpl
    def jira_ci_map_state(self, status, kind, pipeline, settings):
        self._note("map_state", status=status, kind=kind, pipeline=pipeline, settings=settings)

    @hookimpl
    def jira_ci_map_environment(self, name, settings):
        self._note("map_environment", name=name, settings=settings)

    @hookimpl(wrapper=True)
    def jira_ci_authenticate(self, site, settings):
        self._note("authenticate", site=site, settings=settings)
        offers = yield
        self._note("authenticate", offers=offers)
        return offers

    @hookimpl(wrapper=True)
    def jira_ci_deliver(self, reports, connect, http, settings):
        self._note("deliver", reports=reports, connect=connect, http=http, settings=settings)
        receipt = yield
        # What has been signed in and sent meanwhile must not show, either.
        self._note("deliver", receipt=receipt, connect=connect, http=http, connection=connect())
        return receipt

    @hookimpl
    def jira_ci_reported(self, pipeline, reports, receipt, settings):
        self._note("reported", pipeline=pipeline, reports=reports, receipt=receipt, settings=settings)

    @hookimpl
    def jira_ci_register_commands(self, cli):
        self._note("register_commands", cli=cli)
