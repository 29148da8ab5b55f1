"""The rate limit and the pause of each site, shared by all workers through Redis, else kept in this process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jira_ci_core import Problem, SettingsError
from jira_ci_delivery_celery.options import Options

if TYPE_CHECKING:
    from limits import RateLimitItem

MAX_PAUSE = 300.0
MAX_RETRY_AFTER = 3600.0
FAILURE_TTL = 3600
MIN_SLEEP = 0.01


class Limiter:
    """Grants permits to call sites."""

    def __init__(self, options: Options) -> None:
        """Raises SettingsError if QUEUE_RATE or the address of the Redis is invalid. Connects to nothing."""
        from limits.storage import storage_from_string
        from limits.strategies import MovingWindowRateLimiter

        self._rate = _parse_rate(options.queue_rate)
        self._first_pause = options.queue_backoff[0]
        self._prefix = options.queue_name
        url = options.limiter
        more = {"ssl_ca_certs": options.broker_ca} if options.broker_ca and url and url.startswith("rediss") else {}
        self._pauses: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._redis = None
        try:
            if url:
                import redis

                self._redis = redis.Redis.from_url(url, **more)
                self._redis.connection_pool.make_connection()
            self._strategy = MovingWindowRateLimiter(storage_from_string(url or "memory://", **more))
        except Exception:  # redis-py and limits raise errors of many kinds, some with a part of the address in them
            name = "QUEUE_LIMITER" if options.queue_limiter else "BROKER_URL"
            why = "redis-py refuses an option behind the `?`; it is not shown, since it may hold a password"
            remedy = "leave out the options that redis-py does not know, or name a Redis without any with QUEUE_LIMITER"
            raise SettingsError(Problem(f"{name} cannot be used to share QUEUE_RATE", why, remedy)) from None

    def remaining_pause(self, site: str) -> float:
        """The seconds until a paused site may be called again; 0 if it is not paused."""
        if self._redis is None:
            return max(0.0, self._pauses.get(site, 0.0) - time.monotonic())
        return max(0, int(self._redis.pttl(self._key("pause", site)))) / 1000

    def acquire(self, site: str) -> float | None:
        """Wait for a permit to call a site once, and return the seconds waited; None if the site is paused."""
        began = time.monotonic()
        while not self.remaining_pause(site):
            if self._rate is None or self._strategy.hit(self._rate, self._prefix, site):
                return time.monotonic() - began
            reset = self._strategy.get_window_stats(self._rate, self._prefix, site).reset_time
            time.sleep(min(1.0, max(MIN_SLEEP, reset - time.time())))
        return None

    def record_failure(self, site: str, retry_after: float | None) -> float:
        """Pause a site after a failed call, and return the seconds.

        The pause is as long as the site asked for, else longer with each failure.
        """
        if self._redis is None:
            if retry_after is None and self.remaining_pause(site):
                return self.remaining_pause(site)
            failures = self._failures[site] = self._failures.get(site, 0) + 1
            pause = self._pause_seconds(failures, retry_after)
            self._pauses[site] = max(self._pauses.get(site, 0.0), time.monotonic() + pause)
            return pause
        left = self.remaining_pause(site)
        if left and (retry_after is None or left >= retry_after):
            return left  # another worker has paused it already
        failures = int(self._redis.incr(self._key("failures", site)))
        self._redis.expire(self._key("failures", site), FAILURE_TTL)
        pause = self._pause_seconds(failures, retry_after)
        self._redis.set(self._key("pause", site), 1, px=max(1, int(pause * 1000)))
        return pause

    def record_success(self, site: str) -> None:
        """Forget the failures of a site, so that its next pause is a short one."""
        self._failures.pop(site, None)
        if self._redis is not None:
            self._redis.delete(self._key("failures", site))

    def _pause_seconds(self, failures: int, retry_after: float | None) -> float:
        if retry_after is not None:
            return min(retry_after, MAX_RETRY_AFTER)
        return min(self._first_pause * 2.0 ** min(failures - 1, 20), MAX_PAUSE)

    def _key(self, what: str, site: str) -> str:
        return f"{self._prefix}:{what}:{site}"


def _parse_rate(text: str | None) -> RateLimitItem | None:
    from limits import parse

    try:
        return parse(text) if text else None
    except ValueError:
        raise SettingsError(
            Problem(f"QUEUE_RATE cannot be {text!r}", "it is not a rate", "write 5/second, 300/minute or 1000/hour")
        ) from None
