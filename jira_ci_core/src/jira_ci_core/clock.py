"""The time: sequence numbers made from it, and how much of it is left."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Hands out `updateSequenceNumber`s: milliseconds since the epoch, each higher than the last.

    Jira ignores an update whose number is not higher than the stored one, so one process shares one clock.
    """

    def __init__(self, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self._nanoseconds = nanoseconds
        self._last = 0
        self._lock = threading.Lock()

    def next_sequence(self) -> int:
        """A number that was never handed out before."""
        with self._lock:
            self._last = max(self._nanoseconds() // 1_000_000, self._last + 1)
            return self._last

    def moment(self, sequence: int) -> datetime:
        """The time of a sequence number, in UTC."""
        return _EPOCH + timedelta(milliseconds=sequence)


def moment_of(text: str) -> datetime | None:
    """What a CI writes for a time: seconds or milliseconds since the epoch, or ISO 8601 with an offset; else None."""
    if re.fullmatch("[0-9]{9,11}", text):
        return _EPOCH + timedelta(seconds=int(text))
    if re.fullmatch("[0-9]{12,14}", text):
        return _EPOCH + timedelta(milliseconds=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


class Deadline:
    """A budget of time, in seconds, that begins to run when it is first asked; a clock that is set does not move it."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._end: float | None = None

    def restart(self) -> None:
        """Have all of it left again, until it is next asked."""
        self._end = None

    def end(self) -> None:
        """Have nothing left of it."""
        self._end = self._monotonic()

    def remaining(self) -> float:
        """The seconds that are left, at least 0."""
        now = self._monotonic()
        if self._end is None:
            self._end = now + self.seconds
        return max(0.0, self._end - now)


PROCESS_CLOCK = Clock()
"""The one thing a process shares: two runs in it must not hand out the same number."""
