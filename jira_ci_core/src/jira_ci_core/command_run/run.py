"""The story of `jira-ci run`: Jira is told that a command begins, the command runs, and Jira is told how it ended.

A run goes through three phases. Each ends by itself or when its time is over, and handles the signals that arrive
meanwhile:

    Starting ── first report ended, or out of time ─▶ Running ── command ended ─▶ Ending ── last report ended ─▶ result
       └────────── a signal, or the command cannot be started ──────────────────────▲

An error that is found before Jira is asked ends the step. From then on nothing keeps the command from running, and
nothing changes its exit status.
"""

from __future__ import annotations

import math
import queue
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.command_run.process import Child, NotStartedError, exit_code, handle_signals
from jira_ci_core.command_run.reports import MARGIN, Reporter, ReportThread
from jira_ci_core.delivery.session import make_site, plan_delivery
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Kind, Report, State
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import kind_of, make_reports
from jira_ci_core.reporting.run import RunFacts, RunResult, find
from jira_ci_core.reporting.state import wanted_state
from jira_ci_core.reporting.test_results import require_junitparser

FIRST_SECONDS = 10.0
"""How long the first report may delay the command."""
LAST_SECONDS = 8.0
"""How long the last report may take after a signal to stop; CI often kills the step after 10 seconds."""

STOP_SIGNALS = signal.SIGINT, signal.SIGTERM


@dataclass(frozen=True)
class CommandResult:
    """How a command and its two reports ended."""

    status: int
    """The exit code that a shell would give for the command."""
    is_reported: bool
    """Whether each report succeeded, as `jira-ci report` would judge it."""


def run_command(
    runtime: Runtime,
    command: Sequence[str],
    show_result: Callable[[RunResult], None],
    show_problem: Callable[[Problem], None],
    clock: Clock = PROCESS_CLOCK,
) -> CommandResult:
    """Run a command between two reports. Must be called in the main thread, where Python handles signals.

    `show_result` is called with each report's result, `show_problem` where the command cannot be started. Raises
    SettingsError or PluginError; then the command was not run.
    """
    settings, plugins = runtime.settings, runtime.plugins
    plan = plan_delivery(runtime, make_site(settings))
    with plan.within(FIRST_SECONDS - MARGIN).open() as session:
        facts = find(runtime)
        success = _success_state(runtime, facts)
        plan.check()
        reports: tuple[Report, ...] = ()
        if facts.keys:
            reports = make_reports(plugins, facts.pipeline, facts.issue_keys, State.IN_PROGRESS, settings, clock)
            if settings.test_results and kind_of(settings) is Kind.BUILD:
                require_junitparser()
        plugins.disable_timeout()
        events = Events()
        reporter = Reporter(runtime, plan, facts, reports, show_result, events.wake, clock)
        job = Job(command, success, reporter, show_problem, events.wake)
        with handle_signals(events.add_signal):
            return _go_through(Starting(job, reporter.start_first(session, FIRST_SECONDS)), events)


class Events:
    """What a run waits for: signals, and ends of a report or of the command."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def add_signal(self, number: int) -> None:
        self._queue.put(number)

    def wake(self) -> None:
        """End the wait, since a thread has set its result."""
        self._queue.put(None)

    def wait(self, seconds: float) -> int | None:
        """The number of the next signal, or None for another event. Raises queue.Empty after so many seconds."""
        return self._queue.get(timeout=None if seconds == math.inf else max(seconds, 0.0))


@dataclass(frozen=True)
class Job:
    """What stays the same in all phases of a run."""

    command: Sequence[str]
    success: State
    """The state to report for a command that succeeds."""
    reporter: Reporter
    show_problem: Callable[[Problem], None]
    on_exit: Callable[[], None]
    """Called in another thread when the command has ended."""


@dataclass(frozen=True)
class Starting:
    """Jira is told that the command begins."""

    job: Job
    report: ReportThread | None
    """None where there is nothing to report."""

    @property
    def until(self) -> float:
        return self.report.until if self.report else 0.0

    @property
    def is_over(self) -> bool:
        return self.report is None or self.report.has_ended

    def on_signal(self, number: int) -> Ending:
        """End the run: the command is not started, whatever the signal is."""
        last = self.job.reporter.start_last(State.CANCELLED, LAST_SECONDS)
        return Ending.begin(self.job, -number, last)

    def next(self) -> Running | Ending:
        """Start the command. Raises SettingsError where the report found one."""
        is_reported = True
        if self.report is not None:
            if isinstance(self.report.error, SettingsError):
                raise self.report.error
            is_reported = self.job.reporter.finish(self.report)
        try:
            child = Child(self.job.command, self.job.on_exit)
        except NotStartedError as error:
            self.job.show_problem(error.problem)
            last = self.job.reporter.start_last(State.FAILED, math.inf)
            return Ending.begin(self.job, error.status, last, is_reported)
        return Running(self.job, child, is_reported)


@dataclass(frozen=True)
class Running:
    """The command runs."""

    job: Job
    child: Child
    is_reported: bool
    """Whether the first report succeeded."""
    cancelled: ReportThread | None = None
    """The last report, where the run was told to stop: it does not wait for the command, since CI may not either."""
    until: ClassVar[float] = math.inf

    @property
    def is_over(self) -> bool:
        return self.child.status is not None

    def on_signal(self, number: int) -> Running:
        """Forward the signal; tell Jira of the first one to stop."""
        self.child.forward(number)
        if number not in STOP_SIGNALS or self.cancelled is not None:
            return self
        return replace(self, cancelled=self.job.reporter.start_last(State.CANCELLED, LAST_SECONDS))

    def next(self) -> Ending:
        """Tell Jira how the command ended, unless it is being told already."""
        status = self.child.status
        assert status is not None
        last = self.cancelled
        if last is None:
            if -status in STOP_SIGNALS:
                # What stopped the command may stop this process next.
                last = self.job.reporter.start_last(State.CANCELLED, LAST_SECONDS)
            else:
                last = self.job.reporter.start_last(State.FAILED if status else self.job.success, math.inf)
        return Ending.begin(self.job, status, last, self.is_reported)


@dataclass(frozen=True)
class Ending:
    """Jira is told how the command ended."""

    job: Job
    status: int
    """That of the command, below 0 for a signal."""
    report: ReportThread
    is_reported: bool
    """Whether the first report succeeded, or was not waited for."""
    until: float

    @classmethod
    def begin(cls, job: Job, status: int, report: ReportThread, is_reported: bool = True) -> Ending:
        until = min(report.until, time.monotonic() + job.reporter.patience)
        return cls(job, status, report, is_reported, until)

    @property
    def is_over(self) -> bool:
        return self.report.has_ended

    def on_signal(self, number: int) -> Ending:
        """Wait less long, whatever the signal is."""
        return replace(self, until=min(self.until, time.monotonic() + LAST_SECONDS))

    def next(self) -> CommandResult:
        is_reported = self.job.reporter.finish(self.report)
        return CommandResult(exit_code(self.status), is_reported and self.is_reported)


def _go_through(phase: Starting | Running | Ending, events: Events) -> CommandResult:
    """Go from phase to phase. One is left only when all signals that came before its end are handled."""
    current: Starting | Running | Ending | CommandResult = phase
    while not isinstance(current, CommandResult):
        try:
            number = events.wait(0.0 if current.is_over else current.until - time.monotonic())
        except queue.Empty:
            current = current.next()
        else:
            if number is not None:
                current = current.on_signal(number)
    return current


def _success_state(runtime: Runtime, facts: RunFacts) -> State:
    """The state to report for a command that succeeds. Raises SettingsError where STATE is not for a success."""
    wanted = wanted_state(runtime.plugins, facts.pipeline, kind_of(runtime.settings), runtime.settings)
    if wanted not in (None, State.SUCCESSFUL, State.ROLLED_BACK):
        raise SettingsError(
            Problem(
                f"STATE cannot be {runtime.settings.state!r} here",
                "`jira-ci run` shows how its command ends, and STATE only what its success is called",
                "leave STATE out, or set it to rolled_back where the command is a rollback",
            )
        )
    return wanted or State.SUCCESSFUL
