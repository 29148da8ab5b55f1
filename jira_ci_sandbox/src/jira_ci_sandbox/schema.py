"""The schema of the SQLite database, and the migrations of older files to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from jira_ci_sandbox.errors import SandboxError

# Each migration takes a file from one schema version to the next. A released migration is never changed.
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
    """
    ALTER TABLE credentials ADD COLUMN owner TEXT NOT NULL DEFAULT 'administrator';
    ALTER TABLE credentials ADD COLUMN used_at REAL;
    UPDATE credentials SET used_at = (
        SELECT max(received_at) FROM requests WHERE credential = credentials.name AND status < 300
    );
    ALTER TABLE updates ADD COLUMN received TEXT;
    ALTER TABLE updates ADD COLUMN credential TEXT;
    ALTER TABLE updates ADD COLUMN reason TEXT;
    UPDATE updates SET reason = 'its updateSequenceNumber is not higher than the one stored before it'
        WHERE outcome = 'stale';
    UPDATE updates SET reason = 'it was deleted through the API' WHERE outcome = 'deleted';
    ALTER TABLE requests RENAME TO requests_of_version_1;
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL,
        method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
        status INTEGER, credential TEXT, headers TEXT NOT NULL, body TEXT NOT NULL, verdict TEXT NOT NULL
    );
    INSERT INTO requests SELECT *, 'null' FROM requests_of_version_1;
    DROP TABLE requests_of_version_1;
    CREATE TABLE issues (key TEXT PRIMARY KEY, summary TEXT NOT NULL);
    CREATE TABLE update_issues (
        issue_key TEXT NOT NULL, update_id INTEGER NOT NULL REFERENCES updates (id) ON DELETE CASCADE,
        PRIMARY KEY (issue_key, update_id)
    ) WITHOUT ROWID;
    CREATE INDEX issues_of_an_update ON update_issues (update_id);
    INSERT INTO update_issues SELECT DISTINCT value, updates.id FROM updates, json_each(updates.issue_keys);
    INSERT INTO settings SELECT 'app', '{"installed": true, "users_may_generate": false}'
        WHERE EXISTS (SELECT 1 FROM credentials WHERE kind = 'connect');
    """,
)


def open_database(data: Path | None) -> sqlite3.Connection:
    try:
        # SQLite's own thread check is off, since the store serialises access with a lock.
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
