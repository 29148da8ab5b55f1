"""Workers that are killed at random moments, on real brokers: no report is lost, and none is torn.

On Redis, taking a message and recording that it is taken are two operations, and a worker that is killed between them
loses the message (docs/scaling.md). What is lost is counted, and must not be more than was taken in such a moment.
"""

from __future__ import annotations

import random
import threading
import time

import pytest
import redis

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1800)]

REPORTS = 500
IN_ROUND = 20


class Moments:
    """The commands of the clients of a Redis, of which each client's last one is kept."""

    def __init__(self, url):
        self._client = redis.Redis.from_url(url)
        self._monitor = self._client.monitor().__enter__()
        self.last = {}
        self._is_over = False
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        for each in self._monitor.listen():
            self.last[each["client_address"], each["client_port"]] = each["command"]
            if self._is_over:
                return

    def taken_and_not_recorded(self, name):
        """How many clients ended after they had asked for a message, and before they recorded it."""
        self._is_over = True
        self._client.ping()
        self._thread.join()
        self._monitor.__exit__(None, None, None)
        self._client.close()
        return sum(command.startswith(f"RPOP {name}.") for command in self.last.values())


def test_workers_that_are_killed_lose_nothing(make_queue, server, wait_until):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    queue = make_queue(QUEUE_BATCH=3, QUEUE_WINDOW="0.05", QUEUE_VISIBILITY=5)
    is_redis = "redis" in server.program
    moments = Moments(server.url) if is_redis else None
    for first in range(0, REPORTS, IN_ROUND):
        worker = queue.start_worker()
        queue.publish(*[queue.report(number) for number in range(first, first + IN_ROUND)])
        goal = len(queue.builds()) + chance.randrange(IN_ROUND)
        end = time.monotonic() + 30
        while len(queue.builds()) < goal and time.monotonic() < end:
            time.sleep(chance.uniform(0, 0.05))
        queue.kill(worker)
    queue.start_worker()

    def is_settled():
        if is_redis:
            with redis.Redis.from_url(server.url) as client:
                return client.hlen("unacked") == 0 and queue.remaining() == 0
        return len(queue.builds()) == REPORTS

    wait_until(is_settled, "every report delivered")
    lost = sorted(set(range(REPORTS)) - set(queue.builds()))
    assert set(queue.builds().values()) == {"successful"}
    assert queue.dead_letters() == {}
    possible = moments.taken_and_not_recorded(queue.environ["JIRA_CI_QUEUE_NAME"]) if moments else 0
    print(
        f"{server.program}: {REPORTS} reports, {REPORTS // IN_ROUND} workers killed, lost {lost}, {possible} in the moment"
    )
    assert len(lost) <= possible
