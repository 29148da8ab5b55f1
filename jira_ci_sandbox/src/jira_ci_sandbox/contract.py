"""The contract of Jira's bulk calls: pure functions that say what is wrong with a request or an entity.

Every function returns sentences, one for each problem: the path of the field, what is wrong, and the rule. An empty
list means that Jira would accept it. An entity is a decoded JSON value of any shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

Kind: TypeAlias = Literal["builds", "deployments"]
Json: TypeAlias = Any
Check: TypeAlias = Callable[[str, Json], Iterator[str]]

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
MAX_VALUES = 500

BUILD_STATES = ("pending", "in_progress", "successful", "failed", "cancelled", "unknown")
DEPLOYMENT_STATES = (*BUILD_STATES, "rolled_back")
ENVIRONMENT_TYPES = ("unmapped", "development", "testing", "staging", "production")
ISSUE_ASSOCIATION_TYPES = ("issueIdOrKeys", "issueKeys")
ASSOCIATION_TYPES = (*ISSUE_ASSOCIATION_TYPES, "serviceIdOrKeys", "commit", "repository")

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_TYPE_NAMES = {type(None): "null", bool: "a boolean", int: "an integer", float: "a number with a fraction"} | {
    str: "a string",
    list: "an array",
    dict: "an object",
}


@dataclass(frozen=True)
class Field:
    """A field of an object: how its value is checked, and whether it may be absent."""

    check: Check
    required: bool = True


def optional(check: Check) -> Field:
    return Field(check, required=False)


def required(check: Check) -> Field:
    return Field(check)


def text(shortest: int = 1, longest: int | None = None) -> Check:
    """Accept a string of `shortest` to `longest` characters (code points, not bytes)."""

    def check(path: str, value: Json) -> Iterator[str]:
        if not isinstance(value, str):
            yield _wrong_type(path, value, "a string")
            return
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield f"{path}: holds half of a surrogate pair; text must be valid Unicode"
        if len(value) < shortest:
            yield f"{path}: is empty; it must have at least {shortest} character"
        if longest is not None and len(value) > longest:
            yield f"{path}: has {len(value)} characters; at most {longest} are allowed"

    return check


def integer(smallest: int = MIN_INTEGER) -> Check:
    """Accept an integer of at most 64 bits, but no boolean and no 1.0."""

    def check(path: str, value: Json) -> Iterator[str]:
        if type(value) is not int:
            yield _wrong_type(path, value, "an integer")
        elif not smallest <= value <= MAX_INTEGER:
            yield f"{path}: is {_short(value)}; it must be an integer from {smallest} to {MAX_INTEGER}"

    return check


def one_of(*values: str) -> Check:
    """Accept one of a few words."""

    def check(path: str, value: Json) -> Iterator[str]:
        if value not in values:
            yield f"{path}: is {_short(value)}; it must be one of {', '.join(values)}"

    return check


def instant(path: str, value: Json) -> Iterator[str]:
    """Accept an RFC 3339 timestamp with an offset."""
    if not isinstance(value, str):
        yield _wrong_type(path, value, "a string")
    elif not _is_instant(value):
        yield f"{path}: is {_short(value)}; it must be RFC 3339 with an offset, such as 2024-05-01T12:30:00Z"


def url(path: str, value: Json) -> Iterator[str]:
    """Accept an absolute URL of at most 2000 characters."""
    problems = list(text(1, 2000)(path, value))
    yield from problems
    if not problems and not _is_absolute(value):
        yield f"{path}: is {_short(value)}; it must be an absolute URL, such as https://ci.example.com/run/1"


def list_of(item: Check, fewest: int = 0, most: int | None = None) -> Check:
    """Accept an array of `fewest` to `most` items."""

    def check(path: str, value: Json) -> Iterator[str]:
        if not isinstance(value, list):
            yield _wrong_type(path, value, "an array")
            return
        if len(value) < fewest:
            yield f"{path}: is empty; it must have at least {fewest} value"
        if most is not None and len(value) > most:
            yield f"{path}: has {len(value)} values; at most {most} are allowed"
        for index, element in enumerate(value):
            yield from item(f"{path}[{index}]", element)

    return check


def record(fields: Mapping[str, Field]) -> Check:
    """Accept an object with these fields and no others, so that misspelt fields are found."""

    def check(path: str, value: Json) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _wrong_type(path or "entity", value, "an object")
            return
        prefix = f"{path}." if path else ""
        for name, field in fields.items():
            if name in value:
                yield from field.check(prefix + name, value[name])
            elif field.required:
                yield f"{prefix}{name}: is missing; it is required"
        for name in value:
            if name not in fields:
                yield f"{prefix}{_short(name)}: is not a field of the contract; known here: {', '.join(fields)}"

    return check


def properties(path: str, value: Json) -> Iterator[str]:
    """Accept up to 5 string pairs; names hold no colon and do not start with an underscore."""
    if not isinstance(value, dict):
        yield _wrong_type(path, value, "an object")
        return
    if len(value) > 5:
        yield f"{path}: has {len(value)} pairs; at most 5 are allowed"
    for name, element in value.items():
        yield from text()(f"{path} (the name {_short(name)})", name)
        if ":" in name:
            yield f"{path}: the name {_short(name)} holds a colon; names must not"
        if name.startswith("_"):
            yield f"{path}: the name {_short(name)} starts with an underscore; names must not"
        yield from text(0)(f"{path}.{_short(name)}", element)


# What the values of an association are; of the types that are not here they are keys or ids.
ENTITIES = {
    "commit": record({"commitHash": required(text()), "repositoryId": required(text())}),
    "repository": record({"repositoryId": required(text())}),
}


def association(*types: str) -> Check:
    """Accept an association of one of these types, with values of that type."""

    def check(path: str, value: Json) -> Iterator[str]:
        type = _object(value).get("associationType")
        values = list_of(ENTITIES.get(type, text()) if isinstance(type, str) else text(), 1)
        yield from record({"associationType": required(one_of(*types)), "values": required(values)})(path, value)

    return check


ISSUE_KEYS = list_of(text(), 1, MAX_VALUES)
COMMON = {
    "schemaVersion": optional(one_of("1.0")),
    "updateSequenceNumber": required(integer()),
    "displayName": required(text(1, 255)),
    "url": required(url),
    "lastUpdated": required(instant),
    "label": optional(text(0, 255)),
    "issueKeys": optional(ISSUE_KEYS),
}
REFERENCE = record(
    {
        "commit": optional(record({"id": required(text()), "repositoryUri": required(text())})),
        "ref": optional(record({"name": required(text()), "uri": required(text())})),
    }
)
TEST_INFO = record(
    {
        "totalNumber": required(integer()),
        "numberPassed": required(integer()),
        "numberFailed": required(integer()),
        "numberSkipped": optional(integer()),
    }
)
BUILD = record(
    {
        "pipelineId": required(text(1, 255)),
        "buildNumber": required(integer(0)),
        "description": optional(text(0, 255)),
        "state": required(one_of(*BUILD_STATES)),
        "testInfo": optional(TEST_INFO),
        "references": optional(list_of(REFERENCE, 0, 5)),
        "associations": optional(list_of(association(*ISSUE_ASSOCIATION_TYPES), 1)),
    }
    | COMMON
)
PIPELINE = record(
    {
        "id": required(text(1, 255)),
        "displayName": required(text(1, 255)),
        "url": required(url),
    }
)
ENVIRONMENT = record(
    {
        "id": required(text(1, 255)),
        "displayName": required(text(1, 255)),
        "type": required(one_of(*ENVIRONMENT_TYPES)),
    }
)
COMMAND = record({"command": required(one_of("initiate_deployment_gating"))})
DEPLOYMENT = record(
    {
        "deploymentSequenceNumber": required(integer()),
        "description": required(text(0, 255)),
        "state": required(one_of(*DEPLOYMENT_STATES)),
        "duration": optional(integer(0)),
        "pipeline": required(PIPELINE),
        "environment": required(ENVIRONMENT),
        "commands": optional(list_of(COMMAND)),
        "associations": optional(list_of(association(*ASSOCIATION_TYPES), 1)),
    }
    | COMMON
)
PROVIDER = record({"product": required(text())})


def build_problems(entity: Json) -> list[str]:
    """Return what is wrong with one build."""
    return [*BUILD("", entity), *_association_problems(entity)]


def deployment_problems(entity: Json) -> list[str]:
    """Return what is wrong with one deployment."""
    return [*DEPLOYMENT("", entity), *_association_problems(entity), *_command_problems(entity)]


def request_problems(body: Json, kind: Kind) -> list[str]:
    """Return what is wrong with a bulk request as a whole. Its entities are checked separately."""

    def anything(path: str, value: Json) -> Iterator[str]:
        return iter(())

    request = record(
        {
            kind: required(list_of(anything, 1)),
            "properties": optional(properties),
            "providerMetadata": optional(PROVIDER),
        }
    )
    return list(request("", body)) if isinstance(body, dict) else [_wrong_type("body", body, "an object")]


def entity_problems(entity: Json, kind: Kind) -> list[str]:
    """Return what is wrong with one entity of a kind."""
    return build_problems(entity) if kind == "builds" else deployment_problems(entity)


def entity_key(entity: Json, kind: Kind) -> dict[str, str | int | None]:
    """Return the key of an entity as in Jira's responses. The missing fields of an invalid entity are None."""
    source = _object(entity)
    if kind == "builds":
        return {"pipelineId": _id(source.get("pipelineId")), "buildNumber": _id(source.get("buildNumber"))}
    return {
        "pipelineId": _id(_object(source.get("pipeline")).get("id")),
        "environmentId": _id(_object(source.get("environment")).get("id")),
        "deploymentSequenceNumber": _id(source.get("deploymentSequenceNumber")),
    }


def _association_problems(entity: Json) -> Iterable[str]:
    if not isinstance(entity, dict):
        return
    given = [name for name in ("issueKeys", "associations") if name in entity]
    if len(given) == 2:
        yield "issueKeys: is given together with associations; only one of the two is allowed"
    if not given:
        yield "issueKeys: is missing, and so is associations; one of the two is required"
    associations = entity.get("associations")
    if isinstance(associations, list):
        lists = [_object(association).get("values") for association in associations]
        total = sum(len(values) for values in lists if isinstance(values, list))
        if total > MAX_VALUES:
            yield f"associations: have {total} values in all; at most {MAX_VALUES} are allowed"


def _command_problems(entity: Json) -> Iterable[str]:
    if isinstance(entity, dict) and "commands" in entity and entity.get("state") != "pending":
        yield f"commands: are given with state {_short(entity.get('state'))}; they are allowed with state pending only"


def _is_instant(value: str) -> bool:
    match = _RFC3339.fullmatch(value)
    if match is None:
        return False
    date, time, offset = match.groups()
    try:
        datetime.fromisoformat(f"{date}T{time}{offset.upper()}")
    except ValueError:
        return False
    return True


def _is_absolute(value: str) -> bool:
    if any(character.isspace() or not character.isprintable() for character in value):
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:  # an invalid IPv6 address or port; `urlsplit` checks the port only on access
        return False


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _id(value: Json) -> str | int | None:
    return value if type(value) in (str, int) else None


def _wrong_type(path: str, value: Json, wanted: str) -> str:
    return f"{path}: is {_TYPE_NAMES.get(type(value), 'something else')}; it must be {wanted}"


def _short(value: Json) -> str:
    """Return a value as JSON, shortened so that it fits into a sentence."""
    shown = json.dumps(value, default=repr)
    return shown if len(shown) <= 80 else shown[:77] + "..."
