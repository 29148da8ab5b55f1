"""The settings of OAuth sign-in."""

from __future__ import annotations

from jira_ci_auth_oauth.hosts import API
from jira_ci_core import HttpsUrl, PluginSettings, Secret, setting


class OAuthSettings(PluginSettings):
    """CLIENT_ID, CLIENT_SECRET and API_URL."""

    client_id: Secret | None = setting(None, help="client id of the site's OAuth credentials")
    client_secret: Secret | None = setting(None, help="client secret of the site's OAuth credentials")
    api_url: HttpsUrl = setting(API, help="Atlassian's API; a gateway or the local Jira in its place")
