"""The values that the store holds, and how they are made from rows of the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from jira_ci_sandbox.contract import Kind


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name[:20]} is not a number of JSON")


@dataclass(frozen=True)
class Update:
    """One update of an entity. `outcome` is applied, stale (it came too late) or deleted; `reason` says why.

    `entity` is what is stored: its unknown keys are left out. `received` is what was sent, if the two differ.
    """

    kind: Kind
    key: dict[str, Any]
    sequence: int
    entity: dict[str, Any]
    issue_keys: tuple[str, ...]
    properties: dict[str, str]
    product: str | None = None
    received_at: float = 0.0
    outcome: str = "applied"
    received: dict[str, Any] | None = None
    credential: str | None = None
    reason: str | None = None
    id: int = 0

    @property
    def identity(self) -> str:
        """The key as JSON text, by which all updates of one entity are found."""
        return json.dumps(self.key)


@dataclass(frozen=True)
class Credential:
    """A credential, without its secret. Times are seconds since the epoch; `used_at` is None before the first use."""

    name: str
    kind: str
    permission: bool = True
    revoked: bool = False
    client_id: str | None = None
    owner: str = "administrator"
    created_at: float = field(default=0.0, compare=False)
    used_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AppState:
    """Whether the app is installed on this site, and whether all users may generate tokens for it."""

    installed: bool = False
    users_may_generate: bool = False


def parse_json(text: str, constant: Callable[[str], Any] = _refuse_constant) -> Any:
    """Return the value of a JSON text. It can always be written as JSON and as UTF-8 again.

    Half a surrogate pair becomes a question mark. `constant` is called for what is no number of JSON: NaN, and numbers
    that are too large. Raises ValueError with a sentence for the client.
    """

    def number(text: str) -> Any:
        return value if isfinite(value := float(text)) else constant(text)

    try:
        value = json.loads(text, parse_constant=constant, parse_float=number)
        if "\\u" in text:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        json.dumps(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def request_from_row(row: sqlite3.Row) -> dict[str, Any]:
    """Return a logged request with its JSON columns decoded."""
    # Older versions logged what cannot be shown.
    return dict(row) | {name: parse_json(row[name], str) for name in ("headers", "body", "verdict")}


def update_from_row(row: sqlite3.Row) -> Update:
    return Update(
        kind=row["kind"],
        key=json.loads(row["identity"]),
        sequence=row["sequence"],
        entity=json.loads(row["entity"]),
        issue_keys=tuple(json.loads(row["issue_keys"])),
        properties=json.loads(row["properties"]),
        product=row["product"],
        received_at=row["received_at"],
        outcome=row["outcome"],
        received=None if row["received"] is None else json.loads(row["received"]),
        credential=row["credential"],
        reason=row["reason"],
        id=row["id"],
    )


def credential_from_row(row: sqlite3.Row) -> Credential:
    return Credential(
        name=row["name"],
        kind=row["kind"],
        permission=bool(row["permission"]),
        revoked=bool(row["revoked"]),
        client_id=row["client_id"],
        owner=row["owner"],
        created_at=row["created_at"],
        used_at=row["used_at"],
    )
