"""The site that the settings name."""

from __future__ import annotations

from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Site
from jira_ci_core.problem import Problem


def make_site(settings: Settings) -> Site:
    """The site of all reports of this step. Raises SettingsError where nothing says which it is."""
    if settings.instance is None and settings.cloud_id is None:
        raise SettingsError(
            Problem(
                "INSTANCE is not set",
                "it says which Jira site to update",
                "set INSTANCE to myorg for myorg.atlassian.net (PLUGIN_INSTANCE, JIRA_CI_INSTANCE or --instance); "
                "with OAuth, CLOUD_ID alone will do",
            )
        )
    return Site(url=settings.instance, cloud_id=settings.cloud_id)
