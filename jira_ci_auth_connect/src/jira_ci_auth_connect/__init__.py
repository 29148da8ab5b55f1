"""Connect sign-in: `CONNECT_KEY`, the token that the Harness CI Jira app's Configure page generates.

https://developer.harness.io/docs/continuous-integration/use-ci/use-drone-plugins/plugin-step-settings-reference/
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import TYPE_CHECKING

from jira_ci_core import (
    BearerAuth,
    Connection,
    HttpsUrl,
    PluginSettings,
    Secret,
    SignIn,
    Site,
    answer_error,
    hookimpl,
    origin,
    setting,
)

if TYPE_CHECKING:
    from jira_ci_core import Http

log = logging.getLogger(__name__)

KIND = "connect"

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_REMEDY = "check CONNECT_HOSTNAME; look for a proxy between this machine and it that answers in its place"
_REMEDIES = {
    401: "check CONNECT_KEY; generate a new token on the app's Configure page where in doubt",
    403: "check CONNECT_KEY; generate a new token on the app's Configure page where in doubt",
    404: "check CONNECT_HOSTNAME",
    429: "try again later",
}


class ConnectAuth:
    """Exchanges the key for a short-lived token; reports go to the site itself."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        connect_key: Secret | None = setting(None, help="token from the Configure page of the Harness CI Jira app")
        connect_hostname: HttpsUrl = setting("https://jira-ci.harness.io", help="where the app lives")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @hookimpl
    def jira_ci_authenticate(self, site: Site) -> SignIn | None:
        """Offer to sign in, where there is a key."""
        if self._settings.connect_key is None:
            return None
        hosts = [self._settings.connect_hostname, *([site.url] if site.url else [])]
        return SignIn(
            kind=KIND,
            connect=lambda http: self._connect(site, http),
            hosts=tuple(origin(host) or host for host in hosts),
            missing=() if site.url else ("INSTANCE",),
        )

    def _connect(self, site: Site, http: Http) -> Connection:
        log.info(
            "notice: Atlassian is ending Connect apps (no new private installs, support ends in Q4 2026); "
            "OAuth credentials, CLIENT_ID and CLIENT_SECRET, take their place"
        )
        auth = BearerAuth(lambda: self._fetch_token(http))
        return Connection(
            builds_url=f"{site.url}/rest/builds/0.1/bulk",
            deployments_url=f"{site.url}/rest/deployments/0.1/bulk",
            auth=auth,
            renew=auth.renew,
        )

    def _fetch_token(self, http: Http) -> str:
        key = self._settings.connect_key
        assert key is not None
        response = http.request(
            "GET", f"{self._settings.connect_hostname}/token", auth=BearerAuth(key.get_secret_value)
        )
        if response.status_code != 200:
            raise answer_error("a token", response, _REMEDIES, _REMEDY)
        token = response.text.strip()
        if not looks_like_jwt(token):
            raise answer_error("a token", response, {}, _REMEDY, "it is no JSON Web Token")
        return http.secret(token)


def looks_like_jwt(text: str) -> bool:
    """Whether this is a JSON Web Token as far as one can see without its key: three parts, the first a JOSE header."""
    if not _JWT.fullmatch(text):
        return False
    head = text.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header
