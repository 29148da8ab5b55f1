"""The steps of `jira-ci run`: Jira is told that a command begins, the command runs, and Jira is told how it ended.

A run goes through three phases. Each ends by itself or when its time is over, and handles the signals that arrive
meanwhile:

    FirstReport ── it has ended, or is out of time ─▶ CommandRunning ── the command has ended ─▶ LastReport ─▶ result
       └────────── a signal, or the command cannot be started ─────────────────────────────────────▲

An error that is found before Jira is asked ends the step. From then on nothing keeps the command from running, and
nothing changes its exit status.
"""

from __future__ import annotations

import functools
import logging
import math
import queue
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from jira_ci_core.clock import PROCESS_CLOCK
from jira_ci_core.command_run.process import Child, handle_signals
from jira_ci_core.command_run.reports import MARGIN, Reporter, ReportThread
from jira_ci_core.config.environ import HTTP_PROXIES, HTTPS_PROXIES, PREFIXES
from jira_ci_core.delivery.session import make_site, plan_delivery
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Kind, Receipt, Report, State
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import kind_of, make_reports
from jira_ci_core.reporting.run import RunFacts, RunResult, check_credentials, find, nothing_to_report
from jira_ci_core.reporting.state import build_has_failed, wanted_state
from jira_ci_core.reporting.test_results import require_junitparser

FIRST_SECONDS = 10.0
"""How long the first report may delay the command."""
LAST_SECONDS = 8.0
"""How long the last report may take after a signal to stop; CI often kills the step after 10 seconds."""

STOP_SIGNALS = signal.SIGINT, signal.SIGTERM

log = logging.getLogger(__name__)

# The value of a variable of a proxy in which there is no place for a credential, such as behind %40; also none at all.
_HOST_AND_PORT = re.compile(r"(?:(?:\w+://)?(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?/?)?", re.ASCII)

UNKNOWN_STATUS = Problem(
    "how the command ended is not known",
    "a plugin, or a library that it uses, has waited for processes that are not its own",
    "look at what the command printed; leave plugins out with DISABLE_PLUGINS to find the one",
)

Events = queue.SimpleQueue[int | None]
"""The events that end a wait: the numbers of signals, and None when a thread has set a report's or command's result."""


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
    environ: Mapping[str, str],
    show_result: Callable[[RunResult], None],
    show_problem: Callable[[Problem], None],
) -> CommandResult:
    """Run a command between two reports. Must be called in the main thread, where Python handles signals.

    `environ` is that of the step; the command gets it without credentials. `show_result` is called with each report's
    result, `show_problem` if the command cannot be started, or how it ended is not known. Raises SettingsError or
    PluginError; then the command was not run.
    """
    settings, plugins = runtime.settings, runtime.plugins
    plan = plan_delivery(runtime, make_site(settings))
    with plan.within(FIRST_SECONDS - MARGIN).open() as session:
        facts = find(runtime)
        success = _success_state(runtime, facts)
        reports: tuple[Report, ...] = ()
        skipped = nothing_to_report(facts, settings) or check_credentials(plan)
        if skipped is None:
            state = State.IN_PROGRESS
            reports = make_reports(
                plugins, facts.pipeline, facts.issue_keys, state, settings, PROCESS_CLOCK, runtime.secrets.redact_stored
            )
            if settings.test_results and kind_of(settings) is Kind.BUILD:
                require_junitparser()
        plugins.disable_timeout()
        events: Events = queue.SimpleQueue()
        wake = functools.partial(events.put, None)
        reporter = Reporter(plan, facts, reports, skipped or Receipt(), show_result, wake)
        job = Job(command, environ_of_command(runtime, environ), success, reporter, show_problem)
        with handle_signals(events.put):
            return _go_through(FirstReport(job, reporter.start_first(session, FIRST_SECONDS)), events)


@dataclass(frozen=True)
class Job:
    """The objects that all phases of a run share."""

    command: Sequence[str]
    environ: Mapping[str, str]
    success: State
    """The state to report for a command that succeeds."""
    reporter: Reporter
    show_problem: Callable[[Problem], None]

    def cancel(self) -> ReportThread:
        """Report the run as cancelled, in the time that CI leaves for it."""
        return self.reporter.start_last(State.CANCELLED, LAST_SECONDS)


@dataclass(frozen=True)
class FirstReport:
    """Jira is told that the command begins."""

    job: Job
    report: ReportThread | None
    """None if there is nothing to report."""

    @property
    def until(self) -> float:
        return self.report.until if self.report else 0.0

    @property
    def is_over(self) -> bool:
        return self.report is None or self.report.has_ended

    def on_signal(self, number: int) -> LastReport:
        """End the run: the command is not started, whatever the signal is."""
        return LastReport.begin(self.job, -number, self.job.cancel())

    def next(self) -> CommandRunning | LastReport:
        """Start the command. Raises SettingsError if the report found one."""
        is_reported = True
        if self.report is not None:
            if isinstance(self.report.error, SettingsError):
                raise self.report.error
            is_reported = self.job.reporter.finish(self.report)
        command = self.job.command
        try:
            child = Child(command, self.job.environ, self.job.reporter.wake)
        except OSError as error:
            remedy = "check its name, that what its first line names is installed, and that it may be run (chmod +x)"
            self.job.show_problem(Problem(f"{command[0]} could not be started", error.strerror or str(error), remedy))
            status = 127 if isinstance(error, FileNotFoundError) else 126  # as a shell does
            last = self.job.reporter.start_last(State.FAILED, math.inf)
            return LastReport.begin(self.job, status, last, is_reported)
        return CommandRunning(self.job, child, is_reported)


@dataclass(frozen=True)
class CommandRunning:
    """The command runs."""

    job: Job
    child: Child
    is_reported: bool
    """Whether the first report succeeded."""
    cancelled: ReportThread | None = None
    """The last report, if the run was told to stop: it does not wait for the command, since CI may not either."""
    until: ClassVar[float] = math.inf

    @property
    def is_over(self) -> bool:
        return self.child.has_ended

    def on_signal(self, number: int) -> CommandRunning:
        """Forward the signal; tell Jira of the first one to stop."""
        self.child.forward(number)
        if number not in STOP_SIGNALS or self.cancelled is not None:
            return self
        return replace(self, cancelled=self.job.cancel())

    def next(self) -> LastReport:
        """Tell Jira how the command ended, unless it is being told already."""
        status = self.child.status
        if status is None:
            self.job.show_problem(UNKNOWN_STATUS)
        if self.cancelled is not None:
            last = self.cancelled
        elif status is None:
            last = self.job.reporter.start_last(State.UNKNOWN, math.inf)
        elif -status in STOP_SIGNALS:
            last = self.job.cancel()  # what stopped the command may stop this process next
        else:
            last = self.job.reporter.start_last(State.FAILED if status else self.job.success, math.inf)
        return LastReport.begin(self.job, 1 if status is None else status, last, self.is_reported)


@dataclass(frozen=True)
class LastReport:
    """Jira is told how the command ended."""

    job: Job
    status: int
    """That of the command, below 0 for a signal."""
    report: ReportThread
    is_reported: bool
    """Whether the first report succeeded, or was not waited for."""
    until: float

    @classmethod
    def begin(cls, job: Job, status: int, report: ReportThread, is_reported: bool = True) -> LastReport:
        until = min(report.until, time.monotonic() + job.reporter.patience)
        return cls(job, status, report, is_reported, until)

    @property
    def is_over(self) -> bool:
        return self.report.has_ended

    def on_signal(self, number: int) -> LastReport:
        """Wait less long, whatever the signal is."""
        return replace(self, until=min(self.until, time.monotonic() + LAST_SECONDS))

    def next(self) -> CommandResult:
        is_reported = self.job.reporter.finish(self.report)
        # A shell gives 143 for a command that signal 15 ended.
        status = self.status if self.status >= 0 else 128 - self.status
        return CommandResult(status, is_reported and self.is_reported)


def _go_through(phase: FirstReport | CommandRunning | LastReport, events: Events) -> CommandResult:
    """Go from phase to phase. One is left only when all signals that came before its end are handled."""
    current: FirstReport | CommandRunning | LastReport | CommandResult = phase
    while not isinstance(current, CommandResult):
        seconds = 0.0 if current.is_over else max(current.until - time.monotonic(), 0.0)
        try:
            number = events.get(timeout=None if seconds == math.inf else seconds)
        except queue.Empty:
            current = current.next()
        else:
            if number is not None:
                current = current.on_signal(number)
    return current


def environ_of_command(runtime: Runtime, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the step without any variable that spells a secret setting, unless PASS_CREDENTIALS is set.

    A proxy that is a host and a port stays, since it is no credential and the command may need it.
    """
    if runtime.settings.pass_credentials:
        return dict(environ)
    proxies = {name for name in (*HTTPS_PROXIES, *HTTP_PROXIES) if _HOST_AND_PORT.fullmatch(environ.get(name, ""))}
    withheld = (environ.keys() & runtime.secret_variables) - proxies
    for name in sorted(withheld):
        # Variables with these prefixes are this step's own; any other may be meant for the command as well.
        level = logging.DEBUG if name.startswith(PREFIXES) else logging.INFO
        log.log(level, "the command does not get %s, which may hold a credential; PASS_CREDENTIALS passes it on", name)
    return {name: value for name, value in environ.items() if name not in withheld}


def _success_state(runtime: Runtime, facts: RunFacts) -> State:
    """The state to report for a command that succeeds. Raises SettingsError if STATE is not for a success."""
    kind = kind_of(runtime.settings)
    wanted = wanted_state(runtime.plugins, facts.pipeline, kind, runtime.settings)
    if wanted not in (None, State.SUCCESSFUL, State.ROLLED_BACK):
        what = f"STATE cannot be {runtime.settings.state!r} here"
        why = "`jira-ci run` takes the state from how its command ends; STATE only replaces successful"
        remedy = "leave STATE out, or set it to rolled_back if the command is a rollback"
        raise SettingsError(Problem(what, why, remedy))
    if build_has_failed(facts.pipeline, kind) and (wanted is None or runtime.settings.state_policy != "force"):
        return State.FAILED
    return State.ROLLED_BACK if wanted is State.ROLLED_BACK else State.SUCCESSFUL
