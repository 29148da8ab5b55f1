"""The storage in SQLite: entities and their history, credentials, tokens, faults, settings, and the request log."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jira_ci_sandbox.contract import Kind
from jira_ci_sandbox.faults import Fault, fault_from_json
from jira_ci_sandbox.records import AppState, Credential, Update, credential_from_row, request_from_row, update_from_row
from jira_ci_sandbox.schema import open_database

LOG_LENGTH = 10_000
# The condition for an update `u` to be the current state of its entity at the time :now.
IS_CURRENT = """
    u.outcome = 'applied' AND u.visible_at <= :now AND u.sequence = (
        SELECT max(sequence) FROM updates
        WHERE kind = u.kind AND identity = u.identity AND outcome = 'applied' AND visible_at <= :now
    )
"""
_CURRENT_UPDATES = f"SELECT * FROM updates AS u WHERE kind = :kind AND {IS_CURRENT}"
_NAMES_ISSUE = "AND EXISTS (SELECT 1 FROM update_issues WHERE issue_key = :issue_key AND update_id = u.id)"


class Store:
    """Everything that the sandbox stores.

    All threads share one connection behind a lock. Writes are short, and SQLite would serialise them anyway. `data` is
    a file that survives a restart; without one, everything is kept in memory. `clock` returns seconds since the epoch.
    """

    def __init__(self, data: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._connection = open_database(data)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # Settings

    def setting(self, name: str) -> Any:
        """Return a stored value, or None."""
        rows = self.query("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(rows[0]["value"]) if rows else None

    def set_setting(self, name: str, value: Any) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    # Entities

    def record(self, updates: Iterable[Update], delay: float = 0.0) -> int:
        """Store updates, all or none, and return how many of them are stale.

        An update whose sequence is not higher than the stored one is stale: it is kept in the history only. `delay` is
        the time in seconds until the updates can be read.
        """
        now = self.clock()
        stale = 0
        with self._transaction() as connection:
            for update in updates:
                stored = connection.execute(
                    "SELECT max(sequence) FROM updates WHERE kind = ? AND identity = ? AND outcome = 'applied'",
                    (update.kind, update.identity),
                ).fetchone()[0]
                is_stale = stored is not None and update.sequence <= stored
                stale += is_stale
                row = {
                    "kind": update.kind,
                    "identity": update.identity,
                    "sequence": update.sequence,
                    "outcome": "stale" if is_stale else "applied",
                    "reason": stale_reason(update.sequence, stored) if is_stale else None,
                    "entity": json.dumps(update.entity),
                    "received": None if update.received is None else json.dumps(update.received),
                    "credential": update.credential,
                    "issue_keys": json.dumps(update.issue_keys),
                    "properties": json.dumps(update.properties),
                    "product": update.product,
                    "received_at": now,
                    "visible_at": now + delay,
                }
                id = _insert(connection, "updates", row)
                links = [(key, id) for key in update.issue_keys]
                connection.executemany("INSERT INTO update_issues VALUES (?, ?)", links)
        return stale

    def entity(self, kind: Kind, key: dict[str, Any]) -> Update | None:
        """Return the current state of an entity, or None if nothing is readable yet."""
        found = self._current_updates(kind, "AND identity = :identity", identity=json.dumps(key))
        return found[0] if found else None

    def entities(self, kind: Kind, issue_key: str | None = None) -> list[Update]:
        """Return the current states of all entities, or of those of one issue, in the order of arrival."""
        if issue_key is None:
            return self._current_updates(kind, "ORDER BY id")
        return self._current_updates(kind, f"{_NAMES_ISSUE} ORDER BY id", issue_key=issue_key)

    def history(self) -> list[Update]:
        """Return every accepted update, even if it is not readable yet, in the order of arrival."""
        return [update_from_row(row) for row in self.query("SELECT * FROM updates ORDER BY id")]

    def delete(self, kind: Kind, key: dict[str, Any]) -> None:
        """Delete an entity."""
        self._delete(kind, [json.dumps(key)])

    def delete_by_properties(self, kind: Kind, properties: Mapping[str, str]) -> None:
        """Delete the entities that were sent with all of these properties."""
        with self._lock:
            current = self._current_updates(kind, "")
            matching = [update.identity for update in current if properties.items() <= update.properties.items()]
            self._delete(kind, matching)

    # Credentials and tokens

    def add_credential(self, credential: Credential, secret_hash: str, initial: bool = False) -> None:
        """Store a credential. Raises ValueError if the name is taken."""
        row = asdict(credential) | {"secret_hash": secret_hash, "initial": initial, "created_at": self.clock()}
        with self._transaction() as connection:
            try:
                _insert(connection, "credentials", row)
            except sqlite3.IntegrityError as error:
                raise ValueError(f"there is a credential named {credential.name} already") from error
            if credential.kind == "connect":
                self._set_app(connection, replace(self.app(), installed=True))

    def credentials(self) -> list[Credential]:
        """Return all credentials, oldest first."""
        return [credential_from_row(row) for row in self.query("SELECT * FROM credentials ORDER BY rowid")]

    def credential_by_secret(self, secret_hash: str) -> Credential | None:
        """Return the credential with this secret; None if it is unknown or revoked."""
        rows = self.query("SELECT * FROM credentials WHERE secret_hash = ? AND NOT revoked", secret_hash)
        return credential_from_row(rows[0]) if rows else None

    def credential_by_token(self, token_hash: str) -> Credential | None:
        """Return the credential that a token was issued for; None if the token has expired or it was revoked."""
        rows = self.query(
            "SELECT c.* FROM tokens AS t JOIN credentials AS c ON c.name = t.credential"
            " WHERE t.hash = ? AND t.expires_at > ? AND NOT c.revoked",
            token_hash,
            self.clock(),
        )
        return credential_from_row(rows[0]) if rows else None

    def refusal_reason(self, secret_hash: str) -> str:
        """Return why a secret or token is refused, in words for the request log."""
        owner = (
            "SELECT name, revoked FROM credentials WHERE secret_hash = :hash UNION ALL"
            " SELECT c.name, c.revoked FROM tokens AS t JOIN credentials AS c ON c.name = t.credential"
            " WHERE t.hash = :hash"
        )
        for row in self.query(owner, hash=secret_hash):
            return f"{row['name']} was revoked" if row["revoked"] else f"a token of {row['name']} has expired"
        return "the credential or token is not known here"

    def revoke(self, name: str) -> bool:
        """Revoke a credential and all its tokens, and return whether there is one of this name."""
        with self._transaction() as connection:
            return connection.execute("UPDATE credentials SET revoked = 1 WHERE name = ?", (name,)).rowcount > 0

    def add_token(self, token_hash: str, credential: str, expires_at: float) -> None:
        """Store an issued token, and delete those that have expired."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM tokens WHERE expires_at <= ?", (self.clock(),))
            connection.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token_hash, credential, expires_at))

    def expire_tokens(self) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM tokens")

    # The app and the summaries of issues, which are changed on the pages

    def app(self) -> AppState:
        return AppState(**self.setting("app") or {})

    def set_app(self, app: AppState) -> None:
        """Change the state of the app. Uninstalling it revokes all its tokens."""
        with self._transaction() as connection:
            self._set_app(connection, app)
            if not app.installed:
                connection.execute("UPDATE credentials SET revoked = 1 WHERE kind = 'connect'")

    def set_summary(self, key: str, summary: str) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO issues VALUES (?, ?)", (key, summary))

    def _set_app(self, connection: sqlite3.Connection, app: AppState) -> None:
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('app', ?)", (json.dumps(asdict(app)),))

    # Faults

    def add_fault(self, fault: Fault) -> None:
        with self._transaction() as connection:
            row = {"remaining": fault.count * fault.every, "fault": json.dumps(asdict(fault))}
            _insert(connection, "faults", row)

    def take_fault(self, path: str) -> Fault | None:
        """Count a call of this path, and return the fault that applies to it, or None."""
        with self._lock:  # no fault can be added between the check and the transaction
            return self._take_fault(path) if self.query("SELECT 1 FROM faults LIMIT 1") else None

    def _take_fault(self, path: str) -> Fault | None:
        with self._transaction() as connection:
            for row in connection.execute("SELECT * FROM faults ORDER BY id").fetchall():
                fault = fault_from_json(json.loads(row["fault"]))
                if fault.matches(path):
                    connection.execute("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
                    connection.execute("DELETE FROM faults WHERE remaining = 0")
                    if (row["remaining"] - 1) % fault.every == 0:
                        return fault
        return None

    def faults(self) -> list[dict[str, Any]]:
        """Return the planned faults; `count` is how often each is still to occur."""
        rows = self.query("SELECT * FROM faults ORDER BY id")
        faults = [(json.loads(row["fault"]), row["remaining"]) for row in rows]
        return [fault | {"count": -(-remaining // fault.get("every", 1))} for fault, remaining in faults]

    def clear_faults(self) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM faults")

    # The log of requests

    def log_request(self, entry: Mapping[str, Any]) -> None:
        """Add a request to the log, which keeps the last `LOG_LENGTH`, and note the use of its credential.

        `entry` holds no secrets; its body is JSON text.
        """
        row = dict(entry) | {"headers": json.dumps(entry["headers"]), "verdict": json.dumps(entry.get("verdict"))}
        with self._transaction() as connection:
            _insert(connection, "requests", row)
            used = (entry["received_at"], entry["credential"])
            connection.execute("UPDATE credentials SET used_at = ? WHERE name = ?", used)
            connection.execute("DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - ?", (LOG_LENGTH,))

    def requests(self) -> list[dict[str, Any]]:
        """Return the log, oldest request first."""
        return [request_from_row(row) for row in self.query("SELECT * FROM requests ORDER BY id")]

    def clear_requests(self) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM requests")

    # Queries of the pages

    def query(self, sql: str, *values: Any, **named: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, named or values).fetchall()

    def reset(self) -> None:
        """Delete everything but the settings and the credentials of the start, which are valid again."""
        with self._transaction() as connection:
            for table in ("update_issues", "updates", "issues", "tokens", "faults", "requests"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM credentials WHERE NOT initial")
            connection.execute("UPDATE credentials SET revoked = 0, used_at = NULL")
            is_installed = connection.execute("SELECT count(*) FROM credentials WHERE kind = 'connect'").fetchone()[0]
            app = json.dumps(asdict(AppState(installed=is_installed > 0)))
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('app', ?)", (app,))

    def _current_updates(self, kind: Kind, more: str, **values: Any) -> list[Update]:
        with self._lock:
            parameters = {"kind": kind, "now": self.clock()} | values
            return [update_from_row(row) for row in self._connection.execute(_CURRENT_UPDATES + more, parameters)]

    def _delete(self, kind: Kind, identities: list[str]) -> None:
        with self._transaction() as connection:
            for identity in identities:
                connection.execute(
                    "UPDATE updates SET outcome = 'deleted', reason = 'it was deleted through the API'"
                    " WHERE kind = :kind AND identity = :identity AND outcome = 'applied'",
                    {"kind": kind, "identity": identity},
                )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and one transaction."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def stale_reason(sequence: int, stored: int) -> str:
    how = "the same as" if sequence == stored else "lower than"
    return f"its updateSequenceNumber {sequence} is {how} the {stored} that is stored: only a higher one replaces it"


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int | None:
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    return connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", dict(row)).lastrowid
