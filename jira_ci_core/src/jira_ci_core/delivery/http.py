"""Delivers reports to Jira's bulk addresses over HTTP: one call for builds, one for deployments."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from jira_ci_core import (
    Connection,
    DeliveryError,
    Kind,
    Outcome,
    Problem,
    Receipt,
    Report,
    Result,
    SignInError,
    hookimpl,
)
from jira_ci_core.jira_api.bulk import bulk_request, read_answer

if TYPE_CHECKING:
    from jira_ci_core import Http

log = logging.getLogger(__name__)

THREAD_SAFE = True
LONGEST_SHOWN = 8000
# Malformed, or too large: one report may be to blame for all, so they are sent in halves.
REFUSED_AS_A_WHOLE = 400, 413
MOST_FAILURES = 16
"""After so many calls in a row that Jira answered with 5xx, it is down, and no single report is to blame.

All halves are sent before the first quarter, so up to seven reports that are to blame are found, wherever they are.
"""

LAST_TRIES = 2
"""How often a report that Jira fails at is sent again, with growing waits, once all others are answered."""


@hookimpl(trylast=True)
def jira_ci_deliver(reports: Sequence[Report], connect: Callable[[], Connection], http: Http) -> Receipt:
    """Deliver; a failure to sign in or to reach Jira is in the receipt.

    If Jira answers twice with 5xx to several reports, one of them may be to blame, which must not keep the others from
    being delivered: they are sent in halves. If none is, Jira is down, and they are sent again until the deadline.
    """
    together: dict[object, list[int]] = {}
    for place, report in enumerate(reports):
        together.setdefault((report.entity.kind, *sorted(report.properties.items())), []).append(place)
    delivery = _Delivery(reports, connect, http)
    if len(reports) > 1:
        delivery.search(list(together.values()))
    if not delivery.is_up:
        for places in together.values():
            if remaining := [place for place in places if place in delivery.unsettled]:
                delivery.send_patiently(remaining)
    return delivery.receipt()


class _Delivery:
    """The calls of one delivery, each with the reports at some places in the list, and the outcome of each report."""

    def __init__(self, reports: Sequence[Report], connect: Callable[[], Connection], http: Http) -> None:
        self._reports, self._connect, self._http = reports, connect, http
        self._receipts: list[Receipt] = []
        self._outcomes: dict[int, Outcome] = {}
        self.unsettled = set(range(len(reports)))
        """The places of reports that were not sent yet, or that Jira answered with 5xx."""
        self.is_up = False
        """Whether any call was answered with anything but 5xx."""

    def search(self, calls: Sequence[list[int]]) -> None:
        """Send all calls, and in halves those that Jira fails at or refuses. Blame single reports that it fails at."""
        pending: deque[list[int]] = deque(calls)
        alone: list[list[int]] = []
        failures, may_halve = 0, True
        while pending and failures < MOST_FAILURES:
            places = pending.popleft()
            status = self.send(places)
            if status >= 500 and places in calls and not self._is_told_to_wait:
                status = self.send(places)  # only once in halves, whose reports were sent twice already
            failures = failures + 1 if status >= 500 else 0
            if self._is_told_to_wait:
                may_halve, pending = False, deque(one for one in pending if one in calls)
            if len(places) > 1 and (status in REFUSED_AS_A_WHOLE or (failures and may_halve)):
                pending.extend(_halves(places))
            elif failures and len(places) == 1:
                alone.append(places)
        for wait in islice(self._http.waits() if alone and self.is_up else (), LAST_TRIES):
            time.sleep(wait)
            alone = [places for places in alone if self.send(places) >= 500]
        for places in alone if self.is_up else ():
            self._blame(*places)

    def send_patiently(self, places: list[int]) -> None:
        """Send reports, again until the deadline while Jira answers 5xx, and in halves while it refuses them."""
        if self.send(places, patiently=True) in REFUSED_AS_A_WHOLE and len(places) > 1:
            for half in _halves(places):
                self.send_patiently(half)

    def send(self, places: list[int], *, patiently: bool = False) -> int:
        """Make one call. Return the status of Jira's answer; 0 if there is none."""
        from jira_ci_core.net.client import retry_after  # already imported: creating `http` loaded it

        reports = [self._reports[place] for place in places]
        try:
            connection = self._connect()
            url = connection.builds_url if reports[0].entity.kind is Kind.BUILD else connection.deployments_url
            response = connection.request(
                self._http, "POST", url, json=bulk_request(reports), retries_server_errors=patiently
            )
        except (SignInError, DeliveryError) as error:
            self._settle(places, Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems))
            return 0
        status, text = response.status_code, response.text
        log.debug("Jira answered %d: %s", status, self._http.shorten(text.strip(), LONGEST_SHOWN))
        receipt = read_answer(reports, status, response.headers, text)
        self._settle(places, receipt.model_copy(update={"retry_after": retry_after(response) or None}))
        if status >= 500:
            self.unsettled.update(places)
        else:
            self.is_up = True
        return status

    def receipt(self) -> Receipt:
        """The outcome of every report, and what the receipts of all calls say besides."""
        last = self._receipts[-1].outcomes[-1] if self._receipts else Outcome(result=Result.NOT_DELIVERED)
        receipts = self._receipts
        return Receipt(
            outcomes=tuple(self._outcomes.get(place, last) for place in range(len(self._reports))),
            unknown_issue_keys=tuple(dict.fromkeys(key for receipt in receipts for key in receipt.unknown_issue_keys)),
            unknown_associations=tuple(
                dict.fromkeys(one for receipt in receipts for one in receipt.unknown_associations)
            ),
            retry_after=max((one.retry_after for one in receipts if one.retry_after is not None), default=None),
        )

    @property
    def _is_told_to_wait(self) -> bool:
        """Whether Jira's last answer names a time to wait, as with 429."""
        return bool(self._receipts[-1].retry_after)

    def _settle(self, places: Sequence[int], receipt: Receipt) -> None:
        self._receipts.append(receipt)
        self._outcomes.update(zip(places, receipt.outcomes, strict=True))
        self.unsettled.difference_update(places)

    def _blame(self, place: int) -> None:
        report, outcome = self._reports[place], self._outcomes[place]
        why = f"{outcome.problems[0].why}; the reports that were sent with it were answered"
        remedy = "try again later; if it stays, look for what is unusual in it, and report it to Atlassian"
        problem = Problem(f"Jira fails at {report.title}", why, remedy)
        self._outcomes[place] = outcome.model_copy(update={"problems": (problem,), "fails_alone": True})


def _halves(places: list[int]) -> tuple[list[int], list[int]]:
    half = len(places) // 2
    return places[:half], places[half:]
