"""A budget of time for the network."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A number of seconds that begins to run when it is first asked. Setting the system's clock does not move it."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._end: float | None = None

    def restart(self, seconds: float | None = None) -> None:
        """Begin to run again when next asked, with another number of seconds if one is given."""
        self.seconds = self.seconds if seconds is None else seconds
        self._end = None

    def expire(self) -> None:
        self._end = self._monotonic()

    def remaining(self) -> float:
        """The seconds that remain, at least 0."""
        now = self._monotonic()
        if self._end is None:
            self._end = now + self.seconds
        return max(0.0, self._end - now)
