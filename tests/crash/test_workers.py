"""Workers that are killed at random moments, on real brokers: no report is lost, and none is torn."""

from __future__ import annotations

import os
import random
import time

import pytest

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1800)]

REPORTS = int(os.environ.get("JIRA_CI_TEST_QUEUED", "500"))
IN_ROUND = 10


def test_workers_that_are_killed_lose_nothing(make_queue, server, wait_until):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    queue = make_queue(QUEUE_BATCH=3, QUEUE_WINDOW="0.05", QUEUE_VISIBILITY=5)
    for first in range(0, REPORTS, IN_ROUND):
        worker = queue.start_worker()
        queue.publish(*[queue.report(number) for number in range(first, first + IN_ROUND)])
        goal = min(first + IN_ROUND - 1, len(queue.builds()) + chance.randrange(2 * IN_ROUND))
        end = time.monotonic() + 10
        while len(queue.builds()) < goal and time.monotonic() < end:
            time.sleep(chance.uniform(0, 0.05))
        queue.kill(worker)
    queue.start_worker()
    wait_until(lambda: len(queue.builds()) == REPORTS, "every report in Jira", 300)
    assert set(queue.builds().values()) == {"successful"}
    assert queue.dead_letters() == {}
    print(f"{server.program}: {REPORTS} reports, {REPORTS // IN_ROUND} workers killed")
