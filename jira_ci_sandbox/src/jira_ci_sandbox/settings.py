"""The settings of the sandbox: the projects that exist, its delays, and its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

_PROJECT_PATTERN = re.compile(r"[A-Z*?][A-Z0-9_*?]*")
GATE_STATUSES = ("awaiting", "allowed", "prevented", "expired", "invalid")
FIRST_ID = 10000
_ISSUE_ID = re.compile(r"[1-9][0-9]{0,18}")
_ISSUE_KEY = re.compile(r"([A-Z][A-Z0-9_]*)-[1-9][0-9]*")


@dataclass(frozen=True)
class Settings:
    """Settings that can all be changed while the sandbox runs.

    Issues, services and repositories that are not named here are unknown, and what is reported for them is left out.

    `rate_limit` calls are allowed in `rate_period` seconds, 0 means no limit. `storage_delay` is the time in seconds
    until an accepted entity can be read. `gate` is the gating status of every deployment that asks for one, and
    `gate_issues` are the change requests that it names.
    """

    projects: tuple[str, ...] = ("DEMO",)
    services: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ("*",)
    storage_delay: float = 0.0
    max_entities: int = 1000
    max_bytes: int = 4 * 1024 * 1024
    rate_limit: int = 0
    rate_period: float = 60.0
    gate: str = "awaiting"
    gate_issues: tuple[str, ...] = ()

    def with_changes(self, changes: Mapping[str, Any]) -> Settings:
        """Return these settings with some replaced. Raises ValueError for the first that is unknown or invalid."""
        for name, value in changes.items():
            if name not in _RULES:
                raise ValueError(f"{name} is not a setting; known are {', '.join(_RULES)}")
            is_valid, rule = _RULES[name]
            if not is_valid(value):
                raise ValueError(f"{name} must be {rule}")
        lists = {name: tuple(value) for name, value in changes.items() if isinstance(value, list)}
        return replace(self, **(dict(changes) | lists))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def issue_of(self, key_or_id: str) -> str | None:
        """Return the key of an issue that exists. Ids begin at 10001, which is the first issue of the first project."""
        number = int(key_or_id) - FIRST_ID if _ISSUE_ID.fullmatch(key_or_id) else 0
        project = next((name for name in self.projects if not set("*?") & set(name)), None)
        key = f"{project}-{number}" if number > 0 and project else key_or_id
        return key if self.knows_issue(key) else None

    def knows_issue(self, key: str) -> bool:
        """Return whether an issue exists. It does when its project does."""
        match = _ISSUE_KEY.fullmatch(key)
        return match is not None and any(fnmatchcase(match[1], pattern) for pattern in self.projects)

    def knows_service(self, service: str) -> bool:
        return service in self.services

    def knows_repository(self, repository: str) -> bool:
        """Return whether a repository, with each of its commits, exists; by default all do."""
        return any(fnmatchcase(repository, pattern) for pattern in self.repositories)


def is_issue_key(text: str) -> bool:
    """Return whether a text has the form of an issue key, known or not."""
    return _ISSUE_KEY.fullmatch(text) is not None


def project_patterns(text: str) -> tuple[str, ...]:
    """Return the patterns of a comma list such as `DEMO,MY*`. Raises ValueError if it is empty or one is invalid."""
    patterns = tuple(part.strip() for part in text.split(",") if part.strip())
    if not _are_patterns(list(patterns)) or not patterns:
        raise ValueError("a project is named in capital letters, digits and underscores; * and ? stand for any")
    return patterns


def _are_patterns(value: object) -> bool:
    return _are_words(value) and all(_PROJECT_PATTERN.fullmatch(word) for word in value)  # type: ignore[attr-defined]


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) and word for word in value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_duration(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < 2**31  # type: ignore[operator]


_RULES = {
    "projects": (_are_patterns, "a list of project keys or patterns, such as DEMO or MY*"),
    "services": (_are_words, "a list of service ids"),
    "repositories": (_are_words, "a list of repository ids or patterns; * is any"),
    "storage_delay": (_is_duration, "a number of seconds, 0 or more"),
    "max_entities": (_is_count, "an integer, 0 or more"),
    "max_bytes": (_is_count, "an integer, 0 or more"),
    "rate_limit": (_is_count, "an integer, 0 or more; 0 means no limit"),
    "gate": (lambda value: value in GATE_STATUSES, f"one of {', '.join(GATE_STATUSES)}"),
    "gate_issues": (_are_words, "a list of issue keys"),
    "rate_period": (_is_duration, "a number of seconds, 0 or more"),
}
