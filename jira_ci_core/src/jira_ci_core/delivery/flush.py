"""Delivering what is in the outbox, for the one site that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from jira_ci_core.delivery.outbox import Entry, ForeignFile, LockedEntry, Outbox, settled
from jira_ci_core.delivery.session import Session, plan_delivery
from jira_ci_core.delivery.site import make_site
from jira_ci_core.models import Outcome, Result
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

BATCH = 100


@dataclass
class FlushResult:
    """What became of the entries of an outbox."""

    delivered: int = 0
    """Jira, or a queue, has taken them."""
    refused: int = 0
    """Jira has refused them, and would again; they are gone."""
    left: int = 0
    """They are still to be delivered."""
    elsewhere: int = 0
    """They are for another site, or another process is delivering them; they were not touched."""
    problems: dict[Problem, None] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether all that was there for this site has been taken."""
        return not (self.refused or self.left)


def flush(runtime: Runtime, outbox: Outbox, progress: Callable[[FlushResult, int], None]) -> FlushResult:
    """Deliver all entries for the site that the settings name, the oldest first.

    `progress` is called after each batch with the figures so far and the number of entries for this site. Ends with
    the first batch in which nobody answered. Raises SettingsError, PluginError, OutboxError.
    """
    site = make_site(runtime.settings)
    flushed = FlushResult()
    mine: list[Entry] = []
    for found in outbox.read():
        if isinstance(found, ForeignFile):
            log.warning("%s is left alone: %s", found.path, found.reason)
        elif found.report.site.is_same(site):
            mine.append(found)
        else:
            flushed.elsewhere += 1
    # Not by their names, which whoever shares the folder may change.
    mine.sort(key=lambda entry: entry.report.entity.sequence)
    with plan_delivery(runtime, site).open() as session:
        waiting = iter(mine)
        seen = 0
        while entries := list(islice(waiting, BATCH)):
            seen += len(entries)
            held = [one for one in map(outbox.hold, entries) if one is not None]
            flushed.elsewhere += len(entries) - len(held)
            if held:
                outcomes = _deliver(held, session)
                _count(flushed, outcomes)
                if all(outcome.result is Result.NOT_DELIVERED for outcome in outcomes):
                    flushed.left += len(mine) - seen
                    progress(flushed, len(mine))
                    break
            progress(flushed, len(mine))
    return flushed


def _deliver(held: Sequence[LockedEntry], session: Session) -> list[Outcome]:
    """Send the latest update of each build and deployment; the earlier ones would be replaced by it anyhow.

    Unless it is refused: then the one before it is sent.
    """
    latest = {one.entry.report.identity: one for one in held}
    session.http.restart()
    try:
        receipt = session.deliver([one.entry.report for one in latest.values()])
    except BaseException:
        for one in held:
            one.release()
        raise
    outcome_of = dict(zip(latest, receipt.outcomes, strict=True))
    outcomes, earlier = [], []
    for one in held:
        identity = one.entry.report.identity
        outcome = outcome_of[identity]
        if outcome.result is Result.REJECTED and one is not latest[identity]:
            earlier.append(one)
        else:
            outcomes.append(settled(one, outcome))
    return outcomes + (_deliver(earlier, session) if earlier else [])


def _count(flushed: FlushResult, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.result is Result.NOT_DELIVERED:
            flushed.left += 1
        elif outcome.result is Result.REJECTED:
            flushed.refused += 1
        else:
            flushed.delivered += 1
        flushed.problems.update(dict.fromkeys(outcome.problems))
