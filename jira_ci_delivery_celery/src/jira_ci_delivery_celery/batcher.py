"""Which reports share a call: those of one site, of one kind and with the same properties; each entity once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from jira_ci_core import Report

M = TypeVar("M")


@dataclass
class PendingReport(Generic[M]):
    """A report that was taken from the queue and is still to be answered for."""

    message: M
    report: Report
    size: int
    """Bytes."""
    since: float
    """When it was taken."""
    published: float = 0
    attempts: int = 0
    older: list[PendingReport[M]] = field(default_factory=list)
    """Those of the same entity that it supersedes: they are not sent, unless it is refused."""


class Batcher(Generic[M]):
    """What a worker holds, in groups that can be one call each."""

    def __init__(self, max_reports: int, max_bytes: int, window: float, busy_window: float) -> None:
        """At most so many reports and bytes in a call.

        `window` is how long a report waits for others while there are none, `hold` how long while there are more for
        other calls, in seconds.
        """
        self._max_reports, self._max_bytes = max_reports, max_bytes
        self._window, self._busy_window = window, busy_window
        self._groups: dict[Hashable, dict[tuple[object, ...], PendingReport[M]]] = {}

    def __len__(self) -> int:
        return sum(1 + len(one.older) for group in self._groups.values() for one in group.values())

    def add(self, pending: PendingReport[M]) -> None:
        """Hold one more; of two about the same entity the one with the higher sequence is sent."""
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
        """Whether there is enough for a whole call."""
        return any(self._is_full(group.values()) for group in self._groups.values())

    def next_batch(self, now: float, *, is_queue_empty: bool) -> Hashable | None:
        """What is to be sent now: a whole call, else one that has waited; None where there is time for more to come.

        `is_queue_empty` says that the queue is empty.
        """
        longest = self._window if is_queue_empty else self._busy_window
        for key, group in self._groups.items():
            if self._is_full(group.values()):
                return key
        for key, group in self._groups.items():
            if min(one.since for one in group.values()) + longest <= now:
                return key
        return None

    def first(self, key: Hashable) -> PendingReport[M]:
        """The one that was taken first of those for a call."""
        return next(iter(self._groups[key].values()))

    def take(self, key: Hashable) -> list[PendingReport[M]]:
        """The reports for one call, at most as many as it may hold, at least one; those taken first come first."""
        group = self._groups[key]
        taken: list[PendingReport[M]] = []
        size = 0
        for one in list(group.values()):
            size += one.size
            if taken and (len(taken) == self._max_reports or size > self._max_bytes):
                break
            taken.append(group.pop(one.report.identity))
        if not group:
            del self._groups[key]
        return taken

    def take_all(self) -> list[PendingReport[M]]:
        """Everything that is held, those superseded included."""
        held = [one for group in self._groups.values() for newest in group.values() for one in (newest, *newest.older)]
        self._groups.clear()
        return held

    def _is_full(self, group: Iterable[PendingReport[M]]) -> bool:
        sizes = [one.size for one in group]
        return len(sizes) >= self._max_reports or sum(sizes) >= self._max_bytes


def _batch_key(report: Report) -> Hashable:
    site = report.site
    return site.url, site.cloud_id, report.entity.kind, tuple(sorted(report.properties.items()))
