"""One rate limit for all senders: the wait that is asked for, growing ones, and giving up."""

from __future__ import annotations

import threading

import pytest

from jira_ci_core.backfill.rate_limit import LONGEST_GROWN_WAIT, PATIENCE, RateLimit


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def waited(monkeypatch, clock):
    """The waits of a pace whose clock goes on by itself while it waits."""
    pace, waits = RateLimit(clock), []

    def wait(seconds):
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(pace._stopped, "wait", wait)

    def measure():
        waits.clear()
        return pace, (sum(waits) if pace.wait() else None)

    return pace, measure


def test_nobody_waits_before_the_limit_is_met(waited):
    pace, measure = waited
    assert measure() == (pace, 0)


def test_everybody_waits_as_long_as_the_longest_wait_that_was_asked_for(waited):
    pace, measure = waited
    for asked in (3.0, 12.0, 5.0):
        pace.hold(asked)
    assert measure() == (pace, 12.0)


def test_waits_grow_where_none_is_asked_for_and_begin_anew_once_a_call_passed(waited):
    pace, measure = waited

    def met():
        pace.hold(0)
        pace.hold(0)  # by two senders at the same time
        return measure()[1]

    assert [met() for _ in range(8)] == [1, 2, 4, 8, 16, 32, LONGEST_GROWN_WAIT, LONGEST_GROWN_WAIT]
    pace.passed()
    assert met() == 1


def test_who_is_held_up_beyond_all_patience_gives_up(waited):
    pace, measure = waited
    pace.hold(PATIENCE)
    assert measure() == (pace, PATIENCE)
    pace.hold(1)
    assert measure() == (pace, None)


def test_a_call_that_passed_brings_new_patience(waited):
    pace, measure = waited
    pace.hold(PATIENCE)
    measure()
    pace.passed()
    pace.hold(PATIENCE)
    assert measure() == (pace, PATIENCE)


def test_whoever_waits_is_woken_by_the_end(clock):
    pace = RateLimit(clock)
    pace.hold(1000)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(pace.wait()))
    waiting.start()
    pace.stop()
    waiting.join(10)
    assert answers == [False]
