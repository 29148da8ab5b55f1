"""The time, and the sequence numbers that are made from it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Makes `updateSequenceNumber`s: milliseconds since the epoch, each higher than the last.

    Jira ignores an update whose number is not higher than the stored one, so one process shares one clock.
    """

    def __init__(self, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self._nanoseconds = nanoseconds
        self._last = 0
        self._lock = threading.Lock()

    def next_sequence(self) -> int:
        """The next number, which no call returned before."""
        with self._lock:
            self._last = max(self._nanoseconds() // 1_000_000, self._last + 1)
            return self._last

    def moment(self, sequence: int) -> datetime:
        """The time of a sequence number, in UTC."""
        return _EPOCH + timedelta(milliseconds=sequence)


def moment_of(text: str) -> datetime | None:
    """The time that a CI writes: seconds or milliseconds since the epoch, or ISO 8601 with an offset; else None."""
    if re.fullmatch("[0-9]{9,11}", text):
        return _EPOCH + timedelta(seconds=int(text))
    if re.fullmatch("[0-9]{12,14}", text):
        return _EPOCH + timedelta(milliseconds=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


PROCESS_CLOCK = Clock()
"""Shared by all runs in a process, which must not use the same number twice."""
