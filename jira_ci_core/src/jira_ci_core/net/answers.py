"""Errors made from HTTP responses: pages in place of data, redirects, errors in many shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jira_ci_core.errors import SignInError
from jira_ci_core.problem import Problem
from jira_ci_core.urls import origin

if TYPE_CHECKING:
    import requests


def is_html(headers: Mapping[str, str], body: str) -> bool:
    """Whether an answer is a web page: a proxy's login form, a gateway's error."""
    return "html" in headers.get("Content-Type", "") or body.lstrip()[:1] == "<"


def error_message(headers: Mapping[str, str], body: str) -> str:
    """`: what the server says`, from any of the shapes that Atlassian gives its errors, or an empty text.

    It is not cut: that is done where its secrets are masked.
    """
    if is_html(headers, body):
        return " with an HTML page"
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return f": {body.strip()}" if body.strip() else ""
    messages: list[str] = []
    for entry in answer if isinstance(answer, list) else [answer]:
        if isinstance(entry, dict):
            for name in ("message", "errorMessages", "error_description", "error"):
                value = entry.get(name)
                if value:
                    messages += map(str, value) if isinstance(value, list) else [str(value)]
                    break
        elif entry:
            messages.append(str(entry))
    return f": {'; '.join(messages).strip()}" if messages else ""


def moved(site: str, location: str) -> Problem:
    """The reason shown for a redirect. None is followed, since that would turn a POST into a GET."""
    new = origin(location) or location or "an address that it does not name"
    remedy = f"set INSTANCE to {new}, if that is the new address of your site"
    return Problem(f"the site {site} moved to {new}", "it answered with a redirect, which is never followed", remedy)


def answer_error(
    wanted: str, response: requests.Response, remedies: Mapping[int, str], remedy: str, why: str = ""
) -> SignInError:
    """The error for an answer that does not hold what was `wanted`: "a token", "the site's cloud id".

    `remedies` say what to do by status, `remedy` for all others; `why` says what is wrong if the status is fine. Of
    the body only a message is shown, since the rest might be a secret.
    """
    host = origin(response.url) or response.url
    status = response.status_code
    if 300 <= status < 400:
        return SignInError(moved(host, response.headers.get("Location", "")))
    detail = f", and {why}" if why else error_message(response.headers, response.text)
    if is_html(response.headers, response.text):
        detail = " with an HTML page, such as the login form of a proxy"
    elif status >= 500:
        remedy = "try again later; see status.atlassian.com"
    what = f"{host} did not give {wanted}"
    return SignInError(Problem(what, f"it answered {status}{detail}", remedies.get(status, remedy)))


def json_answer(wanted: str, response: requests.Response, remedy: str) -> dict[str, Any]:
    """The JSON object in an answer. Raises SignInError if it holds none."""
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise answer_error(wanted, response, {}, remedy, "it is not a JSON object")
    return answer
