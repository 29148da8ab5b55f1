"""OAuth 2.0 sign-in with client credentials: `CLIENT_ID` and `CLIENT_SECRET`.

https://support.atlassian.com/jira-cloud-administration/docs/integrate-with-self-hosted-tools-using-oauth/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jira_ci_auth_oauth.hosts import hosts_of
from jira_ci_auth_oauth.settings import OAuthSettings
from jira_ci_core import Connection, SignIn, Site, hookimpl, origin

if TYPE_CHECKING:
    from jira_ci_core import Http

KIND = "oauth"


class OAuth:
    """Signs in at Atlassian's API; reports go there, too, by the site's cloud id."""

    CONTRACT = 1
    Settings = OAuthSettings

    def __init__(self, settings: OAuthSettings) -> None:
        self._settings = settings

    @hookimpl
    def jira_ci_authenticate(self, site: Site) -> SignIn | None:
        """Offer to sign in, if at least one half of the credentials is set."""
        halves = {"CLIENT_ID": self._settings.client_id, "CLIENT_SECRET": self._settings.client_secret}
        if not any(halves.values()):
            return None
        missing = [name for name, value in halves.items() if value is None]
        has_cloud_id = site.cloud_id is not None
        if not has_cloud_id and site.url is None:
            missing.append("INSTANCE")
        hosts = hosts_of(self._settings.api_url, site.url or "", has_cloud_id=has_cloud_id)
        return SignIn(
            kind=KIND,
            connect=lambda http: self._connect(site, http),
            hosts=tuple(origin(host) or host for host in hosts if host),
            missing=tuple(missing),
        )

    def _connect(self, site: Site, http: Http) -> Connection:
        from jira_ci_auth_oauth.network import connect

        return connect(self._settings, site, http)
