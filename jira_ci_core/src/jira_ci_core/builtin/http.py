"""Delivers reports to Jira's bulk addresses over HTTP: one call for builds, one for deployments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jira_ci_core import Connection, DeliveryError, Kind, Outcome, Receipt, Report, Result, SignInError, hookimpl
from jira_ci_core.jira import bulk_request, read_answer

if TYPE_CHECKING:
    from jira_ci_core import Http

log = logging.getLogger(__name__)

LONGEST_SHOWN = 20_000


@hookimpl(trylast=True)
def jira_ci_deliver(reports: Sequence[Report], connect: Callable[[], Connection], http: Http) -> Receipt:
    """Deliver; a failure to sign in or to reach Jira is in the receipt."""
    outcomes: list[Outcome | None] = [None] * len(reports)
    unknown_keys: list[str] = []
    unknown_associations: list[str] = []
    for kind in Kind:
        places = [place for place, report in enumerate(reports) if report.entity.kind is kind]
        if not places:
            continue
        receipt = _deliver([reports[place] for place in places], connect, http)
        for place, outcome in zip(places, receipt.outcomes, strict=True):
            outcomes[place] = outcome
        unknown_keys += receipt.unknown_issue_keys
        unknown_associations += receipt.unknown_associations
    return Receipt(
        outcomes=tuple(outcome for outcome in outcomes if outcome),
        unknown_issue_keys=tuple(dict.fromkeys(unknown_keys)),
        unknown_associations=tuple(dict.fromkeys(unknown_associations)),
    )


def _deliver(reports: list[Report], connect: Callable[[], Connection], http: Http) -> Receipt:
    try:
        connection = connect()
        is_build = reports[0].entity.kind is Kind.BUILD
        url = connection.builds_url if is_build else connection.deployments_url
        body = bulk_request(reports)
        response = http.request("POST", url, json=body, auth=connection.auth)
        if response.status_code == 401:
            connection.renew()
            response = http.request("POST", url, json=body, auth=connection.auth)
    except (SignInError, DeliveryError) as error:
        return Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)
    log.debug("Jira answered %d: %s", response.status_code, response.text[:LONGEST_SHOWN])
    return read_answer(reports, response.status_code, response.headers, response.text)
