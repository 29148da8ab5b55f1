"""The rate limit, which Jira has for a site as a whole."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from jira_ci_sandbox.settings import Settings


class RateLimit:
    """Counts the calls within the last period. Changed settings reset the count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()
        self._settings: Settings | None = None

    def hit(self, settings: Settings) -> float:
        """Count a call and return 0.0, or the seconds to wait if it exceeds the limit."""
        with self._lock:
            now = self._clock()
            if settings is not self._settings:
                self._calls.clear()
                self._settings = settings
            while self._calls and self._calls[0] <= now - settings.rate_period:
                self._calls.popleft()
            if settings.rate_limit and len(self._calls) >= settings.rate_limit:
                return self._calls[0] + settings.rate_period - now
            self._calls.append(now)
            return 0.0
