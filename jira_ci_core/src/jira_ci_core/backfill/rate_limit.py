"""When the next call may go out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST_GROWN_WAIT = 60.0
PATIENCE = 3600.0


class RateLimit:
    """What all senders share, so that a rate limit that one of them meets holds up every one.

    The wait that Jira asks for is kept; where it asks for none, waits grow. Who was held up for an hour without one
    answer that let it pass gives up.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._not_before = 0.0
        self._patient_until = 0.0
        self._in_a_row = 0
        self.holds = 0
        """How often the limit was met."""

    def hold(self, asked: float) -> None:
        """Hold up everybody for the seconds that were asked for; 0 where no time was named."""
        with self._lock:
            now = self._monotonic()
            self.holds += 1
            if not self._in_a_row:
                self._patient_until = now + PATIENCE
            if now >= self._not_before:  # several are told at the same time
                self._in_a_row += 1
            wait = asked or min(LONGEST_GROWN_WAIT, 2.0 ** (self._in_a_row - 1))
            grows = now + wait > self._not_before
            self._not_before = max(self._not_before, now + wait)
        if grows:
            log.info("the rate limit is used up; nothing more is sent for %.0f s", wait)

    def passed(self) -> None:
        """A call was let pass."""
        with self._lock:
            self._in_a_row = 0

    def wait(self) -> bool:
        """Wait for the moment of the next call; False where there is to be none."""
        while not self._stopped.is_set():
            with self._lock:
                left = self._not_before - self._monotonic()
                hopeless = bool(self._in_a_row) and self._not_before > self._patient_until
            if hopeless:
                return False
            if left <= 0:
                return True
            self._stopped.wait(left)
        return False

    def stop(self) -> None:
        """Let nobody send any more."""
        self._stopped.set()
