"""The story of `jira-ci run`: Jira is told that it begins, the command runs, and Jira is told how it ended.

What is wrong before Jira is first asked ends the step. From then on nothing keeps the command from running, and
nothing changes its status.
"""

from __future__ import annotations

import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.command_run.process import Child, NotStartedError, exit_code, signals
from jira_ci_core.delivery.session import DeliveryPlan, Session, plan_delivery
from jira_ci_core.delivery.site import make_site
from jira_ci_core.errors import ExitCode, JiraCiError, SettingsError
from jira_ci_core.models import Kind, Receipt, Report, Result, State
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import kind_of, make_reports
from jira_ci_core.reporting.run import RunFacts, RunResult, RunStatus, end, find, no_key, send, status_of
from jira_ci_core.reporting.state import wanted_state
from jira_ci_core.reporting.test_results import require_junitparser

FIRST_SECONDS = 10.0
"""So long at the most does Jira delay the command."""
LAST_SECONDS = 8.0
"""So long at the most is Jira told after a signal to stop: CI kills after 10."""
MARGIN = 0.5
"""So much earlier is the deadline of the network, so that it can be said why it was missed."""

STOPPING = signal.SIGINT, signal.SIGTERM


@dataclass(frozen=True)
class CommandResult:
    """How it ended."""

    status: int
    """What a shell would answer for the command."""
    is_told: bool
    """Whether nothing went wrong with telling Jira."""


def run_command(
    runtime: Runtime,
    command: Sequence[str],
    tell: Callable[[RunResult], None],
    complain: Callable[[Problem], None],
    clock: Clock = PROCESS_CLOCK,
) -> CommandResult:
    """Run a command between two reports. Must be called in the main thread, which alone hears signals.

    `tell` is told of each report, `complain` of a command that cannot be started. Raises SettingsError or PluginError,
    and then the command was not run.
    """
    settings, plugins = runtime.settings, runtime.plugins
    plan = plan_delivery(runtime, make_site(settings))
    with plan.within(FIRST_SECONDS - MARGIN).open() as session:
        found = find(runtime)
        success = _success(runtime, found)
        plan.check()
        reports: tuple[Report, ...] = ()
        if found.keys:
            reports = make_reports(plugins, found.pipeline, found.names, State.IN_PROGRESS, settings, clock)
            if settings.test_results and kind_of(settings) is Kind.BUILD:
                require_junitparser()
        plugins.disable_timeout()
        step = _Step(runtime, plan, session, found, reports, tell, clock)
        with signals(step.events.put):
            return step.run(command, success, complain)


class _Step:
    """What happens, one thing after the other, while reports and the command take their time elsewhere.

    `events` are numbers of signals, and None where something that is waited for has ended.
    """

    def __init__(
        self,
        runtime: Runtime,
        plan: DeliveryPlan,
        session: Session,
        found: RunFacts,
        reports: tuple[Report, ...],
        tell: Callable[[RunResult], None],
        clock: Clock,
    ) -> None:
        self.events: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._runtime = runtime
        self._plan = plan
        self._session = session
        self._found = found
        self._reports = reports
        self._tell = tell
        self._clock = clock
        self._child: Child | None = None
        self._stopped_by: int | None = None
        self._stopped_until = math.inf
        self._last: _Telling | None = None
        self._is_told = True

    def run(self, command: Sequence[str], success: State, complain: Callable[[Problem], None]) -> CommandResult:
        if self._reports:
            self._begin()
        if self._stopped_by is not None:
            return self._end(State.CANCELLED, -self._stopped_by)
        try:
            child = self._child = Child(command, self._wake)
        except NotStartedError as error:
            complain(error.problem)
            return self._end(State.FAILED, error.status)
        self._wait(lambda: child.status is not None, math.inf)
        assert child.status is not None
        if -child.status in STOPPING:
            # Whoever stopped it may stop this process next.
            self._stopped_until = min(self._stopped_until, time.monotonic() + LAST_SECONDS)
            return self._end(State.CANCELLED, child.status)
        return self._end(State.FAILED if child.status else success, child.status)

    def _begin(self) -> None:
        """Tell that it begins; a signal to stop does not wait for that."""
        runtime = self._runtime
        # That Jira shows it need not be waited for: the last report will show, too.
        quick = replace(runtime, settings=runtime.settings.model_copy(update={"verify": False}))

        def tell() -> RunResult:
            receipt = send(quick, self._session, self._reports)
            status, code = status_of(receipt, runtime.settings)
            return RunResult(status, code, self._found.pipeline, self._found.keys, self._reports, receipt)

        first = _Telling(tell, self._wake)
        limit = time.monotonic() + FIRST_SECONDS
        self._wait(lambda: first.has_ended or self._stopped_by is not None, limit)
        if isinstance(first.error, SettingsError):
            raise first.error
        if self._stopped_by is None:
            self._note(first)

    def _end(self, state: State, status: int) -> CommandResult:
        """Tell how it ended, unless that is being told already since it was told to stop."""
        network, settings = self._runtime.network, self._runtime.settings
        last = self._last or self._begin_last(state)
        patience = time.monotonic() + network.deadline + settings.plugin_timeout
        self._wait(lambda: last.has_ended, patience)
        self._note(last)
        return CommandResult(exit_code(status), self._is_told)

    def _begin_last(self, state: State) -> _Telling:
        runtime, found = self._runtime, self._found
        left = self._stopped_until - time.monotonic() - MARGIN
        plan = self._plan if left == math.inf else self._plan.within(max(left, MARGIN))
        session = plan.open() if self._reports else None

        def tell() -> RunResult:
            if session is None:
                return end(runtime, found, (), no_key())
            with session:
                reports = self._make_last(state)
                return replace(end(runtime, found, reports, send(runtime, session, reports)), keys=())

        self._last = _Telling(tell, self._wake)
        return self._last

    def _make_last(self, state: State) -> tuple[Report, ...]:
        """The reports once more, with what is known only now: how long it took, the tests that were run."""
        found, runtime = self._found, self._runtime
        began = self._reports[0].entity.last_updated.isoformat()
        pipeline = found.pipeline.model_copy(update={"started": began})
        return make_reports(runtime.plugins, pipeline, found.names, state, runtime.settings, self._clock)

    def _wait(self, has_happened: Callable[[], bool], limit: float) -> None:
        """Hear signals until something has happened, those included that came before it, or the time is over."""
        while True:
            until = -math.inf if has_happened() else min(limit, self._stopped_until if self._is_ending else math.inf)
            left = max(until - time.monotonic(), 0)
            try:
                number = self.events.get(timeout=None if left == math.inf else left)
            except queue.Empty:
                return
            if number is not None:
                self._hear(number)

    @property
    def _is_ending(self) -> bool:
        """Whether all that is still to be done is to tell Jira."""
        return self._child is None or self._child.status is not None

    def _hear(self, number: int) -> None:
        if not self._is_ending and self._child is not None:
            self._child.pass_on(number)
            if number not in STOPPING:
                return
        if self._stopped_by is not None:
            return
        self._stopped_by = number
        self._stopped_until = time.monotonic() + LAST_SECONDS
        if self._last is None:
            # At once, and not when the command has ended: CI may not wait for that.
            self._begin_last(State.CANCELLED)

    def _note(self, telling: _Telling) -> None:
        result = telling.result or self._not_told(telling)
        self._is_told = self._is_told and result.exit_code is ExitCode.OK
        self._tell(result)

    def _not_told(self, telling: _Telling) -> RunResult:
        problems: tuple[Problem, ...] = (
            Problem(
                "Jira could not be told in time",
                "neither an answer nor an error came before the step had to go on",
                "see docs/reliability.md for a last word of CI itself; set OUTBOX to keep what is not delivered",
            ),
        )
        if isinstance(telling.error, JiraCiError):
            problems = telling.error.problems
        elif telling.error is not None:
            why = f"{type(telling.error).__name__}: {telling.error}"
            problems = (Problem("Jira could not be told", why, "this is a bug; please report it"),)
        reports = self._reports
        receipt = Receipt.for_all(reports, Result.NOT_DELIVERED, *problems)
        return RunResult(RunStatus.NOT_DELIVERED, ExitCode.JIRA, self._found.pipeline, (), reports, receipt)

    def _wake(self) -> None:
        self.events.put(None)


class _Telling(threading.Thread):
    """A report on its way. Of the daemon kind: nobody waits for it longer than he has to."""

    def __init__(self, tell: Callable[[], RunResult], ended: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.result: RunResult | None = None
        self.error: BaseException | None = None
        self._do = tell
        self._ended = ended
        self.start()

    @property
    def has_ended(self) -> bool:
        return self.result is not None or self.error is not None

    def run(self) -> None:
        try:
            self.result = self._do()
        except BaseException as error:
            self.error = error
        finally:
            self._ended()


def _success(runtime: Runtime, found: RunFacts) -> State:
    """What a command that succeeds is shown as. Raises SettingsError where STATE is no word for that."""
    wanted = wanted_state(runtime.plugins, found.pipeline, kind_of(runtime.settings), runtime.settings)
    if wanted not in (None, State.SUCCESSFUL, State.ROLLED_BACK):
        raise SettingsError(
            Problem(
                f"STATE cannot be {runtime.settings.state!r} here",
                "`jira-ci run` shows how its command ends, and STATE only what its success is called",
                "leave STATE out, or set it to rolled_back where the command is a rollback",
            )
        )
    return wanted or State.SUCCESSFUL
