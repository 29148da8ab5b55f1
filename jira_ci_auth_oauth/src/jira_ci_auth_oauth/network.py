"""The requests of OAuth sign-in. Imported only when there is something to deliver."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jira_ci_core import BearerAuth, Connection, Site, answer_error, json_answer

if TYPE_CHECKING:
    from jira_ci_auth_oauth.settings import OAuthSettings
    from jira_ci_core import Http

AUDIENCE = "api.atlassian.com"

_CLOUD_ID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
# A longer one fits into no header of usual servers, and masking it would take much time and memory.
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")

_API_REMEDY = "check API_URL; look for a proxy between this machine and it that answers in its place"
_CREDENTIAL_REMEDIES = {
    400: "check CLIENT_ID and CLIENT_SECRET",
    401: "check CLIENT_ID and CLIENT_SECRET; make new ones on the site's page of OAuth credentials if in doubt",
    403: "check CLIENT_ID and CLIENT_SECRET; make new ones on the site's page of OAuth credentials if in doubt",
    404: "check API_URL",
    429: "try again later",
}
_SITE_REMEDIES = {404: "there is no such site: check INSTANCE"}
_SITE_REMEDY = "check INSTANCE, or set CLOUD_ID, which makes the question unnecessary"


def connect(settings: OAuthSettings, site: Site, http: Http) -> Connection:
    """Sign in: a token from Atlassian's API, and the site's cloud id if CLOUD_ID is not set."""
    auth = BearerAuth(lambda: fetch_token(settings, http))
    cloud_id = site.cloud_id
    if cloud_id is None:
        # Neither needs the other, so both take one round trip.
        cloud_id, _ = http.gather(lambda: fetch_cloud_id(site, http), auth.obtain)
    base = f"{settings.api_url}/jira"
    return Connection(
        builds_url=f"{base}/builds/0.1/cloud/{cloud_id}/bulk",
        deployments_url=f"{base}/deployments/0.1/cloud/{cloud_id}/bulk",
        auth=auth,
        renew=auth.renew,
    )


def fetch_token(settings: OAuthSettings, http: Http) -> str:
    """Exchange the credentials for a token. Raises SignInError if the answer holds none."""
    assert settings.client_id is not None
    assert settings.client_secret is not None
    response = http.request(
        "POST",
        f"{settings.api_url}/oauth/token",
        json={
            "audience": AUDIENCE,
            "grant_type": "client_credentials",
            "client_id": settings.client_id.get_secret_value(),
            "client_secret": settings.client_secret.get_secret_value(),
        },
    )
    if response.status_code != 200:
        raise answer_error("a token", response, _CREDENTIAL_REMEDIES, _API_REMEDY)
    token = json_answer("a token", response, _API_REMEDY).get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise answer_error("a token", response, {}, _API_REMEDY, "its access_token is not a token")
    return http.secret(token)


def fetch_cloud_id(site: Site, http: Http) -> str:
    """Ask the site for its cloud id, which addresses it at Atlassian's API.

    Raises SignInError if there is no such site, or the answer holds no cloud id.
    """
    response = http.request("GET", f"{site.url}/_edge/tenant_info")
    if response.status_code != 200:
        raise answer_error("the site's cloud id", response, _SITE_REMEDIES, _SITE_REMEDY)
    cloud_id: Any = json_answer("the site's cloud id", response, _SITE_REMEDY).get("cloudId")
    # It becomes part of an address, so it must hold nothing else.
    if not isinstance(cloud_id, str) or not _CLOUD_ID.fullmatch(cloud_id):
        raise answer_error("the site's cloud id", response, {}, _SITE_REMEDY, "its cloudId is not a cloud id")
    return cloud_id
