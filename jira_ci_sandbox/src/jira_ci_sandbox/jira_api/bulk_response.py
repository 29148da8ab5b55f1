"""The response to a bulk call: which entities are accepted or rejected, and which keys are unknown."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from jira_ci_sandbox import contract
from jira_ci_sandbox.contract import ISSUE_ASSOCIATION_TYPES, Kind
from jira_ci_sandbox.records import Update
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.verdict import Verdict, bulk_verdict


class BulkResponse:
    """The response to one bulk call, built entity by entity. `updates` are those to store."""

    def __init__(self, kind: Kind, settings: Settings, credential: str | None) -> None:
        self.updates: list[Update] = []
        self._credential = credential
        self._kind = kind
        self._settings = settings
        self._accepted: list[dict[str, Any]] = []
        self._rejected: list[dict[str, Any]] = []
        self._unknown_keys: dict[str, None] = {}
        self._unknown_associations: dict[str, list[Any]] = {}

    def add(self, entity: Any, body: Mapping[str, Any]) -> None:
        """Accept an entity of a request for its known keys, or reject it."""
        key = contract.entity_key(entity, self._kind)
        problems = contract.entity_problems(entity, self._kind)
        if problems:
            self._reject(key, problems)
            return
        known, issue_keys = self._keep_known(entity)
        if known is None:
            self._reject(key, ["All the issue keys and other associations are unknown"])
            return
        self._accepted.append(key)
        self.updates.append(
            Update(
                kind=self._kind,
                key=key,
                sequence=entity["updateSequenceNumber"],
                entity=known,
                issue_keys=tuple(dict.fromkeys(issue_keys)),
                properties=body.get("properties", {}),
                product=body.get("providerMetadata", {}).get("product"),
                received=None if known == entity else entity,
                credential=self._credential,
            )
        )

    def as_json(self) -> dict[str, Any]:
        """Return the response body."""
        noun = self._kind.capitalize()
        return {
            f"accepted{noun}": self._accepted,
            f"rejected{noun}": self._rejected,
            "unknownIssueKeys": list(self._unknown_keys),
            "unknownAssociations": [
                {"associationType": name, "values": values} for name, values in self._unknown_associations.items()
            ],
        }

    def verdict(self, stale: int) -> Verdict:
        """Return the verdict on the call. `stale` is the number of its updates that were stale."""

        def messages(one: dict[str, Any]) -> list[str]:
            return [error["message"] for error in one["errors"]]

        rejected = [
            (
                ", ".join(f"{value}" for value in one["key"].values() if value is not None) or "no identity",
                messages(one),
            )
            for one in self._rejected
        ]
        unknown = [*self._unknown_keys]
        for values in self._unknown_associations.values():
            unknown += [value if isinstance(value, str) else " of ".join(value.values()) for value in values]
        known = f"an issue exists when its project does: {', '.join(self._settings.projects)}"
        return bulk_verdict(self._kind.removesuffix("s"), len(self._accepted), stale, rejected, unknown, known)

    def _reject(self, key: Mapping[str, Any], problems: list[str]) -> None:
        errors = [{"message": problem, "errorTraceId": uuid.uuid4().hex} for problem in problems]
        self._rejected.append({"key": key, "errors": errors})

    def _keep_known(self, entity: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
        """Return an entity without its unknown keys (None if none is known), and its known issue keys."""
        if "issueKeys" in entity:
            known, unknown = _partition(entity["issueKeys"], self._settings.knows_issue)
            self._unknown_keys |= dict.fromkeys(unknown)
            return ({**entity, "issueKeys": known} if known else None), known
        associations, issue_keys = [], []
        for association in entity["associations"]:
            name, values = association["associationType"], association["values"]
            known, unknown = _partition(values, functools.partial(self._is_known, name))
            if unknown:
                listed = self._unknown_associations.setdefault(name, [])
                for value in unknown:
                    listed += [value] if value not in listed else []
            if known:
                associations.append({**association, "values": known})
            if name in ISSUE_ASSOCIATION_TYPES:
                issue_keys += [key for key in map(self._settings.issue_of, known) if key]
        return ({**entity, "associations": associations} if associations else None), issue_keys

    def _is_known(self, name: str, value: Any) -> bool:
        if name in ISSUE_ASSOCIATION_TYPES:
            return self._settings.issue_of(value) is not None
        if name == "serviceIdOrKeys":
            return self._settings.knows_service(value)
        return self._settings.knows_repository(value["repositoryId"])


def _partition(values: list[Any], is_known: Callable[[Any], bool]) -> tuple[list[Any], list[Any]]:
    return [value for value in values if is_known(value)], [value for value in values if not is_known(value)]
