"""Connect sign-in: `CONNECT_KEY`, the token that the Harness CI Jira app's Configure page generates.

https://developer.harness.io/docs/continuous-integration/use-ci/use-drone-plugins/plugin-step-settings-reference/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jira_ci_core import Connection, HttpsUrl, PluginSettings, Secret, SignIn, Site, hookimpl, origin, setting
from jira_ci_hosts.connect import APP

if TYPE_CHECKING:
    from jira_ci_core import Http

KIND = "connect"


class ConnectAuth:
    """Exchanges the key for a short-lived token; reports go to the site itself."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        connect_key: Secret | None = setting(None, help="token from the Configure page of the Harness CI Jira app")
        connect_hostname: HttpsUrl = setting(APP, help="where the app lives")

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
        from jira_ci_auth_connect.network import connect

        return connect(self._settings, site, http)
