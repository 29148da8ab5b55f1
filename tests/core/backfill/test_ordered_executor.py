"""Calls in several threads: in order where they have the same key, and unharmed by Ctrl+C."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time

import pytest

from jira_ci_core.backfill.ordered_executor import OrderedExecutor


@pytest.fixture
def executor():
    """Makes an executor for so many resources, which are their own numbers."""
    with contextlib.ExitStack() as stack:

        def make(count):
            made = OrderedExecutor(range(count))
            stack.callback(made.close)
            return made

        yield make


def test_calls_for_one_key_are_made_in_order_with_the_same_resource(executor):
    three, calls = executor(3), []

    def note(key, number):
        def call(resource):
            time.sleep(random.uniform(0, 0.001))
            calls.append((key, resource, number))

        return call

    for number in range(20):
        for key in "abcdef":
            three.submit(three.slot_of(key), note(key, number))
    assert list(three.results()) == [None] * 120
    for key in "abcdef":
        assert [number for one, _, number in calls if one == key] == list(range(20))
        assert {resource for one, resource, _ in calls if one == key} == {three.slot_of(key)}


def test_no_more_results_are_waited_for_than_have_to_be(executor):
    two, go = executor(2), threading.Event()
    two.submit(0, lambda resource: go.wait(20))
    two.submit(1, lambda resource: "done")
    assert list(two.results(at_most=1)) == ["done"]
    assert list(two.results(at_most=1)) == []
    go.set()
    assert list(two.results()) == [True]


def test_with_one_resource_calls_are_made_in_this_thread(executor):
    one = executor(1)
    one.submit(one.slot_of("any"), lambda resource: (resource, threading.current_thread()))
    assert list(one.results()) == [(0, threading.current_thread())]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_what_a_call_raises_is_raised(executor, count, error):
    made = executor(count)

    def fail(resource):
        raise error

    with pytest.raises(error):  # noqa: PT012
        made.submit(0, fail)
        list(made.results())


def test_what_has_not_begun_is_dropped_when_it_is_closed():
    two, begun, calls = OrderedExecutor(range(2)), threading.Event(), []

    def last(resource):
        begun.set()
        while not two._is_closed:
            time.sleep(0.001)

    two.submit(0, last)
    two.submit(0, calls.append)
    begun.wait(20)
    two.close()
    assert calls == []


def test_an_interruption_at_any_time_is_one_and_does_no_harm():
    def interrupt(*arguments):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(200):
            two = OrderedExecutor(range(2))
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.003))
                while True:
                    two.submit(0, str)
                    two.submit(1, str)
                    list(two.results())
            list(two.results())
            two.close()
    finally:
        signal.signal(signal.SIGALRM, before)
