"""The rate limit that all senders of a backfill share."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 60.0
"""The longest wait, in seconds, if Jira does not say how long to wait."""
GIVE_UP_AFTER = 3600.0
"""How many seconds may pass between the first limited call and a successful one."""


class RateLimit:
    """Delays all senders when one hits the rate limit. Without a `Retry-After`, each wait is twice the last."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._not_before = 0.0
        self._give_up_at = 0.0
        self._hits_in_a_row = 0
        self.hits = 0
        """How many calls were told that the limit is reached."""

    def hit(self, retry_after: float) -> None:
        """Delay all senders for so many seconds; 0 if the answer names no time."""
        with self._lock:
            now = self._monotonic()
            self.hits += 1
            if not self._hits_in_a_row:
                self._give_up_at = now + GIVE_UP_AFTER
            if now >= self._not_before:  # calls that were made at the same time count as one
                self._hits_in_a_row += 1
            wait = retry_after or min(LONGEST_BACKOFF, 2.0 ** (self._hits_in_a_row - 1))
            is_later = now + wait > self._not_before
            self._not_before = max(self._not_before, now + wait)
        if is_later:
            log.info("the rate limit is used up; nothing more is sent for %.0f s", wait)

    def succeeded(self) -> None:
        """Begin with short waits again, since a call was not limited."""
        with self._lock:
            self._hits_in_a_row = 0

    def wait(self) -> bool:
        """Wait until a call may be made; False if none is to be made any more: stopped, or given up."""
        while not self._stopped.is_set():
            with self._lock:
                remaining = self._not_before - self._monotonic()
                is_hopeless = bool(self._hits_in_a_row) and self._not_before > self._give_up_at
            if is_hopeless:
                return False
            if remaining <= 0:
                return True
            self._stopped.wait(remaining)
        return False

    def stop(self) -> None:
        """Allow no further call, and end all waits."""
        self._stopped.set()
