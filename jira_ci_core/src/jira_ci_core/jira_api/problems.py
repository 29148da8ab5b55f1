"""The errors shown if Jira refuses a request, or its response cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core.net.answers import error_message, is_html, moved
from jira_ci_core.problem import Problem

_REMEDIES = {
    400: ("Jira refused the request as malformed", "`--dry-run` shows what is sent; correct what the message names"),
    401: (
        "Jira did not accept the credential",
        "check that it belongs to this site and was not revoked, and make a new one if in doubt",
    ),
    403: (
        "the credential may not report this",
        "give it the permission (OAuth: builds and deployments), and install the app on the site (Connect)",
    ),
    404: ("there is no such Jira site or app", "check INSTANCE and CLOUD_ID, and that the app is installed there"),
    405: ("the address does not take reports", "check INSTANCE, and API_URL if it is set"),
    413: ("the report is too large", "name fewer issue keys"),
    429: ("Jira's rate limit is used up", "try again later, and report less often if this happens a lot"),
}
# By the beginning of RateLimit-Reason. https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
_REMEDIES_OF_LIMITS = {
    "jira-quota": "try again in the next hour: the quota of the app is used up, by all who share its credentials",
    "jira-burst": "try again in a moment: there were too many calls in one second (a queue's QUEUE_RATE limits them)",
    "jira-per-issue": "try again in a moment: one issue was updated too often; report less often for the same issue",
}
_SERVER_ERROR = "Jira has a problem of its own", "try again later; see status.atlassian.com"
_OTHER_ERROR = "Jira did not take the report", "`jira-ci doctor` checks the settings one by one"


def refused(subject: str, site: str, status: int, headers: Mapping[str, str], body: str) -> Problem:
    if 300 <= status < 400:
        return moved(site, headers.get("Location", ""))
    title, remedy = _REMEDIES.get(status, _SERVER_ERROR if status >= 500 else _OTHER_ERROR)
    wait = "Retry-After" if "Retry-After" in headers else "X-RateLimit-Reset"
    told = "; ".join(f"{name}: {headers[name]}" for name in (wait, "RateLimit-Reason") if name in headers)
    if status == 429:
        reason = headers.get("RateLimit-Reason", "")
        remedy = next((its for name, its in _REMEDIES_OF_LIMITS.items() if reason.startswith(name)), remedy)
    told = f" ({told})" if told else ""
    return Problem(f"{title}: {subject}", f"{site} answered {status}{told}{error_message(headers, body)}", remedy)


def unusable(site: str, expected: str, why: str) -> Problem:
    remedy = "look for a proxy or gateway between this machine and Jira that answers in its place; check INSTANCE"
    return Problem(f"{site} gave no usable answer", f"{expected}, and here {why}", remedy)


def not_json(headers: Mapping[str, str], body: str) -> str:
    kind = "an HTML page" if is_html(headers, body) else "not JSON" if body.strip() else "empty"
    return f"it is {kind}"
