"""One rate limit for all senders: the wait that is asked for, growing ones, and when it gives up."""

from __future__ import annotations

import threading

import pytest

from jira_ci_core.backfill.rate_limit import GIVE_UP_AFTER, LONGEST_BACKOFF, RateLimit


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
    """A rate limit, and a function that returns the seconds that a call waits, or None; waiting moves the clock."""
    rate_limit, waits = RateLimit(clock), []

    def wait(seconds):
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(rate_limit._stopped, "wait", wait)

    def measure():
        waits.clear()
        return rate_limit, (sum(waits) if rate_limit.wait() else None)

    return rate_limit, measure


def test_a_call_does_not_wait_before_the_limit_is_hit(waited):
    rate_limit, measure = waited
    assert measure() == (rate_limit, 0)


def test_all_calls_wait_as_long_as_the_longest_wait_that_was_asked_for(waited):
    rate_limit, measure = waited
    for asked in (3.0, 12.0, 5.0):
        rate_limit.hit(asked)
    assert measure() == (rate_limit, 12.0)


def test_waits_grow_where_none_is_asked_for_and_are_short_again_after_a_call_that_succeeded(waited):
    rate_limit, measure = waited

    def hit_twice():
        rate_limit.hit(0)
        rate_limit.hit(0)  # by two senders at the same time
        return measure()[1]

    assert [hit_twice() for _ in range(8)] == [1, 2, 4, 8, 16, 32, LONGEST_BACKOFF, LONGEST_BACKOFF]
    rate_limit.succeeded()
    assert hit_twice() == 1


def test_after_an_hour_without_a_call_that_succeeded_it_gives_up(waited):
    rate_limit, measure = waited
    rate_limit.hit(GIVE_UP_AFTER)
    assert measure() == (rate_limit, GIVE_UP_AFTER)
    rate_limit.hit(1)
    assert measure() == (rate_limit, None)


def test_the_hour_begins_again_after_a_call_that_succeeded(waited):
    rate_limit, measure = waited
    rate_limit.hit(GIVE_UP_AFTER)
    measure()
    rate_limit.succeeded()
    rate_limit.hit(GIVE_UP_AFTER)
    assert measure() == (rate_limit, GIVE_UP_AFTER)


def test_stopping_ends_a_wait(clock):
    rate_limit = RateLimit(clock)
    rate_limit.hit(1000)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(rate_limit.wait()))
    waiting.start()
    rate_limit.stop()
    waiting.join(10)
    assert answers == [False]
