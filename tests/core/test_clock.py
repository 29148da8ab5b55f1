"""The time, and sequence numbers made from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from hypothesis import given, strategies as st

from jira_ci_core.clock import Clock


@given(st.lists(st.integers(0, 2**62), min_size=1))
def test_each_number_is_higher_than_the_last_whatever_the_machines_clock_does(readings):
    times = iter(readings)
    clock = Clock(lambda: next(times))
    numbers = [clock.next_sequence() for _ in readings]
    assert numbers == sorted(set(numbers))


def test_a_number_is_the_time_in_milliseconds():
    clock = Clock(lambda: 1_700_000_000_123_456_789)
    assert clock.next_sequence() == 1_700_000_000_123
    assert clock.moment(1_700_000_000_123) == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)


def test_no_two_threads_are_given_the_same_number():
    clock = Clock(lambda: 1_000_000)
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: clock.next_sequence(), range(500)))
    assert len(set(numbers)) == 500
