"""Delivers reports to Jira's bulk addresses over HTTP: one call for builds, one for deployments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from jira_ci_core import Connection, DeliveryError, Kind, Receipt, Report, Result, SignInError, hookimpl
from jira_ci_core.jira_api.bulk import bulk_request, read_answer

if TYPE_CHECKING:
    from jira_ci_core import Http

log = logging.getLogger(__name__)

THREAD_SAFE = True
LONGEST_SHOWN = 20_000
# Malformed, or too large: one report may be to blame for all, so they are sent in halves.
REFUSED_AS_A_WHOLE = 400, 413


@hookimpl(trylast=True)
def jira_ci_deliver(reports: Sequence[Report], connect: Callable[[], Connection], http: Http) -> Receipt:
    """Deliver; a failure to sign in or to reach Jira is in the receipt."""
    together: dict[object, list[int]] = {}
    for place, report in enumerate(reports):
        together.setdefault((report.entity.kind, *sorted(report.properties.items())), []).append(place)
    receipt = _joined([_deliver([reports[place] for place in places], connect, http) for places in together.values()])
    outcomes = dict(zip(chain(*together.values()), receipt.outcomes, strict=True))
    return receipt.model_copy(update={"outcomes": tuple(outcomes[place] for place in range(len(reports)))})


def _deliver(reports: Sequence[Report], connect: Callable[[], Connection], http: Http) -> Receipt:
    from jira_ci_core.net.client import retry_after  # already imported: creating `http` loaded it

    try:
        connection = connect()
        url = connection.builds_url if reports[0].entity.kind is Kind.BUILD else connection.deployments_url
        response = connection.request(http, "POST", url, json=bulk_request(reports))
    except (SignInError, DeliveryError) as error:
        return Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)
    log.debug("Jira answered %d: %s", response.status_code, http.shorten(response.text.strip(), LONGEST_SHOWN))
    if response.status_code in REFUSED_AS_A_WHOLE and len(reports) > 1:
        half = len(reports) // 2
        return _joined([_deliver(reports[:half], connect, http), _deliver(reports[half:], connect, http)])
    receipt = read_answer(reports, response.status_code, response.headers, response.text)
    return receipt.model_copy(update={"retry_after": retry_after(response) or None})


def _joined(receipts: Sequence[Receipt]) -> Receipt:
    """One receipt for the reports of several, in their order."""
    return Receipt(
        outcomes=tuple(outcome for receipt in receipts for outcome in receipt.outcomes),
        unknown_issue_keys=tuple(dict.fromkeys(key for receipt in receipts for key in receipt.unknown_issue_keys)),
        unknown_associations=tuple(dict.fromkeys(one for receipt in receipts for one in receipt.unknown_associations)),
        retry_after=max((one.retry_after for one in receipts if one.retry_after is not None), default=None),
    )
