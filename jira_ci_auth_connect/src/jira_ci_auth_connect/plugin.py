"""Connect sign-in: `CONNECT_KEY`, the token that the Harness CI Jira app's Configure page generates.

https://developer.harness.io/docs/continuous-integration/use-ci/use-drone-plugins/plugin-step-settings-reference/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jira_ci_auth_connect.hosts import hosts_of
from jira_ci_auth_connect.settings import ConnectSettings
from jira_ci_core import Connection, SignIn, Site, hookimpl, origin

if TYPE_CHECKING:
    from jira_ci_core import Http

KIND = "connect"


class ConnectAuth:
    """Exchanges the key for a short-lived token; reports go to the site itself."""

    CONTRACT = 1
    Settings = ConnectSettings

    def __init__(self, settings: ConnectSettings) -> None:
        self._settings = settings

    @hookimpl
    def jira_ci_authenticate(self, site: Site) -> SignIn | None:
        """Offer to sign in, if there is a key."""
        if self._settings.connect_key is None:
            return None
        hosts = hosts_of(self._settings.connect_hostname, site.url or "")
        return SignIn(
            kind=KIND,
            connect=lambda http: self._connect(site, http),
            hosts=tuple(origin(host) or host for host in hosts if host),
            missing=() if site.url else ("INSTANCE",),
        )

    def _connect(self, site: Site, http: Http) -> Connection:
        from jira_ci_auth_connect.network import connect

        return connect(self._settings, site, http)
