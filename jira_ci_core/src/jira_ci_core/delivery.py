"""Everything around the `deliver` hook: who signs in, what a delivery is given, what its answer must hold."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jira_ci_core.errors import DeliveryError, SettingsError, SignInError
from jira_ci_core.models import Connection, Receipt, Report, Result, SignIn, Site
from jira_ci_core.sign_in import choose_sign_in

if TYPE_CHECKING:
    from jira_ci_core.http import Http
    from jira_ci_core.loader import Loaded


class Delivery:
    """One step's delivery to one site. Its making checks the credentials; nothing is sent before `deliver`."""

    def __init__(self, loaded: Loaded, site: Site, *, dry_run: bool = False) -> None:
        """Raises SettingsError where no credential can be used, unless none is needed."""
        self._loaded = loaded
        self.site = site
        self._problem: SettingsError | None = None
        self._sign_in: SignIn | None = None
        if dry_run:
            return
        plugins, settings = loaded.plugins, loaded.settings
        offers = plugins.all("authenticate", site=site, settings=settings)
        try:
            self._sign_in = choose_sign_in(plugins, offers, loaded.credentials, settings)
        except SettingsError as error:
            if plugins.need_sign_in():
                raise
            self._problem = error

    def deliver(self, reports: Sequence[Report]) -> Receipt:
        """What became of each report. Raises PluginError, or SettingsError where nobody can deliver."""
        plugins = self._loaded.plugins
        http = self._http()
        connect = functools.cache(lambda: self._connect(http))
        try:
            receipt: Receipt | None = plugins.first(
                "deliver", reports=tuple(reports), connect=connect, http=http, settings=self._loaded.settings
            )
        except (SignInError, DeliveryError) as error:
            return Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)
        if receipt is None:
            raise SettingsError(
                "nobody delivers the report",
                "no plugin that is on implements the delivery of reports, or each left it to another",
                "do not disable the plugin http; `jira-ci plugins` shows which are on",
            )
        if len(receipt.outcomes) != len(reports):
            reason = f"answered {len(receipt.outcomes)} outcomes for {len(reports)} reports"
            raise plugins.failure(plugins.answered["deliver"], "deliver", reason)
        return receipt

    def connection(self) -> tuple[Connection, Http]:
        """Signed in, and what to send requests with."""
        http = self._http()
        return self._connect(http), http

    @property
    def kind(self) -> str:
        """Which kind of credentials is used; empty where none is."""
        return self._sign_in.kind if self._sign_in else ""

    def _http(self) -> Http:
        from jira_ci_core.http import Http

        return Http(self._loaded.network, self._loaded.secrets, self._sign_in.hosts if self._sign_in else ())

    def _connect(self, http: Http) -> Connection:
        if self._sign_in is None:
            assert self._problem is not None
            raise self._problem
        return self._loaded.plugins.connect(self._sign_in, http)
