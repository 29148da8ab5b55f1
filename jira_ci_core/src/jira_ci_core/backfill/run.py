"""Delivering many builds and deployments from a file: in bulk, several calls at a time; interrupted, it can go on.

What is of one build or deployment goes down one lane, so that no line of it overtakes another; a lane sends one batch
after the other. Nothing here grows with the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from jira_ci_core.backfill.checkpoint import Checkpoint
from jira_ci_core.backfill.lines import BadLineError, Line, Position, Reader, read_lines
from jira_ci_core.backfill.ordered_executor import OrderedExecutor
from jira_ci_core.backfill.rate_limit import RateLimit
from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.delivery.session import Session, plan_delivery
from jira_ci_core.delivery.site import make_site
from jira_ci_core.models import Kind, Outcome, Report, Result
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem

SENDERS = 4
BATCH = 100
LARGEST_BATCH = 512 * 2**10
"""In bytes of its lines."""
# A batch that does not fill up would hold up the checkpoint.
LONGEST_OPEN = 20 * BATCH
WAITING = 2
"""Batches for each sender that are made and not yet answered for."""
MOST_TOLD = 20


@dataclass
class BackfillResult:
    """What became of the lines."""

    begun_at: Position = field(default_factory=Position)
    """Where an earlier run stopped."""
    read_to: Position = field(default_factory=Position)
    rejected_before: int = 0
    """How many lines that run rejected before there."""
    delivered: int = 0
    """Jira, or a queue, has taken them."""
    rejected: int = 0
    """Jira has refused them, or they are no builds and no deployments."""
    is_done: bool = False
    """Whether all lines were answered for."""
    rejections: list[tuple[int, str]] = field(default_factory=list)
    """The first of the rejected lines, by number, and why."""
    unknown_issue_keys: dict[str, None] = field(default_factory=dict)
    """The first of those that Jira does not know."""
    problems: dict[Problem, None] = field(default_factory=dict)
    """Why it ended before all was delivered."""


@dataclass(eq=False)
class Batch:
    """Lines that are sent together, with their reports."""

    lane: int
    start: Position
    entries: list[tuple[Line, Report]] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it has to go."""
        return len(self.entries) >= BATCH or self.size >= LARGEST_BATCH


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch."""

    batch: Batch
    outcomes: Sequence[tuple[Line, Outcome]]
    unknown_issue_keys: Sequence[str]


def backfill(
    runtime: Runtime,
    file: BinaryIO,
    journal: Checkpoint,
    progress: Callable[[BackfillResult], None],
    clock: Clock = PROCESS_CLOCK,
) -> BackfillResult:
    """Deliver all lines of a file; `progress` is told how far it is.

    Ends with the first batch that is neither accepted nor refused. Raises SettingsError, PluginError.
    """
    pace = RateLimit()
    site = make_site(runtime.settings)
    with contextlib.ExitStack() as stack:
        plan = plan_delivery(runtime, site, on_rate_limit=pace.hold)
        plan.check()
        senders = SENDERS if runtime.plugins.deliver_in_threads() else 1
        sessions = [stack.enter_context(plan.open()) for _ in range(senders)]
        lanes: OrderedExecutor[Session, BatchResult] = OrderedExecutor(sessions)

        def stop() -> None:
            pace.stop()
            for session in sessions:
                session.close()

        stack.callback(lanes.close)
        stack.callback(stop)
        run = _Run(lanes, journal, progress, pace, clock, stop)
        start = journal.begin(file)
        run.summary.rejected_before = journal.rejected_before
        try:
            return run.run(read_lines(file, start), start, Reader(runtime.plugins, runtime.settings, site))
        finally:
            journal.end(is_done=run.summary.is_done)


class _Run:
    """One run: it reads, fills batches, sends them, and notes what became of each line."""

    def __init__(
        self,
        lanes: OrderedExecutor[Session, BatchResult],
        journal: Checkpoint,
        progress: Callable[[BackfillResult], None],
        pace: RateLimit,
        clock: Clock,
        stop: Callable[[], None],
    ) -> None:
        """`stop` ends also what is being sent."""
        self.summary = BackfillResult()
        self._lanes = lanes
        self._journal = journal
        self._progress = progress
        self._pace = pace
        self._clock = clock
        self._stop = stop
        self._open: dict[tuple[int, Kind], Batch] = {}
        """By lane and kind, since builds and deployments go in calls of their own; in the order of their beginnings."""
        self._unsettled: set[Batch] = set()
        self._is_over = False
        """Whether something was neither accepted nor refused."""

    def run(self, lines: Iterator[Line], start: Position, reader: Reader) -> BackfillResult:
        self.summary.begun_at = self.summary.read_to = start
        try:
            for line in lines:
                self._take(line, reader)
                if self._is_over:
                    break
            else:
                for batch in list(self._open.values()):
                    self._send(batch)
        except BaseException:
            self._stop()
            with contextlib.suppress(Exception):
                self._collect()
                self._settle(now=True)
            raise
        self._collect()
        self.summary.is_done = not self._is_over
        self._settle(now=True)
        return self.summary

    def _take(self, line: Line, reader: Reader) -> None:
        self._journal.saw(line)
        if line.text.strip():
            try:
                report = reader.report(line)
            except BadLineError as error:
                self._reject(line, str(error))
            else:
                self._put(line, report)
        # Not before: whenever it is interrupted, no line may be taken for settled that is not.
        self.summary.read_to = line.after
        for batch in [batch for batch in self._open.values() if batch.is_full]:
            self._send(batch)
        oldest = next(iter(self._open.values()), None)
        if oldest is not None and line.number - oldest.start.line > LONGEST_OPEN:
            self._send(oldest)

    def _put(self, line: Line, report: Report) -> None:
        lane = hash(report.identity) % len(self._lanes)
        place = lane, report.entity.kind
        batch = self._open.setdefault(place, Batch(lane, line.before))
        batch.entries.append((line, report))
        batch.size += len(line.text)

    def _send(self, batch: Batch) -> None:
        self._unsettled.add(batch)
        del self._open[batch.lane, batch.entries[0][1].entity.kind]
        self._lanes.send(batch.lane, lambda session: _send(session, batch, self._pace, self._clock))
        self._collect(at_most=WAITING * len(self._lanes))

    def _collect(self, at_most: int = 0) -> None:
        """Note what became of batches, until at most so many of them are on their way."""
        for sent in self._lanes.answers(at_most):
            for line, outcome in sent.outcomes:
                if outcome.result is Result.REJECTED:
                    self._reject(line, "; ".join(f"{problem.what}: {problem.why}" for problem in outcome.problems))
                elif outcome.result is Result.NOT_DELIVERED:
                    self._is_over = True
                    self.summary.problems.update(dict.fromkeys(outcome.problems))
                else:
                    self.summary.delivered += 1
            for key in sent.unknown_issue_keys:
                if len(self.summary.unknown_issue_keys) < MOST_TOLD:
                    self.summary.unknown_issue_keys[key] = None
            if all(outcome.result is not Result.NOT_DELIVERED for _, outcome in sent.outcomes):
                self._unsettled.discard(sent.batch)
            if self._is_over:
                self._pace.stop()
            self._settle()
            self._progress(self.summary)

    def _settle(self, *, now: bool = False) -> None:
        waiting = [batch.start for batch in (*self._unsettled, *self._open.values())]
        self._journal.settle(min(waiting, key=lambda start: start.offset, default=self.summary.read_to), now=now)

    def _reject(self, line: Line, reason: str) -> None:
        self.summary.rejected += 1
        if len(self.summary.rejections) < MOST_TOLD:
            self.summary.rejections.append((line.number, reason))
        self._journal.reject(line, reason)


def _send(session: Session, batch: Batch, pace: RateLimit, clock: Clock) -> BatchResult:
    """Deliver a batch. One call holds each build and deployment once; a further line of one goes in a further call."""
    outcomes: list[tuple[Line, Outcome]] = []
    unknown: dict[str, None] = {}
    for entries in _rounds(batch.entries):
        sequence = clock.next_sequence()
        reports = [_with_sequence(report, sequence) for _, report in entries]
        found = _deliver(session, reports, pace, unknown)
        outcomes += zip((line for line, _ in entries), found, strict=True)
        if any(outcome.result is Result.NOT_DELIVERED for outcome in found):
            break  # what comes later must not overtake it
    return BatchResult(batch, outcomes, tuple(unknown))


def _deliver(session: Session, reports: Sequence[Report], pace: RateLimit, unknown: dict[str, None]) -> list[Outcome]:
    """Deliver reports, and again those that only the rate limit has held up."""
    outcomes = [Outcome(result=Result.NOT_DELIVERED)] * len(reports)
    left = list(range(len(reports)))
    while left and pace.wait():
        session.http.restart()
        holds = pace.holds
        receipt = session.deliver([reports[place] for place in left])
        for place, outcome in zip(left, receipt.outcomes, strict=True):
            outcomes[place] = outcome
        unknown.update(dict.fromkeys(receipt.unknown_issue_keys))
        still_left = [place for place in left if outcomes[place].result is Result.NOT_DELIVERED]
        if len(still_left) < len(left):
            pace.passed()
        elif pace.holds == holds:
            break
        left = still_left
    return outcomes


def _rounds(entries: Sequence[tuple[Line, Report]]) -> Iterator[list[tuple[Line, Report]]]:
    """The entries in their order, in parts that hold no build or deployment twice."""
    seen: dict[tuple[object, ...], int] = {}
    rounds: list[list[tuple[Line, Report]]] = []
    for entry in entries:
        which = seen[entry[1].identity] = seen.get(entry[1].identity, -1) + 1
        if which == len(rounds):
            rounds.append([])
        rounds[which].append(entry)
    yield from rounds


def _with_sequence(report: Report, sequence: int) -> Report:
    if report.entity.sequence:
        return report
    return report.model_copy(update={"entity": report.entity.model_copy(update={"sequence": sequence})})
