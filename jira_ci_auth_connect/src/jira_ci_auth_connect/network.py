"""The requests of Connect sign-in. Imported only when there is something to deliver."""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import TYPE_CHECKING

from jira_ci_core import BearerAuth, Connection, Site, answer_error

if TYPE_CHECKING:
    from jira_ci_auth_connect.settings import ConnectSettings
    from jira_ci_core import Http

log = logging.getLogger(__name__)

# A longer token fits into no header of usual servers, and masking it would take much time and memory.
_LONGEST_TOKEN = 16384
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_REMEDY = "check CONNECT_HOSTNAME; look for a proxy between this machine and it that answers in its place"
_REMEDIES = {
    401: "check CONNECT_KEY; generate a new token on the app's Configure page if in doubt",
    403: "check CONNECT_KEY; generate a new token on the app's Configure page if in doubt",
    404: "check CONNECT_HOSTNAME",
    429: "try again later",
}


def connect(settings: ConnectSettings, site: Site, http: Http) -> Connection:
    """Sign in: a token of the app; reports go to the site itself."""
    log.info(
        "notice: Atlassian is ending Connect apps (no new private installs, support ends in Q4 2026); "
        "OAuth credentials, CLIENT_ID and CLIENT_SECRET, take their place"
    )
    auth = BearerAuth(lambda: fetch_token(settings, http))
    return Connection(
        builds_url=f"{site.url}/rest/builds/0.1/bulk",
        deployments_url=f"{site.url}/rest/deployments/0.1/bulk",
        auth=auth,
        renew=auth.renew,
    )


def fetch_token(settings: ConnectSettings, http: Http) -> str:
    """Exchange the key for a token. Raises SignInError if the answer is not a token."""
    assert settings.connect_key is not None
    response = http.request(
        "GET", f"{settings.connect_hostname}/token", auth=BearerAuth(settings.connect_key.get_secret_value)
    )
    if response.status_code != 200:
        raise answer_error("a token", response, _REMEDIES, _REMEDY)
    token = response.text.strip()
    if not looks_like_jwt(token):
        raise answer_error("a token", response, {}, _REMEDY, "it is not a JSON Web Token")
    return http.secret(token)


def looks_like_jwt(text: str) -> bool:
    """Whether this looks like a JSON Web Token: three parts, of which the first is a JOSE header."""
    if len(text) > _LONGEST_TOKEN or not _JWT.fullmatch(text):
        return False
    head = text.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header
