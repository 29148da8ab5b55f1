"""The queries behind the pages. Every list comes in pages of a bounded size, however much the store holds."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jira_ci_sandbox.contract import Kind
from jira_ci_sandbox.records import Update, request_from_row, update_from_row
from jira_ci_sandbox.store import IS_CURRENT, Store

PAGE_SIZE = 25  # rows
MAX_SERVICES = 25
TIMELINE_PAGE_SIZE = 40  # deployments
MAX_ENVIRONMENTS = 60
MAX_UPDATES = 50
MAX_PROJECTS = 100
LOG_PAGE_SIZE = 50

T = TypeVar("T")
_KEY_IN_TEXT = re.compile(r"[\[(]?\b[A-Z][A-Z0-9_]*-[0-9]+\b[\])]?[:,]?\s*")
_PROJECT = "substr(i.issue_key, 1, instr(i.issue_key, '-') - 1)"
_CURRENT = f"FROM updates AS u JOIN update_issues AS i ON i.update_id = u.id WHERE {IS_CURRENT}"


@dataclass(frozen=True)
class ListPage(Generic[T]):
    """One page of a list; the first page is 1. `total` counts the rows of all pages."""

    rows: list[T]
    number: int
    total: int
    size: int

    @property
    def pages(self) -> int:
        """The number of pages. An empty list has one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True)
class IssueRow:
    """An issue, with the state of its last build and deployment."""

    key: str
    summary: str
    builds: int
    deployments: int
    updated_at: float
    build_state: str | None
    deployment_state: str | None


@dataclass(frozen=True)
class ProjectRow:
    """A project that has received reports."""

    key: str
    issues: int
    updated_at: float


@dataclass(frozen=True)
class ServiceRow:
    """A service, with its last deployment."""

    id: str
    deployments: int
    latest: Update


class Queries:
    """The queries of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def projects(self) -> list[ProjectRow]:
        """Return the projects that have received reports, by name."""
        sql = (
            f"SELECT {_PROJECT} AS project, count(DISTINCT i.issue_key) AS issues, max(u.received_at) AS updated_at"
            f" {_CURRENT} GROUP BY project ORDER BY project LIMIT {MAX_PROJECTS}"
        )
        return [ProjectRow(row["project"], row["issues"], row["updated_at"]) for row in self._query(sql)]

    def issues(self, search: str, project: str, page: int) -> ListPage[IssueRow]:
        """Return the issues of a project whose keys begin with `search`, most recently updated first."""
        only = f"AND instr(i.issue_key, :search) = 1 AND (:project = '' OR {_PROJECT} = :project)"
        count = f"SELECT count(DISTINCT i.issue_key) AS n {_CURRENT} {only}"
        total = self._query(count, search=search, project=project)[0]["n"]
        page = _clamp(page, total, PAGE_SIZE)
        sql = (
            "SELECT i.issue_key AS key, sum(u.kind = 'builds') AS builds, sum(u.kind = 'deployments') AS deployments,"
            " max(u.received_at) AS updated_at, max(u.id) AS newest,"
            " max(CASE u.kind WHEN 'builds' THEN u.id END) AS build,"
            " max(CASE u.kind WHEN 'deployments' THEN u.id END) AS deployment"
            f" {_CURRENT} {only} GROUP BY i.issue_key ORDER BY newest DESC LIMIT :limit OFFSET :offset"
        )
        limits = {"limit": PAGE_SIZE, "offset": (page - 1) * PAGE_SIZE}
        rows = self._query(sql, search=search, project=project, **limits)
        issues = [
            IssueRow(
                row["key"],
                self.summary(row["key"]),
                row["builds"],
                row["deployments"],
                row["updated_at"],
                self._state(row["build"]),
                self._state(row["deployment"]),
            )
            for row in rows
        ]
        return ListPage(issues, page, total, PAGE_SIZE)

    def services(self) -> list[ServiceRow]:
        """Return the services that deployments name, the one that was deployed last first."""
        sql = (
            "SELECT v.value AS id, count(DISTINCT u.id) AS deployments, max(u.id) AS newest"
            " FROM updates AS u, json_each(u.entity, '$.associations') AS a, json_each(a.value, '$.values') AS v"
            f" WHERE {IS_CURRENT} AND u.kind = 'deployments'"
            " AND json_extract(a.value, '$.associationType') = 'serviceIdOrKeys'"
            f" GROUP BY v.value ORDER BY newest DESC LIMIT {MAX_SERVICES}"
        )
        rows = self._query(sql)
        by_id = "SELECT * FROM updates AS u WHERE u.id = :id"
        latest = [update_from_row(self._query(by_id, id=row["newest"])[0]) for row in rows]
        return [ServiceRow(row["id"], row["deployments"], one) for row, one in zip(rows, latest, strict=True)]

    def summary(self, key: str) -> str:
        """Return the summary of an issue: the one entered on its page, else the description of its first report."""
        for row in self._query("SELECT summary FROM issues WHERE key = :key", key=key):
            return str(row["summary"])
        first = (
            "SELECT coalesce(json_extract(u.entity, '$.description'), '') AS said FROM update_issues AS i"
            " JOIN updates AS u ON u.id = i.update_id WHERE i.issue_key = :key ORDER BY u.id LIMIT 1"
        )
        for row in self._query(first, key=key):
            return _KEY_IN_TEXT.sub("", row["said"]).strip()
        return ""

    def entities(self, kind: Kind, issue_key: str, page: int) -> ListPage[Update]:
        """Return the builds or deployments of an issue, newest first."""
        return self._entities(kind, "AND i.issue_key = :only", issue_key, page, PAGE_SIZE)

    def deployments(self, project: str, page: int) -> ListPage[Update]:
        """Return the deployments of a project, newest first. One of several issues is listed once."""
        only = f"AND {_PROJECT} = :only AND i.issue_key = (SELECT min(issue_key) FROM update_issues"
        only += " WHERE update_id = u.id AND substr(issue_key, 1, length(:only) + 1) = :only || '-')"
        return self._entities("deployments", only, project, page, TIMELINE_PAGE_SIZE)

    def latest_deployments(self, issue_key: str) -> ListPage[Update]:
        """Return the latest deployment of an issue by each pipeline to each environment."""
        ranked = (
            "SELECT u.*, row_number() OVER (PARTITION BY json_extract(u.entity, '$.environment.id'),"
            " json_extract(u.entity, '$.pipeline.id')"
            " ORDER BY json_extract(u.entity, '$.deploymentSequenceNumber') DESC, u.id DESC) AS place"
            f" {_CURRENT} AND u.kind = 'deployments' AND i.issue_key = :key"
        )
        total = self._query(f"SELECT count(*) AS n FROM ({ranked}) WHERE place = 1", key=issue_key)[0]["n"]
        sql = f"SELECT * FROM ({ranked}) WHERE place = 1 ORDER BY id DESC LIMIT {MAX_ENVIRONMENTS}"
        rows = [update_from_row(row) for row in self._query(sql, key=issue_key)]
        return ListPage(rows, 1, total, MAX_ENVIRONMENTS)

    def updates(self, update_id: int, issue_key: str) -> tuple[Update, ListPage[Update]] | None:
        """Return an update of an issue, and the last updates of its entity in the order of arrival."""
        one = "SELECT u.* FROM updates AS u JOIN update_issues AS i ON i.update_id = u.id"
        found = self._query(f"{one} WHERE u.id = :id AND i.issue_key = :key", id=update_id, key=issue_key)
        if not found:
            return None
        update = update_from_row(found[0])
        same = "FROM updates AS u WHERE u.kind = :kind AND u.identity = :identity"
        entity = {"kind": update.kind, "identity": update.identity}
        total = self._query(f"SELECT count(*) AS n {same}", **entity)[0]["n"]
        rows = self._query(f"SELECT u.* {same} ORDER BY u.id DESC LIMIT {MAX_UPDATES}", **entity)
        return update, ListPage([update_from_row(row) for row in reversed(rows)], 1, total, MAX_UPDATES)

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the last calls whose id is greater than `after`, oldest first."""
        sql = f"SELECT * FROM requests WHERE id > :after ORDER BY id DESC LIMIT {LOG_PAGE_SIZE}"
        return [request_from_row(row) for row in reversed(self._query(sql, after=after))]

    def _entities(self, kind: Kind, only: str, value: str, page: int, size: int) -> ListPage[Update]:
        what = {"kind": kind, "only": value}
        total = self._query(f"SELECT count(*) AS n {_CURRENT} AND u.kind = :kind {only}", **what)[0]["n"]
        page = _clamp(page, total, size)
        sql = f"SELECT u.* {_CURRENT} AND u.kind = :kind {only} ORDER BY u.id DESC LIMIT :limit OFFSET :offset"
        rows = self._query(sql, **what, limit=size, offset=(page - 1) * size)
        return ListPage([update_from_row(row) for row in rows], page, total, size)

    def _state(self, update_id: int | None) -> str | None:
        for row in self._query("SELECT entity FROM updates WHERE id = :id", id=update_id):
            return str(json.loads(row["entity"])["state"])
        return None

    def _query(self, sql: str, **values: Any) -> list[sqlite3.Row]:
        return self.store.query(sql, now=self.store.clock(), **values)


def _clamp(page: int, total: int, size: int) -> int:
    """Return the number of the nearest existing page."""
    return min(max(page, 1), max(1, -(-total // size)))
