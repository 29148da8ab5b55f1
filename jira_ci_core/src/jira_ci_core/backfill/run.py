"""Delivering many builds and deployments from a file: in bulk, several calls at a time, and resumable.

All lines of one build or deployment go through the same slot of the executor, which sends one batch after the other, so
that none overtakes another. Memory does not grow with the file.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from jira_ci_core.backfill.checkpoint import Checkpoint
from jira_ci_core.backfill.lines import BadLineError, Line, LineParser, Position, read_lines
from jira_ci_core.backfill.ordered_executor import OrderedExecutor
from jira_ci_core.backfill.rate_limit import RateLimit
from jira_ci_core.clock import PROCESS_CLOCK
from jira_ci_core.delivery.session import Session, make_site, plan_delivery
from jira_ci_core.models import Kind, Outcome, Report, Result
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem

MOST_LINES = 100
MOST_BYTES = 512 * 2**10
"""Largest batch in bytes, measured on its lines."""
SENDERS = 4
PENDING_PER_SENDER = 2
"""Batches in flight or queued per sender."""
MOST_LINES_OPEN = 20 * MOST_LINES
"""How many lines may be read before a batch is sent as it is; one that does not fill up holds up the checkpoint."""
MOST_LISTED = 20
"""How many rejected lines, and unknown issue keys, a result lists."""


@dataclass(eq=False)
class Batch:
    """Lines of one kind, with their reports, for one slot of the executor, and what became of those that were sent."""

    slot: int
    kind: Kind
    start: Position
    """Where its first line begins."""
    entries: list[tuple[Line, Report]] = field(default_factory=list)
    size: int = 0
    """In bytes."""
    outcomes: list[tuple[Line, Outcome]] = field(default_factory=list)
    unknown_issue_keys: dict[str, None] = field(default_factory=dict)

    def add(self, line: Line, report: Report) -> None:
        self.entries.append((line, report))
        self.size += len(line.text)

    @property
    def is_full(self) -> bool:
        return len(self.entries) >= MOST_LINES or self.size >= MOST_BYTES

    @property
    def has_failed(self) -> bool:
        """Whether a line that was sent was not accepted (by Jira or a queue), refused, or itself to blame."""
        return any(outcome.result is Result.NOT_DELIVERED and not outcome.fails_alone for _, outcome in self.outcomes)


@dataclass
class BackfillResult:
    """How many lines were delivered or rejected, and what was wrong."""

    resumed_at: Position
    """Where an earlier run stopped."""
    rejected_before: int
    """How many lines the earlier run rejected, up to where it stopped."""
    position: Position
    """How far the file is read."""
    delivered: int = 0
    rejected: int = 0
    left_out: int = 0
    """How many lines are of runs that were skipped."""
    is_done: bool = False
    """Whether every line was accepted (by Jira or a queue) or rejected."""
    rejections: list[tuple[int, str]] = field(default_factory=list)
    """The number of each rejected line and the reason, of the first `MOST_LISTED`."""
    unknown_issue_keys: dict[str, None] = field(default_factory=dict)
    """Those that Jira does not know, at most `MOST_LISTED`."""
    problems: dict[Problem, None] = field(default_factory=dict)
    """Why it ended before every line was accepted or rejected."""


def backfill(
    runtime: Runtime, file: BinaryIO, checkpoint: Checkpoint, progress: Callable[[BackfillResult], None]
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
        executor: OrderedExecutor[Session, Batch] = OrderedExecutor(sessions)

        def stop() -> None:
            rate_limit.stop()
            for session in sessions:
                session.close()

        stack.callback(executor.close)
        stack.callback(stop)
        position = checkpoint.resume(file)
        result = BackfillResult(position, checkpoint.rejected_lines.count_before, position)
        run = _Backfill(executor, checkpoint, progress, rate_limit, stop, result)
        try:
            parser = LineParser(runtime.plugins, runtime.settings, site, runtime.secrets.redact_stored)
            run.run(read_lines(file, position), parser)
        finally:
            checkpoint.close(is_done=result.is_done)
    return result


@dataclass
class _Backfill:
    """Reads lines, fills batches, sends them, and notes what became of each line."""

    executor: OrderedExecutor[Session, Batch]
    checkpoint: Checkpoint
    progress: Callable[[BackfillResult], None]
    rate_limit: RateLimit
    stop: Callable[[], None]
    """Ends the calls that are under way."""
    result: BackfillResult
    open: dict[tuple[int, Kind], Batch] = field(default_factory=dict)
    """The batches that lines are added to, by slot and kind, the one that was begun first at the front."""
    unsettled: set[Batch] = field(default_factory=set)
    """The batches that were sent and not accepted or refused as a whole."""
    has_failed: bool = False
    """Whether a line was neither accepted nor refused."""

    def run(self, lines: Iterable[Line], parser: LineParser) -> None:
        try:
            for line in lines:
                self._take(line, parser)
                if self.has_failed:
                    break
            else:
                for batch in list(self.open.values()):
                    self._send(batch)
        except BaseException:
            self.stop()
            with contextlib.suppress(Exception):
                self._collect()
                self._save(now=True)
            raise
        self._collect()
        self.result.is_done = not self.has_failed
        self._save(now=True)

    def _take(self, line: Line, parser: LineParser) -> None:
        self.checkpoint.note_first(line)
        if line.text.strip():
            try:
                report = parser.parse(line)
            except BadLineError as error:
                self._reject(line, str(error))
            else:
                if report is None:
                    self.result.left_out += 1
                else:
                    slot, kind = self.executor.slot_of(report.identity), report.entity.kind
                    self.open.setdefault((slot, kind), Batch(slot, kind, line.before)).add(line, report)
        # Last: an interruption before this must not have the checkpoint pass the line.
        self.result.position = line.after
        for batch in [batch for batch in self.open.values() if batch.is_full]:
            self._send(batch)
        oldest = next(iter(self.open.values()), None)
        if oldest is not None and line.number - oldest.start.line > MOST_LINES_OPEN:
            self._send(oldest)

    def _send(self, batch: Batch) -> None:
        self.unsettled.add(batch)
        del self.open[batch.slot, batch.kind]
        self.executor.submit(batch.slot, lambda session: _deliver_batch(session, batch, self.rate_limit))
        self._collect(at_most=PENDING_PER_SENDER * len(self.executor))

    def _collect(self, at_most: int = 0) -> None:
        """Note what became of batches, until at most so many of them are pending."""
        for batch in self.executor.results(at_most):
            for line, outcome in batch.outcomes:
                if outcome.result is Result.REJECTED or outcome.fails_alone:
                    self._reject(line, "; ".join(map(str, outcome.problems)))
                elif outcome.result is Result.NOT_DELIVERED:
                    self.result.problems.update(dict.fromkeys(outcome.problems))
                else:
                    self.result.delivered += 1
            for key in batch.unknown_issue_keys:
                if len(self.result.unknown_issue_keys) < MOST_LISTED:
                    self.result.unknown_issue_keys[key] = None
            if batch.has_failed:
                self.has_failed = True
                self.rate_limit.stop()
            else:
                self.unsettled.discard(batch)
            self._save()
            self.progress(self.result)

    def _save(self, *, now: bool = False) -> None:
        """Save the start of the first batch that is not settled, or else how far the file is read."""
        starts = [batch.start for batch in (*self.unsettled, *self.open.values())]
        position = min(starts, key=lambda start: start.offset, default=self.result.position)
        self.checkpoint.save(position, now=now)

    def _reject(self, line: Line, reason: str) -> None:
        self.result.rejected += 1
        if len(self.result.rejections) < MOST_LISTED:
            self.result.rejections.append((line.number, reason))
        self.checkpoint.rejected_lines.add(line, reason)


def _deliver_batch(session: Session, batch: Batch, rate_limit: RateLimit) -> Batch:
    """Deliver a batch. One call holds each build or deployment once; further lines of it go into further calls.

    Ends with the first call of which not every report was accepted or refused. Raises SettingsError, PluginError.
    """
    for entries in _calls(batch.entries):
        sequence = PROCESS_CLOCK.next_sequence()
        reports = [_with_sequence(report, sequence) for _, report in entries]
        outcomes = _deliver_reports(session, reports, rate_limit, batch.unknown_issue_keys)
        batch.outcomes.extend(zip((line for line, _ in entries), outcomes, strict=True))
        if batch.has_failed:
            break  # a later line must not overtake this one
    return batch


def _deliver_reports(
    session: Session, reports: Sequence[Report], rate_limit: RateLimit, unknown: dict[str, None]
) -> list[Outcome]:
    """Deliver reports, and again those that were not delivered because of the rate limit."""
    outcomes = [Outcome(result=Result.NOT_DELIVERED)] * len(reports)
    remaining = list(range(len(reports)))
    while remaining and rate_limit.wait():
        session.http.restart()
        hits_before = rate_limit.hits
        receipt = session.deliver([reports[place] for place in remaining])
        for place, outcome in zip(remaining, receipt.outcomes, strict=True):
            outcomes[place] = outcome
        unknown.update(dict.fromkeys(receipt.unknown_issue_keys))
        not_delivered = [place for place in remaining if outcomes[place].result is Result.NOT_DELIVERED]
        if len(not_delivered) < len(remaining):
            rate_limit.succeeded()
        if rate_limit.hits == hits_before:
            break
        remaining = [place for place in not_delivered if not outcomes[place].fails_alone]
    return outcomes


def _calls(entries: Sequence[tuple[Line, Report]]) -> Iterable[list[tuple[Line, Report]]]:
    """The entries in their order, in parts that hold no build or deployment twice."""
    seen: Counter[tuple[object, ...]] = Counter()
    parts: defaultdict[int, list[tuple[Line, Report]]] = defaultdict(list)
    for line, report in entries:
        parts[seen[report.identity]].append((line, report))
        seen[report.identity] += 1
    return parts.values()


def _with_sequence(report: Report, sequence: int) -> Report:
    if report.entity.sequence:
        return report
    return report.model_copy(update={"entity": report.entity.model_copy(update={"sequence": sequence})})
