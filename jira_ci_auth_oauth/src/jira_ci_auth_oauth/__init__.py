"""OAuth 2.0 sign-in with client credentials: `CLIENT_ID` and `CLIENT_SECRET`.

https://support.atlassian.com/jira-cloud-administration/docs/integrate-with-self-hosted-tools-using-oauth/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

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
    json_answer,
    origin,
    setting,
)

if TYPE_CHECKING:
    from jira_ci_core import Http

KIND = "oauth"
AUDIENCE = "api.atlassian.com"

_CLOUD_ID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
_TOKEN = re.compile(r"[\x21-\x7e]+")

_API_REMEDY = "check API_URL; look for a proxy between this machine and it that answers in its place"
_CREDENTIAL_REMEDIES = {
    400: "check CLIENT_ID and CLIENT_SECRET",
    401: "check CLIENT_ID and CLIENT_SECRET; make new ones on the site's page of OAuth credentials where in doubt",
    403: "check CLIENT_ID and CLIENT_SECRET; make new ones on the site's page of OAuth credentials where in doubt",
    404: "check API_URL",
    429: "try again later",
}
_SITE_REMEDIES = {404: "there is no such site: check INSTANCE"}
_SITE_REMEDY = "check INSTANCE, or set CLOUD_ID, which makes the question unnecessary"


class OAuth:
    """Signs in at Atlassian's API; reports go there, too, by the site's cloud id."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        client_id: Secret | None = setting(None, help="client id of the site's OAuth credentials")
        client_secret: Secret | None = setting(None, help="client secret of the site's OAuth credentials")
        api_url: HttpsUrl = setting(
            "https://api.atlassian.com", help="Atlassian's API; a gateway or the local Jira in its place"
        )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @hookimpl
    def jira_ci_authenticate(self, site: Site) -> SignIn | None:
        """Offer to sign in, where at least one half of the credentials is there."""
        halves = {"CLIENT_ID": self._settings.client_id, "CLIENT_SECRET": self._settings.client_secret}
        if not any(halves.values()):
            return None
        missing = [name for name, value in halves.items() if value is None]
        hosts = [self._settings.api_url]
        if site.cloud_id is None:
            if site.url is None:
                missing.append("INSTANCE")
            else:
                hosts.append(site.url)
        return SignIn(
            kind=KIND,
            connect=lambda http: self._connect(site, http),
            hosts=tuple(origin(host) or host for host in hosts),
            missing=tuple(missing),
        )

    def _connect(self, site: Site, http: Http) -> Connection:
        cloud_id = site.cloud_id or fetch_cloud_id(site, http)
        auth = BearerAuth(lambda: self._fetch_token(http))
        base = f"{self._settings.api_url}/jira"
        return Connection(
            builds_url=f"{base}/builds/0.1/cloud/{cloud_id}/bulk",
            deployments_url=f"{base}/deployments/0.1/cloud/{cloud_id}/bulk",
            auth=auth,
            renew=auth.renew,
        )

    def _fetch_token(self, http: Http) -> str:
        url = f"{self._settings.api_url}/oauth/token"
        response = http.request(
            "POST",
            url,
            json={
                "audience": AUDIENCE,
                "grant_type": "client_credentials",
                "client_id": _plain(self._settings.client_id),
                "client_secret": _plain(self._settings.client_secret),
            },
        )
        if response.status_code != 200:
            raise answer_error("a token", response, _CREDENTIAL_REMEDIES, _API_REMEDY)
        token = json_answer("a token", response, _API_REMEDY).get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise answer_error("a token", response, {}, _API_REMEDY, "its access_token is none")
        return http.secret(token)


def fetch_cloud_id(site: Site, http: Http) -> str:
    """Ask the site for its cloud id, which addresses it at Atlassian's API.

    Raises SignInError where there is no such site, or the answer holds no cloud id.
    """
    response = http.request("GET", f"{site.url}/_edge/tenant_info")
    if response.status_code != 200:
        raise answer_error("the site's cloud id", response, _SITE_REMEDIES, _SITE_REMEDY)
    cloud_id: Any = json_answer("the site's cloud id", response, _SITE_REMEDY).get("cloudId")
    # It becomes part of an address, so that nothing else may be in it.
    if not isinstance(cloud_id, str) or not _CLOUD_ID.fullmatch(cloud_id):
        raise answer_error("the site's cloud id", response, {}, _SITE_REMEDY, "its cloudId is none")
    return cloud_id


def _plain(secret: Any) -> str:
    return str(secret.get_secret_value())
