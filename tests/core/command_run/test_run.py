"""The phases of `jira-ci run`: which signal leads where, and how long each phase waits."""

from __future__ import annotations

import math
import signal
import time
import types

import pytest

from jira_ci_core import State
from jira_ci_core.command_run.run import LAST_SECONDS, CommandRunning, FirstReport, Job, LastReport

EVERY_SIGNAL = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2]
PATIENCE = 3600.0


class Reporter:
    """Notes which last reports are started, and judges all reports to have succeeded but those named."""

    patience = PATIENCE

    def __init__(self):
        self.started = []
        self.failed = []

    def start_last(self, state, seconds):
        self.started.append((state, seconds))
        return report(until=time.monotonic() + seconds)

    def finish(self, report):
        return report not in self.failed


class Child:
    def __init__(self, status=None, has_ended=False):
        self.status = status
        self.has_ended = has_ended or status is not None
        self.forwarded = []

    def forward(self, number):
        self.forwarded.append(number)


def report(until=math.inf, has_ended=False, error=None):
    return types.SimpleNamespace(until=until, has_ended=has_ended, error=error)


@pytest.fixture
def reporter():
    return Reporter()


@pytest.fixture
def job(reporter):
    return Job(("true",), {}, State.SUCCESSFUL, reporter, print)


class TestStarting:
    @pytest.mark.parametrize("number", EVERY_SIGNAL)
    def test_any_signal_cancels_the_run(self, job, reporter, number):
        ending = FirstReport(job, report()).on_signal(number)
        assert reporter.started == [(State.CANCELLED, LAST_SECONDS)]
        assert ending.next().status == 128 + number

    def test_it_is_over_with_its_report_or_without_one(self, job):
        assert [FirstReport(job, one).is_over for one in (report(), report(has_ended=True), None)] == [
            False,
            True,
            True,
        ]


class TestRunning:
    @pytest.mark.parametrize("number", EVERY_SIGNAL)
    def test_each_signal_is_forwarded_and_only_those_to_stop_cancel_the_run(self, job, reporter, number):
        child = Child()
        running = CommandRunning(job, child, True).on_signal(number)
        assert child.forwarded == [number]
        is_stop = number in (signal.SIGTERM, signal.SIGINT)
        assert reporter.started == ([(State.CANCELLED, LAST_SECONDS)] if is_stop else [])
        assert (running.cancelled is not None) == is_stop

    def test_a_second_signal_to_stop_starts_no_second_report(self, job, reporter):
        child = Child()
        running = CommandRunning(job, child, True).on_signal(signal.SIGTERM)
        assert running.on_signal(signal.SIGINT) is running
        assert child.forwarded == [signal.SIGTERM, signal.SIGINT]
        child.status = 0
        assert running.next().report is running.cancelled
        assert len(reporter.started) == 1

    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
    def test_a_signal_that_is_none_to_stop_and_comes_as_the_command_ends_is_not_one(self, job, reporter, number):
        CommandRunning(job, Child(0), True).on_signal(number).next()
        assert reporter.started == [(State.SUCCESSFUL, math.inf)]

    @pytest.mark.parametrize(
        ("status", "state", "seconds"),
        [
            (0, State.SUCCESSFUL, math.inf),
            (1, State.FAILED, math.inf),
            (143, State.FAILED, math.inf),
            (-9, State.FAILED, math.inf),
            (-15, State.CANCELLED, LAST_SECONDS),
            (-2, State.CANCELLED, LAST_SECONDS),
        ],
    )
    def test_its_status_says_what_is_reported_and_in_which_time(self, job, reporter, status, state, seconds):
        assert CommandRunning(job, Child(status), True).next().status == status
        assert reporter.started == [(state, seconds)]


class TestEnding:
    def test_it_waits_no_longer_than_its_report_and_the_step_may(self, job):
        now = time.monotonic()
        assert LastReport.begin(job, 0, report(until=now + 5)).until == now + 5
        assert LastReport.begin(job, 0, report()).until == pytest.approx(now + PATIENCE, abs=60)

    @pytest.mark.parametrize("number", EVERY_SIGNAL)
    def test_each_signal_has_it_wait_less_long_and_never_longer(self, job, number):
        first = LastReport.begin(job, 0, report()).on_signal(number)
        assert first.until <= time.monotonic() + LAST_SECONDS
        assert first.on_signal(number).until == first.until

    @pytest.mark.parametrize(("first", "last"), [(True, True), (True, False), (False, True), (False, False)])
    def test_the_result_says_whether_both_reports_succeeded(self, job, reporter, first, last):
        ending = LastReport.begin(job, 3, report(), first)
        reporter.failed = [] if last else [ending.report]
        result = ending.next()
        assert (result.status, result.is_reported) == (3, first and last)
