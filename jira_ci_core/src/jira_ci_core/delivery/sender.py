"""Delivers reports that other processes made, as the workers of a queue do, to the site that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeVar

from jira_ci_core.config.resolve import resolve
from jira_ci_core.config.settings import PluginSettings
from jira_ci_core.config.specs import setting_specs
from jira_ci_core.delivery.session import make_site, plan_delivery
from jira_ci_core.errors import SettingsError
from jira_ci_core.issue_keys import ANY_PROJECT
from jira_ci_core.models import Receipt, Report
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import load, open_sources

M = TypeVar("M", bound=PluginSettings)


class Sender:
    """Delivers reports in bulk over HTTP to one site; a context manager that closes its connections.

    It stays signed in between deliveries. A request that fails is not repeated: the caller decides when to try again.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        """`settings`, named in lower case, go before `environ`. Sends nothing. Raises SettingsError and PluginError.

        The credentials, and the tokens that are obtained with them, are added to `secrets`.
        """
        # A worker that takes reports from a queue must not put them into one.
        flags = {**(settings or {}), "delivery": "http"}
        runtime = load(replace(open_sources(environ, flags, secrets or Secrets()), defaults={"project": ANY_PROJECT}))
        self.site = make_site(runtime.settings)
        plan = plan_delivery(runtime, self.site, retries=False)
        plan.check()
        self._session = plan.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def takes(self, report: Report) -> bool:
        """Whether this client is configured for the report's site."""
        return report.site.is_same(self.site)

    def deliver(self, reports: Sequence[Report]) -> Receipt:
        """Deliver reports, all for this site; the receipt has an outcome for each, no secrets. Raises PluginError."""
        self._session.http.restart()
        return self._session.deliver(reports)


def read_settings(model: type[M], owner: str, environ: Mapping[str, str], secrets: Secrets | None = None) -> M:
    """The settings of the plugin `owner`, for a program that `jira-ci` does not start. Raises SettingsError.

    Those that are secret are added to `secrets`.
    """
    sources, specs = open_sources(environ, {}, secrets or Secrets()), setting_specs(model, owner)
    sources.hide(specs)
    settings, problems = resolve(model, specs, sources)
    if settings is None:
        raise SettingsError(*problems)
    return settings
