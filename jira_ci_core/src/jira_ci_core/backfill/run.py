"""Delivering many builds and deployments from a file: in bulk, several calls at a time, and resumable.

All lines of one build or deployment go through the same slot of the executor, which sends one batch after the other, so
that none overtakes another. Memory does not grow with the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from jira_ci_core.backfill.batch import MOST_LINES, Batch, BatchResult, deliver_batch
from jira_ci_core.backfill.checkpoint import Checkpoint
from jira_ci_core.backfill.lines import BadLineError, Line, LineParser, Position, read_lines
from jira_ci_core.backfill.ordered_executor import OrderedExecutor
from jira_ci_core.backfill.rate_limit import RateLimit
from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.delivery.session import Session, make_site, plan_delivery
from jira_ci_core.models import Kind, Report, Result
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem

SENDERS = 4
PENDING_PER_SENDER = 2
"""How many batches, for each sender, are sent or wait to be."""
# A batch that does not fill up would hold up the checkpoint.
MOST_LINES_OPEN = 20 * MOST_LINES
"""How many lines of the file may be read before a batch is sent as it is."""
MOST_LISTED = 20
"""How many rejected lines, and unknown issue keys, a result lists."""


@dataclass
class BackfillResult:
    """How many lines were delivered or rejected, and what was wrong."""

    resumed_at: Position = field(default_factory=Position)
    """Where an earlier run stopped."""
    position: Position = field(default_factory=Position)
    """How far the file is read."""
    rejected_before: int = 0
    """How many lines the earlier run rejected, up to where it stopped."""
    delivered: int = 0
    """How many Jira, or a queue, has accepted."""
    rejected: int = 0
    """How many Jira has refused, or are no builds and no deployments."""
    is_done: bool = False
    """Whether every line was accepted or rejected."""
    rejections: list[tuple[int, str]] = field(default_factory=list)
    """The number of each rejected line and the reason, of the first `MOST_LISTED`."""
    unknown_issue_keys: dict[str, None] = field(default_factory=dict)
    """Those that Jira does not know, at most `MOST_LISTED`."""
    problems: dict[Problem, None] = field(default_factory=dict)
    """Why it ended before every line was accepted or rejected."""


def backfill(
    runtime: Runtime,
    file: BinaryIO,
    checkpoint: Checkpoint,
    progress: Callable[[BackfillResult], None],
    clock: Clock = PROCESS_CLOCK,
) -> BackfillResult:
    """Deliver all lines of a file; `progress` is called after each batch with the result so far.

    Ends with the first batch that is neither accepted nor refused. Raises SettingsError, PluginError and
    BackfillFileError.
    """
    rate_limit = RateLimit()
    site = make_site(runtime.settings)
    plan = plan_delivery(runtime, site, on_rate_limit=rate_limit.hit)
    plan.check()
    senders = SENDERS if plan.may_use_threads else 1
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(plan.open()) for _ in range(senders)]
        executor: OrderedExecutor[Session, BatchResult] = OrderedExecutor(sessions)

        def stop() -> None:
            rate_limit.stop()
            for session in sessions:
                session.close()

        stack.callback(executor.close)
        stack.callback(stop)
        run = _Backfill(executor, checkpoint, progress, rate_limit, clock, stop)
        try:
            position = checkpoint.resume(file)
            return run.run(read_lines(file, position), position, LineParser(runtime.plugins, runtime.settings, site))
        finally:
            checkpoint.close(is_done=run.result.is_done)


class _Backfill:
    """Reads lines, fills batches, sends them, and notes what became of each line."""

    def __init__(
        self,
        executor: OrderedExecutor[Session, BatchResult],
        checkpoint: Checkpoint,
        progress: Callable[[BackfillResult], None],
        rate_limit: RateLimit,
        clock: Clock,
        stop: Callable[[], None],
    ) -> None:
        """`stop` ends the calls that are under way."""
        self.result = BackfillResult()
        self._executor = executor
        self._checkpoint = checkpoint
        self._progress = progress
        self._rate_limit = rate_limit
        self._clock = clock
        self._stop = stop
        self._open: dict[tuple[int, Kind], Batch] = {}
        """The batches that lines are added to, by slot and kind, the one that was begun first at the front."""
        self._unsettled: set[Batch] = set()
        """The batches that were sent and not accepted or refused as a whole."""
        self._has_failed = False
        """Whether a line was neither accepted nor refused."""

    def run(self, lines: Iterator[Line], position: Position, parser: LineParser) -> BackfillResult:
        result = self.result
        result.resumed_at = result.position = position
        result.rejected_before = self._checkpoint.rejected_lines.count_before
        try:
            for line in lines:
                self._take(line, parser)
                if self._has_failed:
                    break
            else:
                for batch in list(self._open.values()):
                    self._send(batch)
        except BaseException:
            self._stop()
            with contextlib.suppress(Exception):
                self._collect()
                self._save(now=True)
            raise
        self._collect()
        result.is_done = not self._has_failed
        self._save(now=True)
        return result

    def _take(self, line: Line, parser: LineParser) -> None:
        self._checkpoint.note_first(line)
        if line.text.strip():
            try:
                report = parser.parse(line)
            except BadLineError as error:
                self._reject(line, str(error))
            else:
                self._add(line, report)
        # Last: an interruption before this must not have the checkpoint pass the line.
        self.result.position = line.after
        for batch in [batch for batch in self._open.values() if batch.is_full]:
            self._send(batch)
        oldest = next(iter(self._open.values()), None)
        if oldest is not None and line.number - oldest.start.line > MOST_LINES_OPEN:
            self._send(oldest)

    def _add(self, line: Line, report: Report) -> None:
        slot, kind = self._executor.slot_of(report.identity), report.entity.kind
        batch = self._open.setdefault((slot, kind), Batch(slot, kind, line.before))
        batch.add(line, report)

    def _send(self, batch: Batch) -> None:
        self._unsettled.add(batch)
        del self._open[batch.slot, batch.kind]
        self._executor.submit(batch.slot, lambda session: deliver_batch(session, batch, self._rate_limit, self._clock))
        self._collect(at_most=PENDING_PER_SENDER * len(self._executor))

    def _collect(self, at_most: int = 0) -> None:
        """Note what became of batches, until at most so many of them are pending."""
        for sent in self._executor.results(at_most):
            self._note(sent)
            if self._has_failed:
                self._rate_limit.stop()
            self._save()
            self._progress(self.result)

    def _note(self, sent: BatchResult) -> None:
        for line, outcome in sent.outcomes:
            if outcome.result is Result.REJECTED:
                self._reject(line, "; ".join(f"{problem.what}: {problem.why}" for problem in outcome.problems))
            elif outcome.result is Result.NOT_DELIVERED:
                self.result.problems.update(dict.fromkeys(outcome.problems))
            else:
                self.result.delivered += 1
        for key in sent.unknown_issue_keys:
            if len(self.result.unknown_issue_keys) < MOST_LISTED:
                self.result.unknown_issue_keys[key] = None
        if sent.is_delivered:
            self._unsettled.discard(sent.batch)
        else:
            self._has_failed = True

    def _save(self, *, now: bool = False) -> None:
        """Save the start of the first batch that is not settled, or else how far the file is read."""
        starts = [batch.start for batch in (*self._unsettled, *self._open.values())]
        position = min(starts, key=lambda start: start.offset, default=self.result.position)
        self._checkpoint.save(position, now=now)

    def _reject(self, line: Line, reason: str) -> None:
        self.result.rejected += 1
        if len(self.result.rejections) < MOST_LISTED:
            self.result.rejections.append((line.number, reason))
        self._checkpoint.rejected_lines.add(line, reason)
