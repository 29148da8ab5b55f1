"""What this Jira remembers, in SQLite: entities and their history, credentials, tokens, faults, settings, the log."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jira_ci_sandbox.contract import Kind
from jira_ci_sandbox.errors import SandboxError
from jira_ci_sandbox.faults import Fault, fault_from_json

# Each step takes a file from one schema version to the next; a step that was released is never changed.
MIGRATIONS = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE credentials (
        name TEXT PRIMARY KEY, kind TEXT NOT NULL, client_id TEXT, secret_hash TEXT NOT NULL UNIQUE,
        permission INTEGER NOT NULL, initial INTEGER NOT NULL, revoked INTEGER NOT NULL, created_at REAL NOT NULL
    );
    CREATE TABLE tokens (
        hash TEXT PRIMARY KEY, credential TEXT NOT NULL REFERENCES credentials (name) ON DELETE CASCADE,
        expires_at REAL NOT NULL
    );
    CREATE TABLE updates (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, identity TEXT NOT NULL, sequence INTEGER NOT NULL,
        outcome TEXT NOT NULL, entity TEXT NOT NULL, issue_keys TEXT NOT NULL, properties TEXT NOT NULL,
        product TEXT, received_at REAL NOT NULL, visible_at REAL NOT NULL
    );
    CREATE INDEX updates_of_an_entity ON updates (kind, identity, outcome, sequence);
    CREATE TABLE faults (id INTEGER PRIMARY KEY, remaining INTEGER NOT NULL, fault TEXT NOT NULL);
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY, received_at REAL NOT NULL,
        method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
        status INTEGER, credential TEXT, headers TEXT NOT NULL, body TEXT NOT NULL
    );
    """,
)
LOG_LENGTH = 10_000
_CURRENT = """
    SELECT * FROM updates AS u WHERE kind = :kind AND outcome = 'applied' AND visible_at <= :now AND sequence = (
        SELECT max(sequence) FROM updates
        WHERE kind = u.kind AND identity = u.identity AND outcome = 'applied' AND visible_at <= :now
    )
"""


@dataclass(frozen=True)
class Update:
    """One update of an entity. The outcome is applied, stale (came too late) or deleted."""

    kind: Kind
    key: dict[str, Any]
    sequence: int
    entity: dict[str, Any]
    issue_keys: tuple[str, ...]
    properties: dict[str, str]
    product: str | None = None
    received_at: float = 0.0
    outcome: str = "applied"

    @property
    def identity(self) -> str:
        """The key as text, to find the updates of one entity."""
        return json.dumps(self.key)


@dataclass(frozen=True)
class Credential:
    """A credential, without its secret."""

    name: str
    kind: str
    permission: bool = True
    revoked: bool = False
    client_id: str | None = None


class Store:
    """Everything that this Jira remembers.

    One connection behind one lock: writes of a sandbox are short, and two at once would only wait for each other in
    SQLite. `data` is a file that survives a restart; without one, everything is kept in memory. Times come from
    `clock`, in seconds since the epoch.
    """

    def __init__(self, data: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._connection = _opened(data)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # Settings

    def setting(self, name: str) -> Any:
        """Return a stored value, or None."""
        rows = self._rows("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(rows[0]["value"]) if rows else None

    def keep_setting(self, name: str, value: Any) -> None:
        """Store a value."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    # Entities

    def record(self, updates: Iterable[Update], delay: float = 0.0) -> None:
        """Store updates, all or none. One whose sequence is not higher than the stored one is kept as stale."""
        now = self.clock()
        with self._writing() as connection:
            for update in updates:
                stored = connection.execute(
                    "SELECT max(sequence) FROM updates WHERE kind = ? AND identity = ? AND outcome = 'applied'",
                    (update.kind, update.identity),
                ).fetchone()[0]
                row = {
                    "kind": update.kind,
                    "identity": update.identity,
                    "sequence": update.sequence,
                    "outcome": "stale" if stored is not None and update.sequence <= stored else "applied",
                    "entity": json.dumps(update.entity),
                    "issue_keys": json.dumps(update.issue_keys),
                    "properties": json.dumps(update.properties),
                    "product": update.product,
                    "received_at": now,
                    "visible_at": now + delay,
                }
                _insert(connection, "updates", row)

    def entity(self, kind: Kind, key: dict[str, Any]) -> Update | None:
        """Return what is stored and readable of one entity."""
        found = self._current(kind, "AND identity = :identity", identity=json.dumps(key))
        return found[0] if found else None

    def entities(self, kind: Kind, issue_key: str | None = None) -> list[Update]:
        """Return what is stored and readable, of one issue or of all, in the order of arrival."""
        if issue_key is None:
            return self._current(kind, "ORDER BY id")
        of_issue = "AND EXISTS (SELECT 1 FROM json_each(u.issue_keys) WHERE value = :issue_key) ORDER BY id"
        return self._current(kind, of_issue, issue_key=issue_key)

    def history(self) -> list[Update]:
        """Return every update ever accepted, readable yet or not, in the order of arrival."""
        return [_update(row) for row in self._rows("SELECT * FROM updates ORDER BY id")]

    def delete(self, kind: Kind, key: dict[str, Any], up_to: int | None = None) -> None:
        """Delete an entity, if its sequence is not higher than `up_to`."""
        self._delete(kind, [json.dumps(key)], up_to)

    def delete_by_properties(self, kind: Kind, properties: Mapping[str, str], up_to: int | None = None) -> None:
        """Delete the entities that were sent with all of these properties."""
        with self._lock:
            matching = [u.identity for u in self._current(kind, "") if properties.items() <= u.properties.items()]
            self._delete(kind, matching, up_to)

    # Credentials and tokens

    def add_credential(self, credential: Credential, secret_hash: str, initial: bool = False) -> None:
        """Store a credential. Raises ValueError where the name is taken."""
        row = asdict(credential) | {"secret_hash": secret_hash, "initial": initial, "created_at": self.clock()}
        with self._writing() as connection:
            try:
                _insert(connection, "credentials", row)
            except sqlite3.IntegrityError as error:
                raise ValueError(f"there is a credential named {credential.name} already") from error

    def credentials(self) -> list[Credential]:
        """Return all credentials, the oldest first."""
        return [_credential(row) for row in self._rows("SELECT * FROM credentials ORDER BY rowid")]

    def credential_by_secret(self, secret_hash: str) -> Credential | None:
        """Return the credential with this secret, unless it was revoked."""
        rows = self._rows("SELECT * FROM credentials WHERE secret_hash = ? AND NOT revoked", secret_hash)
        return _credential(rows[0]) if rows else None

    def credential_by_token(self, token_hash: str) -> Credential | None:
        """Return whose token this is, unless it has expired or the credential was revoked."""
        rows = self._rows(
            "SELECT c.* FROM tokens AS t JOIN credentials AS c ON c.name = t.credential"
            " WHERE t.hash = ? AND t.expires_at > ? AND NOT c.revoked",
            token_hash,
            self.clock(),
        )
        return _credential(rows[0]) if rows else None

    def revoke(self, name: str) -> bool:
        """Revoke a credential and all its tokens. Answers whether there is one of this name."""
        with self._writing() as connection:
            return connection.execute("UPDATE credentials SET revoked = 1 WHERE name = ?", (name,)).rowcount > 0

    def add_token(self, token_hash: str, credential: str, expires_at: float) -> None:
        """Store a token that was issued, and forget those that have expired."""
        with self._writing() as connection:
            connection.execute("DELETE FROM tokens WHERE expires_at <= ?", (self.clock(),))
            connection.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token_hash, credential, expires_at))

    def expire_tokens(self) -> None:
        """Make every token that was issued expire now."""
        with self._writing() as connection:
            connection.execute("DELETE FROM tokens")

    # Faults

    def add_fault(self, fault: Fault) -> None:
        """Plan a fault."""
        with self._writing() as connection:
            row = {"remaining": fault.count * fault.every, "fault": json.dumps(asdict(fault))}
            _insert(connection, "faults", row)

    def take_fault(self, path: str) -> Fault | None:
        """Return what is to go wrong with a call of this path, and count it."""
        with self._writing() as connection:
            for row in connection.execute("SELECT * FROM faults ORDER BY id").fetchall():
                fault = fault_from_json(json.loads(row["fault"]))
                if fault.matches(path):
                    connection.execute("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
                    connection.execute("DELETE FROM faults WHERE remaining = 0")
                    if (row["remaining"] - 1) % fault.every == 0:
                        return fault
        return None

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are still to come, with how often."""
        rows = self._rows("SELECT * FROM faults ORDER BY id")
        faults = [(json.loads(row["fault"]), row["remaining"]) for row in rows]
        return [fault | {"count": -(-remaining // fault.get("every", 1))} for fault, remaining in faults]

    def clear_faults(self) -> None:
        """Forget all faults."""
        with self._writing() as connection:
            connection.execute("DELETE FROM faults")

    # The log of requests

    def log(self, entry: Mapping[str, Any]) -> None:
        """Add a request to the log, which keeps the last ones only.

        `entry` holds no secret any more; its body is JSON text.
        """
        row = dict(entry) | {"headers": json.dumps(entry["headers"])}
        with self._writing() as connection:
            _insert(connection, "requests", row)
            connection.execute("DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - ?", (LOG_LENGTH,))

    def requests(self) -> list[dict[str, Any]]:
        """Return the log, the oldest request first."""
        rows = self._rows("SELECT * FROM requests ORDER BY id")
        return [dict(row) | {"headers": json.loads(row["headers"]), "body": json.loads(row["body"])} for row in rows]

    def clear_requests(self) -> None:
        """Empty the log."""
        with self._writing() as connection:
            connection.execute("DELETE FROM requests")

    def reset(self) -> None:
        """Forget everything but the settings and the credentials of the start, which work again."""
        with self._writing() as connection:
            for table in ("updates", "tokens", "faults", "requests"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM credentials WHERE NOT initial")
            connection.execute("UPDATE credentials SET revoked = 0")

    def _current(self, kind: Kind, more: str, **values: Any) -> list[Update]:
        with self._lock:
            parameters = {"kind": kind, "now": self.clock()} | values
            return [_update(row) for row in self._connection.execute(_CURRENT + more, parameters)]

    def _delete(self, kind: Kind, identities: list[str], up_to: int | None) -> None:
        with self._writing() as connection:
            for identity in identities:
                connection.execute(
                    "UPDATE updates SET outcome = 'deleted' WHERE kind = :kind AND identity = :identity"
                    " AND outcome = 'applied' AND (:up_to IS NULL OR :up_to >= ("
                    "SELECT max(sequence) FROM updates"
                    " WHERE kind = :kind AND identity = :identity AND outcome = 'applied'))",
                    {"kind": kind, "identity": identity, "up_to": up_to},
                )

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and one transaction."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _opened(data: Path | None) -> sqlite3.Connection:
    try:
        # No thread check: the lock of the store is what keeps threads apart.
        connection = sqlite3.connect(data or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            _migrate(connection, data)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise SandboxError(
            f"The data file {data} cannot be used.",
            f"SQLite says: {error}.",
            "Name a file in a folder that you may write to, or leave out --data to keep everything in memory.",
        ) from error
    return connection


def _migrate(connection: sqlite3.Connection, data: Path | None) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise SandboxError(
            f"The data file {data} cannot be used.",
            f"A newer jira-ci-sandbox wrote it: its schema is version {version}, and this one knows {len(MIGRATIONS)}.",
            "Upgrade jira-ci-sandbox, or name another file.",
        )
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", dict(row))


def _update(row: sqlite3.Row) -> Update:
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
    )


def _credential(row: sqlite3.Row) -> Credential:
    return Credential(
        name=row["name"],
        kind=row["kind"],
        permission=bool(row["permission"]),
        revoked=bool(row["revoked"]),
        client_id=row["client_id"],
    )
