"""Everything around the `deliver` hook: who signs in, what a delivery is given, what its answer must hold.

Also what goes the same way without being a report: reading back, and deleting.
"""

from __future__ import annotations

import copy
import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from jira_ci_core.delivery.credentials import choose_sign_in
from jira_ci_core.errors import DeliveryError, SettingsError, SignInError
from jira_ci_core.jira_api import Address, address_of, asking_problem, is_newer, read_entity, storage_problem
from jira_ci_core.models import Connection, Outcome, Receipt, Report, Result, SignIn, Site
from jira_ci_core.net.early import EarlyConnections
from jira_ci_core.net.signed import send_signed
from jira_ci_core.problem import Problem

if TYPE_CHECKING:
    import requests

    from jira_ci_core.net.client import Http
    from jira_ci_core.plugins.loader import Runtime

log = logging.getLogger(__name__)


class Delivery:
    """One step's delivery to one site; a context manager that closes its connections.

    Its making chooses the credentials and opens the connections that will be needed; nothing is sent before `deliver`.
    """

    def __init__(
        self,
        runtime: Runtime,
        site: Site,
        *,
        dry_run: bool = False,
        once: bool = False,
        on_rate_limit: Callable[[float], None] | None = None,
        early: EarlyConnections | None = None,
    ) -> None:
        """`once`: what fails is not tried again. `on_rate_limit` is told of each 429, see `Http`.

        `early` are connections that were opened ahead; those that are not needed are closed.

        Raises SettingsError where CA_BUNDLE or DELIVERY cannot be used.
        """
        self._runtime = runtime
        self._on_rate_limit = on_rate_limit
        self._once = once
        runtime.plugins.choose_delivery(runtime.settings.delivery)
        self.site = site
        self._problem: SettingsError | None = None
        self._sign_in: SignIn | None = None
        if early and early.bundle != runtime.network.ca_bundle:
            early.close()
            early = None
        self._early = early or EarlyConnections(runtime.network.ca_bundle)
        if dry_run:
            return
        plugins, settings = runtime.plugins, runtime.settings
        offers = plugins.all("authenticate", site=site, settings=settings)
        try:
            self._sign_in = choose_sign_in(plugins, offers, runtime.credentials, settings)
        except SettingsError as error:
            self._problem = error
        self._open_early()

    def with_settings(self, runtime: Runtime) -> Delivery:
        """Another one with the same credentials, and with connections and a deadline of its own."""
        other = copy.copy(self)
        for made in ("http", "connection"):
            vars(other).pop(made, None)
        other._runtime, other._early = runtime, EarlyConnections(runtime.network.ca_bundle)
        other._open_early()
        return other

    def _open_early(self) -> None:
        runtime = self._runtime
        are_needed = runtime.plugins.need_sign_in() and not runtime.network.has_proxy
        self._early.open(self._sign_in.hosts if self._sign_in and are_needed else ())

    def fork(self) -> Delivery:
        """Another delivery to the same site, for another thread: it connects and signs in for itself."""
        other = copy.copy(self)
        for own in ("http", "connection"):
            vars(other).pop(own, None)
        other._early = EarlyConnections(self._runtime.network.ca_bundle)
        return other

    def check(self) -> None:
        """Raise SettingsError where there is no credential that can be used, unless none is needed."""
        if self._problem and self._runtime.plugins.need_sign_in():
            raise self._problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; what is being sent ends with an error."""
        self._early.close()
        if "http" in vars(self):
            self.http.close()

    @property
    def kind(self) -> str:
        """Which kind of credentials is used; empty where none is."""
        return self._sign_in.kind if self._sign_in else ""

    @functools.cached_property
    def http(self) -> Http:
        """What to send requests with. Its deadline begins with its first request."""
        from jira_ci_core.net.client import Http

        self._runtime.plugins.allow_more(self._runtime.network.deadline)
        hosts = self._sign_in.hosts if self._sign_in else ()
        network, secrets = self._runtime.network, self._runtime.secrets
        return Http(network, secrets, hosts, self._early, self._on_rate_limit, once=self._once)

    @functools.cached_property
    def connection(self) -> Connection:
        """How to reach the site, signed in when it is first asked for.

        Raises SettingsError, SignInError, DeliveryError or PluginError where that fails.
        """
        if self._sign_in is None:
            assert self._problem is not None
            raise self._problem
        return self._runtime.plugins.connect(self._sign_in, self.http)

    def deliver(self, reports: Sequence[Report]) -> Receipt:
        """What became of each report. Raises PluginError, or SettingsError where nobody can deliver."""
        plugins = self._runtime.plugins
        try:
            receipt: Receipt | None = plugins.first(
                "deliver",
                reports=tuple(reports),
                connect=lambda: self.connection,
                http=self.http,
                settings=self._runtime.settings,
            )
        except (SignInError, DeliveryError) as error:
            receipt = Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)
        if receipt is None:
            raise SettingsError(
                Problem(
                    "nobody delivers the report",
                    "no plugin that is on implements the delivery of reports, or each left it to another",
                    "do not disable the plugin http; `jira-ci plugins` shows which are on",
                )
            )
        if len(receipt.outcomes) != len(reports):
            reason = f"answered {len(receipt.outcomes)} outcomes for {len(reports)} reports"
            raise plugins.failure(plugins.answered["deliver"], "deliver", reason)
        return receipt.redacted(self._runtime.secrets.redact)

    def request(self, method: str, address: Address) -> requests.Response:
        """Ask for what is at an address of the site, or have it deleted.

        Raises what `connection` raises, and DeliveryError where Jira says neither that it did nor "there is none".
        """
        response = self.ask(method, address)
        problem = asking_problem(self.site.name, response.status_code, response.headers, response.text)
        if problem:
            raise DeliveryError(problem)
        return response

    def ask(self, method: str, address: Address) -> requests.Response:
        """What is answered, whatever it is; with a new token where the old one has expired. Raises as `connection`."""
        return send_signed(self.http, self.connection, method, address.at(self.connection))

    def read_back(self, address: Address) -> dict[str, Any] | None:
        """The build or deployment as Jira holds it, or None where it holds none (or does not show it yet).

        Raises what `request` raises.
        """
        response = self.request("GET", address)
        return read_entity(self.site.name, response.status_code, response.headers, response.text)

    def verify(self, reports: Sequence[Report], receipt: Receipt) -> Receipt:
        """Read back what was accepted until it shows or the deadline is over; where it does not, its outcome says so.

        Jira stores asynchronously, and drops an update that is not newer than the one it has without a word.
        """
        outcomes = [
            self._verified(report, outcome) if outcome.result is Result.ACCEPTED else outcome
            for report, outcome in zip(reports, receipt.outcomes, strict=True)
        ]
        return receipt.model_copy(update={"outcomes": tuple(outcomes)}).redacted(self._runtime.secrets.redact)

    def _verified(self, report: Report, outcome: Outcome) -> Outcome:
        waits = self.http.waits()
        try:
            while True:
                stored = self.read_back(address_of(report.entity))
                problem = storage_problem(report, stored)
                if problem is None:
                    log.info("%s shows %s (%s)", self.site.name, report.title, report.entity.state)
                    return outcome
                wait = next(waits, None)
                if wait is None or (stored is not None and is_newer(report, stored)):
                    break
                time.sleep(wait)
        except (SignInError, DeliveryError) as error:
            problem = error.problems[0]
        return outcome.model_copy(update={"problems": (problem,)})
