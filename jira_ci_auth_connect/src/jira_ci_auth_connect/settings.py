"""The settings of Connect sign-in."""

from __future__ import annotations

from jira_ci_auth_connect.hosts import APP
from jira_ci_core import HttpsUrl, PluginSettings, Secret, setting


class ConnectSettings(PluginSettings):
    """CONNECT_KEY and CONNECT_HOSTNAME."""

    connect_key: Secret | None = setting(None, help="token from the Configure page of the Harness CI Jira app")
    connect_hostname: HttpsUrl = setting(APP, help="where the app lives")
