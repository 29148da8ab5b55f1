"""The values that the store holds, and how they are made from rows of the database."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from jira_ci_sandbox.contract import Kind


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


def request_from_row(row: sqlite3.Row) -> dict[str, Any]:
    """Return a logged request with its JSON columns decoded."""
    return dict(row) | {name: json.loads(row[name]) for name in ("headers", "body", "verdict")}


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
