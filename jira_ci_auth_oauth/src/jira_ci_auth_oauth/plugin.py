"""OAuth 2.0 sign-in with client credentials: `CLIENT_ID` and `CLIENT_SECRET`.

https://support.atlassian.com/jira-cloud-administration/docs/integrate-with-self-hosted-tools-using-oauth/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jira_ci_core import Connection, HttpsUrl, PluginSettings, Secret, SignIn, Site, hookimpl, origin, setting
from jira_ci_hosts.oauth import API

if TYPE_CHECKING:
    from jira_ci_core import Http

KIND = "oauth"


class OAuth:
    """Signs in at Atlassian's API; reports go there, too, by the site's cloud id."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        client_id: Secret | None = setting(None, help="client id of the site's OAuth credentials")
        client_secret: Secret | None = setting(None, help="client secret of the site's OAuth credentials")
        api_url: HttpsUrl = setting(API, help="Atlassian's API; a gateway or the local Jira in its place")

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
        from jira_ci_auth_oauth.network import connect

        return connect(self._settings, site, http)
