"""Delivers the reports in an outbox that are for the site that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jira_ci_core.delivery.outbox import Entry, ForeignFile, LockedEntry, Outbox, settle
from jira_ci_core.delivery.session import Session, make_site, plan_delivery
from jira_ci_core.models import Outcome, Result
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

BATCH = 100
"""How many reports are delivered together."""


@dataclass
class FlushResult:
    delivered: int = 0
    """Jira, or a queue, has accepted them; they are removed."""
    refused: int = 0
    """Jira has refused them, and would again; they are removed."""
    left: int = 0
    """They are still to be delivered."""
    elsewhere: int = 0
    """They are for another site, or locked by another process; they were not touched."""
    unusable: int = 0
    """They may be reports, and cannot be delivered; they were not touched."""
    stuck: int = 0
    """They were delivered or refused, and could not be removed."""
    problems: dict[Problem, None] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> None:
        if outcome.result is Result.NOT_DELIVERED:
            self.left += 1
        elif outcome.result is Result.REJECTED:
            self.refused += 1
        else:
            self.delivered += 1
        self.problems.update(dict.fromkeys(outcome.problems))

    @property
    def is_done(self) -> bool:
        """Whether every entry for this site was delivered, and nothing else is left that may be one."""
        return not (self.refused or self.left or self.unusable or self.stuck)

    def add_problems(self, outbox: Outbox) -> None:
        """Say what the files are that nothing else in `problems` is about."""
        if self.unusable:
            what = f"files in the outbox {outbox.folder} that may be reports and cannot be delivered: {self.unusable}"
            remedy = "see which with `jira-ci outbox list`, and remove them with `jira-ci outbox drop NAME`"
            self.problems[Problem(what, "they are damaged, part of the checkout, or not files", remedy)] = None
        if self.stuck:
            what = f"reports that could not be removed from the outbox {outbox.folder}: {self.stuck}"
            remedy = "allow this step to remove files there; until then, each flush delivers them again"
            self.problems[Problem(what, "Jira has answered for them, and they are still there", remedy)] = None


def flush(runtime: Runtime, outbox: Outbox, progress: Callable[[FlushResult, int], None]) -> FlushResult:
    """Deliver all entries for the site that the settings name, the oldest first.

    `progress` is called after each batch with the result so far and the number of entries for this site. Ends with the
    first batch of which no report is delivered or refused. Raises SettingsError, PluginError, OutboxError.
    """
    site = make_site(runtime.settings)
    result = FlushResult()
    entries: list[Entry] = []
    for found in outbox.read():
        if isinstance(found, ForeignFile):
            log.warning("%s is left alone: %s", found.path, found.reason)
            result.unusable += found.may_be_report
        elif found.report.site.is_same(site):
            entries.append(found)
        else:
            result.elsewhere += 1
    # By what is in them, since others who share the folder may rename the files.
    entries.sort(key=lambda entry: entry.report.entity.sequence)
    total = len(entries)
    with plan_delivery(runtime, site).open() as session:
        while entries:
            batch, entries = entries[:BATCH], entries[BATCH:]
            locked_entries = list(filter(None, map(outbox.lock, batch)))
            result.elsewhere += len(batch) - len(locked_entries)
            outcomes = _deliver(locked_entries, session) if locked_entries else []
            for outcome in outcomes:
                result.count(outcome)
                if outcome.fails_alone:
                    log.warning("%s; it stays in %s", outcome.problems[0].what, outcome.kept)
            result.stuck += sum(locked.is_stuck for locked in locked_entries)
            if outcomes and all(outcome.result is Result.NOT_DELIVERED for outcome in outcomes):
                result.left += len(entries)
                entries = []
            progress(result, total)
    result.add_problems(outbox)
    return result


def _deliver(locked_entries: Sequence[LockedEntry], session: Session) -> list[Outcome]:
    """Send the latest update of each build and deployment; if it is refused, the one before it."""
    latest = {locked.entry.report.identity: locked for locked in locked_entries}
    session.http.restart()
    try:
        receipt = session.deliver([locked.entry.report for locked in latest.values()])
    except BaseException:
        for locked in locked_entries:
            locked.release()
        raise
    outcome_of = dict(zip(latest, receipt.outcomes, strict=True))
    outcomes, earlier = [], []
    for locked in locked_entries:
        identity = locked.entry.report.identity
        outcome = outcome_of[identity]
        if outcome.result is Result.REJECTED and locked is not latest[identity]:
            earlier.append(locked)
        else:
            outcomes.append(settle(locked, outcome))
    return outcomes + (_deliver(earlier, session) if earlier else [])
