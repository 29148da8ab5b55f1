"""The lines of a backfill file: each one build or deployment, as JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic import ValidationError

from jira_ci_core.config.settings import Settings
from jira_ci_core.models import Build, Deployment, EnvironmentType, Kind, Pipeline, Report, Site, SkipReason, State
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting.identity import environment_id

LONGEST_LINE = 2**20
"""In bytes."""
_STATES = frozenset(State)


class BadLineError(Exception):
    """A line is neither a build nor a deployment; the text says why."""


@dataclass(frozen=True)
class Position:
    """A place between two lines of a file: its offset in bytes, and the number of lines before it."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True)
class Line:
    """A line as it was read; `text` is at most its first `LONGEST_LINE` bytes."""

    before: Position
    after: Position
    text: bytes
    is_cut: bool

    @property
    def number(self) -> int:
        """The number of the line, 1 for the first."""
        return self.after.line


def read_lines(file: BinaryIO, start: Position) -> Iterator[Line]:
    """The lines of a file that stands at `start`; of a line longer than `LONGEST_LINE` only the beginning."""
    before = start
    while text := file.readline(LONGEST_LINE):
        size, last = len(text), text
        while not last.endswith(b"\n") and (last := file.readline(LONGEST_LINE)):
            size += len(last)
        after = Position(before.offset + size, before.line + 1)
        yield Line(before, after, text, is_cut=size > len(text))
        before = after


class LineParser:
    """Parses lines into reports, with the same plugins for states and environments as `jira-ci report`."""

    def __init__(self, plugins: Plugins, settings: Settings, site: Site, redact: Callable[[str], str] = str) -> None:
        self._settings = settings
        self._site = site
        self._redact = redact
        # The same few words and names are repeated throughout a file; the caches must not grow with it.
        self._state = functools.lru_cache(1000)(
            lambda word, kind: plugins.map_state(word, kind, Pipeline(ci="backfill"), settings)
        )
        self._environment = functools.lru_cache(1000)(lambda name: plugins.map_environment(name, settings))

    def parse(self, line: Line) -> Report | None:
        """The report in a line; its sequence is 0 if the line has none. None if its state says that nothing happened.

        Raises BadLineError.
        """
        if line.is_cut:
            raise BadLineError(f"it is longer than {LONGEST_LINE // 2**20} MiB")
        try:
            fields = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            raise BadLineError(f"it is not JSON ({error})") from None
        if not isinstance(fields, dict):
            raise BadLineError("it is not a JSON object")
        kind = fields.setdefault("kind", Kind.DEPLOYMENT if "environment" in fields else Kind.BUILD)
        if kind not in ("build", "deployment"):
            raise BadLineError("kind: it is neither build nor deployment")
        fields.setdefault("sequence", 0)
        self._complete(fields, Kind(kind))
        if fields.get("state") is SkipReason.NOTHING_HAPPENED:
            return None
        model: type[Build | Deployment] = Build if kind == Kind.BUILD else Deployment
        try:
            entity = model.model_validate(fields)
            report = Report(site=self._site, entity=entity, properties=self._settings.properties)
        except ValidationError as error:
            text = line.text.decode(errors="replace")
            if self._redact(text) != text:  # A reason may quote a part of it.
                raise BadLineError("it is not valid, and holds a credential (not shown)") from None
            raise BadLineError("; ".join(map(_reason, error.errors(include_url=False, include_input=False)))) from None
        return report.ready_to_cut(self._redact)

    def _complete(self, fields: dict[str, Any], kind: Kind) -> None:
        """Fill in fields that follow from others; a malformed one is left to the model."""
        pipeline = _named(fields, "pipeline")
        if "id" in pipeline:
            pipeline.setdefault("name", pipeline["id"])
            if "url" in fields:
                pipeline.setdefault("url", fields["url"])
            fields.setdefault("name", f"{pipeline['name']} #{fields.get('number')}")
        for field in ("issue_keys", "service_ids", "repository_ids"):
            values = fields.get(field)
            if isinstance(values, str):
                fields[field] = values.replace(",", " ").split()
            elif isinstance(values, list):  # an id may stand there as a number
                fields[field] = [str(value) if type(value) is int else value for value in values]
        state = fields.get("state")
        if isinstance(state, str) and state and state not in _STATES:
            fields["state"] = self._state(state, kind) or state
        environment = _named(fields, "environment", by="name")
        if isinstance(name := environment.get("name"), str) and name:
            mapped = self._environment(name)
            environment.setdefault("id", (mapped.id if mapped else None) or environment_id(name, self._redact))
            environment.setdefault("type", mapped.type if mapped else EnvironmentType.UNMAPPED)


def _named(fields: dict[str, Any], field: str, by: str = "id") -> dict[str, Any]:
    """The object in a field, even if only its id or name is given; an unused empty one if it is malformed."""
    value = fields.get(field)
    if isinstance(value, str) and value:
        fields[field] = {by: value}
    return fields[field] if isinstance(fields.get(field), dict) else {}


def _reason(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    return f"{where}: {error['msg']}" if where else str(error["msg"])
