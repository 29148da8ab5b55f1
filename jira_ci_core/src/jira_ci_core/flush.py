"""Delivering what is in the outbox, for the one site that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from jira_ci_core.delivery import Delivery
from jira_ci_core.errors import Problem
from jira_ci_core.jira import address_of
from jira_ci_core.loader import Loaded
from jira_ci_core.models import Receipt, Report, Result
from jira_ci_core.outbox import Entry, Held, Outbox, Stranger, settled
from jira_ci_core.reports import make_site

log = logging.getLogger(__name__)

BATCH = 100


@dataclass
class Flushed:
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


def flush(loaded: Loaded, outbox: Outbox, progress: Callable[[Flushed, int], None]) -> Flushed:
    """Deliver all entries for the site that the settings name, the oldest first.

    `progress` is called after each batch with the figures so far and the number of entries for this site. Ends with
    the first batch in which nobody answered. Raises SettingsError, PluginError, OutboxError.
    """
    site = make_site(loaded.settings)
    flushed = Flushed()
    mine: list[Entry] = []
    for found in outbox.read():
        if isinstance(found, Stranger):
            log.warning("%s is left alone: %s", found.path, found.reason)
        elif found.report.site.is_same(site):
            mine.append(found)
        else:
            flushed.elsewhere += 1
    with Delivery(loaded, site) as delivery:
        waiting = iter(mine)
        seen = 0
        while entries := list(islice(waiting, BATCH)):
            seen += len(entries)
            held = [one for one in map(outbox.hold, entries) if one is not None]
            flushed.elsewhere += len(entries) - len(held)
            if held:
                receipt = _deliver(held, delivery)
                _count(flushed, receipt)
                if all(outcome.result is Result.NOT_DELIVERED for outcome in receipt.outcomes):
                    flushed.left += len(mine) - seen
                    progress(flushed, len(mine))
                    break
            progress(flushed, len(mine))
    return flushed


def _deliver(held: Sequence[Held], delivery: Delivery) -> Receipt:
    """Send the latest update of each build and deployment; the earlier ones would be replaced by it anyhow."""
    latest = {_identity(one.entry.report): place for place, one in enumerate(held)}
    delivery.http.begin_anew()
    receipt = delivery.deliver([held[place].entry.report for place in latest.values()])
    outcome_of = dict(zip(latest, receipt.outcomes, strict=True))
    outcomes = tuple(outcome_of[_identity(one.entry.report)] for one in held)
    return settled(held, receipt.model_copy(update={"outcomes": outcomes}))


def _identity(report: Report) -> object:
    return address_of(report.entity), *sorted(report.properties.items())


def _count(flushed: Flushed, receipt: Receipt) -> None:
    for outcome in receipt.outcomes:
        if outcome.result is Result.NOT_DELIVERED:
            flushed.left += 1
        elif outcome.result is Result.REJECTED:
            flushed.refused += 1
        else:
            flushed.delivered += 1
        flushed.problems.update(dict.fromkeys(outcome.problems))
