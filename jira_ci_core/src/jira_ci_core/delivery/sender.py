"""Delivering reports that others made: what the workers of a queue do, for the one site that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeVar

from jira_ci_core.config.settings import PluginSettings
from jira_ci_core.config.sources import read_sources, resolve, setting_specs
from jira_ci_core.delivery.session import plan_delivery
from jira_ci_core.delivery.site import make_site
from jira_ci_core.errors import SettingsError
from jira_ci_core.issue_keys import ANY_PROJECT
from jira_ci_core.models import Receipt, Report
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import load

M = TypeVar("M", bound=PluginSettings)


class Sender:
    """Signs in to one site and hands over reports in bulk, over HTTP; a context manager that closes its connections.

    It stays signed in, and tries nothing again by itself: when to is the business of whoever has more to deliver.
    """

    def __init__(self, environ: Mapping[str, str], settings: Mapping[str, str] | None = None) -> None:
        """`settings` are more of them, by their names in lower case, above those in `environ`. Opens no connection.

        Raises SettingsError, also where there is no credential that can be used, and PluginError.
        """
        # Whoever takes from a queue must not put what it took into one.
        flags = {**(settings or {}), "delivery": "http"}
        sources = replace(read_sources(environ, flags), defaults={"project": ANY_PROJECT})
        runtime = load(sources, Secrets())
        self.site = make_site(runtime.settings)
        plan = plan_delivery(runtime, self.site, once=True)
        plan.check()
        self._session = plan.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def takes(self, report: Report) -> bool:
        """Whether a report is for this site; nobody delivers one for a site that he is not configured for."""
        return report.site.is_same(self.site)

    def deliver(self, reports: Sequence[Report]) -> Receipt:
        """What became of each report, without any secret in it; they must all be for this site. Raises PluginError."""
        self._session.http.restart()
        return self._session.deliver(reports)


def read_settings(model: type[M], owner: str, environ: Mapping[str, str]) -> M:
    """A plugin's own settings, for a program that is not started by `jira-ci`; `owner` is the plugin's name.

    Raises SettingsError with everything that is wrong at once.
    """
    settings, problems = resolve(model, setting_specs(model, owner), read_sources(environ, {}))
    if settings is None:
        raise SettingsError(*problems)
    return settings
