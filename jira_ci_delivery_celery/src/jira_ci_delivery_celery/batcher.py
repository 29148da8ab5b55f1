"""Batches: reports of one site and kind with the same properties share a bulk call, each entity once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from jira_ci_core import Report

M = TypeVar("M")


@dataclass
class PendingReport(Generic[M]):
    """A report that was taken from the queue and is not settled yet."""

    message: M
    report: Report
    size: int
    """Bytes of the message."""
    since: float
    """When it was taken, by the monotonic clock."""
    published: float = 0
    attempts: int = 0
    older: list[PendingReport[M]] = field(default_factory=list)
    """Superseded reports of the same entity, which are sent only if this one is rejected."""


class Batcher(Generic[M]):
    """Groups the reports that a worker holds into batches."""

    def __init__(self, max_reports: int, max_bytes: int, window: float, busy_window: float) -> None:
        """Limit a batch to `max_reports` and `max_bytes`.

        A report waits for others to share its batch: `window` seconds while the queue is empty, `busy_window` seconds
        while it is not.
        """
        self._max_reports, self._max_bytes = max_reports, max_bytes
        self._window, self._busy_window = window, busy_window
        self._groups: dict[Hashable, dict[tuple[object, ...], PendingReport[M]]] = {}

    def __len__(self) -> int:
        return sum(1 + len(pending.older) for group in self._groups.values() for pending in group.values())

    def add(self, pending: PendingReport[M]) -> None:
        """Add a report. Of several about the same entity, the one with the highest sequence supersedes the others."""
        report = pending.report
        group = self._groups.setdefault(_batch_key(report), {})
        other = group.get(report.identity)
        if other is None:
            group[report.identity] = pending
        elif pending.report.entity.sequence > other.report.entity.sequence:
            pending.older += [other, *other.older]
            other.older = []
            group[report.identity] = pending
        else:
            other.older.append(pending)

    @property
    def is_full(self) -> bool:
        """Whether any batch is full."""
        return any(self._is_full(group.values()) for group in self._groups.values())

    def next_batch(self, now: float, *, is_queue_empty: bool) -> Hashable | None:
        """Return the key of a batch to send now: a full one, else one that has waited long enough, else None."""
        longest = self._window if is_queue_empty else self._busy_window
        for key, group in self._groups.items():
            if self._is_full(group.values()):
                return key
        for key, group in self._groups.items():
            if min(pending.since for pending in group.values()) + longest <= now:
                return key
        return None

    def first(self, key: Hashable) -> PendingReport[M]:
        """Return the report of a batch that was added first."""
        return next(iter(self._groups[key].values()))

    def take(self, key: Hashable) -> list[PendingReport[M]]:
        """Remove and return the reports of a batch, first come first, up to its limits but at least one."""
        group = self._groups[key]
        taken: list[PendingReport[M]] = []
        size = 0
        for pending in list(group.values()):
            size += pending.size
            if taken and (len(taken) == self._max_reports or size > self._max_bytes):
                break
            taken.append(group.pop(pending.report.identity))
        if not group:
            del self._groups[key]
        return taken

    def take_all(self) -> list[PendingReport[M]]:
        """Remove and return all reports, superseded ones included."""
        held = [one for group in self._groups.values() for newest in group.values() for one in (newest, *newest.older)]
        self._groups.clear()
        return held

    def _is_full(self, group: Iterable[PendingReport[M]]) -> bool:
        sizes = [pending.size for pending in group]
        return len(sizes) >= self._max_reports or sum(sizes) >= self._max_bytes


def _batch_key(report: Report) -> Hashable:
    site = report.site
    return site.url, site.cloud_id, report.entity.kind, tuple(sorted(report.properties.items()))
