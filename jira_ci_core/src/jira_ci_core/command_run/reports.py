"""The two reports of `jira-ci run`, each delivered in a thread of its own while the step goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from jira_ci_core.clock import PROCESS_CLOCK
from jira_ci_core.delivery.session import DeliveryPlan, Session
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.models import Receipt, Report, Result, State
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import make_reports
from jira_ci_core.reporting.run import RunFacts, RunResult, RunStatus, finish, send, status_of

MARGIN = 0.5
"""Margin in seconds by which requests time out before the step does, to leave time for the error."""


class ReportThread:
    """Delivers one report in a daemon thread: the step may end while it still runs."""

    def __init__(self, deliver: Callable[[], RunResult], seconds: float, on_end: Callable[[], None]) -> None:
        """Start delivering; `on_end` is called in the thread once there is a `result` or an `error`."""
        self.result: RunResult | None = None
        self.error: BaseException | None = None
        self.until = time.monotonic() + seconds
        """Deadline (`time.monotonic`) after which the step stops waiting for the report."""

        def run() -> None:
            try:
                self.result = deliver()
            except BaseException as error:
                self.error = error
            finally:
                on_end()

        threading.Thread(target=run, daemon=True).start()

    @property
    def has_ended(self) -> bool:
        return self.result is not None or self.error is not None


@dataclass(frozen=True)
class Reporter:
    """Starts the two reports of a run, and shows what became of each."""

    plan: DeliveryPlan
    facts: RunFacts
    reports: tuple[Report, ...]
    """The first report: one for a build, or one for each environment; empty if nothing is reported."""
    skipped: Receipt
    """If so, why nothing is reported: there is no issue key, or there are no credentials."""
    show: Callable[[RunResult], None]
    wake: Callable[[], None]
    """Ends the wait of the main thread: called in other threads when a report, or the command, has ended."""

    @property
    def patience(self) -> float:
        """How many seconds the step waits for a report if nothing tells it to stop."""
        return self.plan.runtime.network.deadline + self.plan.runtime.settings.plugin_timeout

    def start_first(self, session: Session, seconds: float) -> ReportThread | None:
        """Report that the command begins; None if there is nothing to report."""
        if not self.reports:
            return None
        # Waiting until Jira shows it would delay the command, and the last report is verified anyway.
        settings = self.plan.runtime.settings.model_copy(update={"verify": False})
        runtime = replace(self.plan.runtime, settings=settings)

        def deliver() -> RunResult:
            receipt = send(runtime, session, self.reports)
            status, code = status_of(receipt, runtime.settings)
            return RunResult(status, code, self.facts.pipeline, self.facts.keys, self.reports, receipt)

        return ReportThread(deliver, seconds, self.wake)

    def start_last(self, state: State, seconds: float) -> ReportThread:
        """Report how the command ended, with a DEADLINE that is over within so many seconds.

        The report holds what is known only now as well: the duration, and the tests that were run.
        """
        runtime, facts = self.plan.runtime, self.facts
        session = self.plan.within(max(seconds - MARGIN, MARGIN)).open() if self.reports else None

        def deliver() -> RunResult:
            if session is None:
                return finish(runtime, facts, (), self.skipped)
            first = self.reports[0].entity
            # A CI that has no number may not tell another one than before.
            known = {"started": first.last_updated.isoformat(), "number": facts.pipeline.number or str(first.number)}
            pipeline = facts.pipeline.model_copy(update=known)
            keys, settings = facts.issue_keys, runtime.settings
            with session:
                reports = make_reports(
                    runtime.plugins, pipeline, keys, state, settings, PROCESS_CLOCK, runtime.secrets.redact_stored
                )
                return replace(finish(runtime, facts, reports, send(runtime, session, reports)), keys=())

        return ReportThread(deliver, seconds, self.wake)

    def finish(self, report: ReportThread) -> bool:
        """Show what became of a report that has ended or is out of time; returns whether it succeeded."""
        result = report.result or self._not_delivered(report.error)
        self.show(result)
        return result.exit_code is ExitCode.OK

    def _not_delivered(self, error: BaseException | None) -> RunResult:
        if isinstance(error, JiraCiError):
            problems = error.problems
        elif error is not None:
            why = f"{type(error).__name__}: {error}"
            problems = (Problem("the report to Jira could not be made", why, "this is a bug; please report it"),)
        else:
            why = "Jira had not answered when the step had to go on"
            remedy = (
                "see docs/reliability.md for how a later step reports the end; set OUTBOX to keep undelivered reports"
            )
            problems = (Problem("the report to Jira was not finished in time", why, remedy),)
        receipt = Receipt.for_all(self.reports, Result.NOT_DELIVERED, *problems)
        return RunResult(RunStatus.NOT_DELIVERED, ExitCode.JIRA, self.facts.pipeline, (), self.reports, receipt)
