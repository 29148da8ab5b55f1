"""Lines that are sent together, and their delivery."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jira_ci_core.backfill.lines import Line, Position
from jira_ci_core.backfill.rate_limit import RateLimit
from jira_ci_core.clock import PROCESS_CLOCK
from jira_ci_core.delivery.session import Session
from jira_ci_core.models import Kind, Outcome, Report, Result

MOST_LINES = 100
MOST_BYTES = 512 * 2**10
"""Of the lines, not of the request."""


@dataclass(eq=False)
class Batch:
    """Lines of one kind, with their reports, for one slot of the executor."""

    slot: int
    kind: Kind
    start: Position
    """Where its first line begins."""
    entries: list[tuple[Line, Report]] = field(default_factory=list)
    size: int = 0
    """In bytes."""

    def add(self, line: Line, report: Report) -> None:
        self.entries.append((line, report))
        self.size += len(line.text)

    @property
    def is_full(self) -> bool:
        return len(self.entries) >= MOST_LINES or self.size >= MOST_BYTES


@dataclass
class BatchResult:
    """The outcome of each line that was sent."""

    batch: Batch
    outcomes: list[tuple[Line, Outcome]] = field(default_factory=list)
    unknown_issue_keys: dict[str, None] = field(default_factory=dict)

    @property
    def is_delivered(self) -> bool:
        """Whether Jira, or a queue, has accepted or refused every line."""
        return all(outcome.result is not Result.NOT_DELIVERED for _, outcome in self.outcomes)


def deliver_batch(session: Session, batch: Batch, rate_limit: RateLimit) -> BatchResult:
    """Deliver a batch. One call holds each build or deployment once; further lines of it go into further calls.

    Ends with the first call of which not every report was accepted or refused. Raises SettingsError, PluginError.
    """
    result = BatchResult(batch)
    for entries in _calls(batch.entries):
        sequence = PROCESS_CLOCK.next_sequence()
        reports = [_with_sequence(report, sequence) for _, report in entries]
        outcomes = _deliver(session, reports, rate_limit, result.unknown_issue_keys)
        result.outcomes.extend(zip((line for line, _ in entries), outcomes, strict=True))
        if not result.is_delivered:
            break  # a later line must not overtake this one
    return result


def _deliver(
    session: Session, reports: Sequence[Report], rate_limit: RateLimit, unknown: dict[str, None]
) -> list[Outcome]:
    """Deliver reports, and again those that were not delivered only because of the rate limit."""
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
        elif rate_limit.hits == hits_before:
            break
        remaining = not_delivered
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
