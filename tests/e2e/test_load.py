"""Many steps at a time: what they report, keep and flush comes out right.

A step costs nearly half a second of a processor, so that `tox` runs a few of them and `tox -e load` five hundred.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from jira_ci_core.delivery.outbox import Outbox

STEPS = int(os.environ.get("JIRA_CI_TEST_STEPS", "24"))
AT_A_TIME = 16
FLUSHERS = 4

# All that goes wrong here is something that a step gets over by trying again, or keeps the report for.
FAULTS = (
    {"action": "answer", "status": 503},
    {"action": "answer", "status": 500},
    {"action": "answer", "status": 429, "headers": {"Retry-After": "1"}},
    {"action": "answer", "status": 401},
    {"action": "answer", "status": 403},
    {"action": "reset"},
    {"action": "lost"},
    {"action": "half"},
    {"action": "slow", "seconds": 0.5},
    {"action": "malformed"},
)


def plan(jira, share, faults):
    """Has this share of all calls go wrong, each way as often as the others."""
    each = share / len(faults)
    for place, fault in enumerate(faults):
        # A call that one fault has taken is not counted by those after it.
        jira.fault(**{"match": "any", **fault}, every=round((1 - place * each) / each), count=10_000)


def print_figures(capsys, **figures):
    with capsys.disabled():
        print(f"\n{STEPS} steps, {AT_A_TIME} at a time: " + ", ".join(f"{name} {it}" for name, it in figures.items()))


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


def flush_the_rest(step, outbox):
    done = step.run("outbox", "flush", outbox=outbox.folder)
    assert done.code == 0, done.text
    assert list(outbox.read()) == []


def test_with_a_fifth_of_all_calls_going_wrong_every_report_ends_right(harness_oauth, jira, outbox, capsys):
    states = ["successful", "failed", "cancelled", "in_progress"]
    plan(jira, 0.2, FAULTS)
    begun = time.monotonic()

    def report(number):
        done = harness_oauth(
            run_number=number,
            state=states[number % len(states)],
            outbox=outbox.folder,
            on_failure="keep",
            deadline="30",
            state_policy="force",
        )
        assert done.code == 0, done.text
        return done.err.count("is kept in")

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        kept = sum(pool.map(report, range(STEPS)))
    seconds = round(time.monotonic() - begun)
    calls = len(jira.requests())
    assert len(list(outbox.read())) == kept
    delivered = len(jira.builds())
    assert delivered >= STEPS - kept, "what is not kept was delivered"
    jira.clear_faults()
    flush_the_rest(harness_oauth, outbox)
    builds = {build["buildNumber"]: build["state"] for build in jira.builds()}
    assert builds == {number: states[number % len(states)] for number in range(STEPS)}
    print_figures(capsys, calls=calls, kept=kept, seconds=seconds)


def test_many_steps_and_flushes_share_one_outbox(harness_oauth, jira, outbox, capsys):
    """Each run reports twice, so that a flush may deliver the first state after the second was delivered."""
    plan(jira, 0.4, [{"action": "answer", "status": 403, "match": "bulk"}])
    outbox.folder.mkdir()
    done_with_steps = threading.Event()
    begun = time.monotonic()

    def run(number):
        for state in ("in_progress", "failed"):
            done = harness_oauth(run_number=number, state=state, outbox=outbox.folder, on_failure="keep", deadline="30")
            assert done.code == 0, done.text

    def flush():
        flushes = 0
        while not done_with_steps.is_set():
            done = harness_oauth.run("outbox", "flush", outbox=outbox.folder, deadline="30")
            assert done.code in (0, 1), done.text
            assert done.err.count("is left alone") == done.err.count(".tmp is left alone"), done.text
            flushes += 1
        return flushes

    with ThreadPoolExecutor(AT_A_TIME) as steps, ThreadPoolExecutor(FLUSHERS) as others:
        flushers = [others.submit(flush) for _ in range(FLUSHERS)]
        try:
            list(steps.map(run, range(STEPS // 2)))
        finally:
            done_with_steps.set()
        flushes = sum(one.result() for one in flushers)
    remaining = len(list(outbox.read()))
    jira.clear_faults()
    flush_the_rest(harness_oauth, outbox)

    assert {build["buildNumber"]: build["state"] for build in jira.builds()} == dict.fromkeys(
        range(STEPS // 2), "failed"
    )
    updates = Counter((update["key"]["buildNumber"], update["sequence"]) for update in jira.updates())
    assert set(updates.values()) == {1}, "no report was sent twice"
    applied = [update for update in jira.updates() if update["outcome"] == "applied"]
    for number in range(STEPS // 2):
        mine = [update["sequence"] for update in applied if update["key"]["buildNumber"] == number]
        assert mine == sorted(mine)
    late = len(updates) - len(applied)
    print_figures(
        capsys,
        flushes=flushes,
        left_for_the_last=remaining,
        first_states_delivered_too_late=late,
        seconds=round(time.monotonic() - begun),
    )
