"""How reports get to one site: a plan, made without touching the network, and the sessions that carry it out."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from jira_ci_core.delivery.credentials import choose_sign_in
from jira_ci_core.errors import DeliveryError, NoCredentialsError, SettingsError, SignInError
from jira_ci_core.jira_api.stored import Address, address_of, asking_problem, is_newer, read_entity, storage_problem
from jira_ci_core.models import Outcome, Receipt, Report, Result, Site
from jira_ci_core.net.connection import Connection, SignIn
from jira_ci_core.net.preconnect import Preconnections
from jira_ci_core.plugins.catalog import DELIVERIES, install_command
from jira_ci_core.problem import Problem

if TYPE_CHECKING:
    import requests

    from jira_ci_core.config.settings import Settings
    from jira_ci_core.net.client import Http
    from jira_ci_core.plugins.loader import Runtime

log = logging.getLogger(__name__)


def make_site(settings: Settings) -> Site:
    """The site of all reports of this step. Raises SettingsError where nothing says which it is."""
    if settings.instance is None and settings.cloud_id is None:
        spelt = "PLUGIN_INSTANCE, JIRA_CI_INSTANCE or --instance"
        remedy = f"set INSTANCE to myorg for myorg.atlassian.net ({spelt}); with OAuth, CLOUD_ID alone will do"
        raise SettingsError(Problem("INSTANCE is not set", "it says which Jira site to update", remedy))
    return Site(url=settings.instance, cloud_id=settings.cloud_id)


@dataclass(frozen=True)
class DeliveryPlan:
    """Everything that is decided about delivering to one site; `open` makes as many sessions of it as are needed."""

    runtime: Runtime
    site: Site
    left_out: tuple[str, ...]
    """The plugins that deliver and are not asked."""
    needs_sign_in: bool
    """Whether every plugin that may be asked wants to be signed in."""
    may_use_threads: bool
    """Whether every plugin that may be asked can be called in several threads at once."""
    sign_in: SignIn | None = None
    """The credentials to use; None where none can be used, and in a dry run."""
    sign_in_error: SettingsError | None = None
    """Why no credentials can be used."""
    retries: bool = True
    """Whether a request that fails is tried again."""
    on_rate_limit: Callable[[float], None] | None = None
    """Called after each 429, see `Http`."""

    @property
    def kind(self) -> str:
        """The kind of the credentials; empty where there are none."""
        return self.sign_in.kind if self.sign_in else ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The origins that a session may send requests to."""
        return self.sign_in.hosts if self.sign_in else ()

    def check(self) -> None:
        """Raise SettingsError where credentials are needed and none can be used."""
        if self.sign_in_error and (self.needs_sign_in or self.runtime.missing_files):
            raise self.sign_in_error

    def within(self, seconds: float) -> DeliveryPlan:
        """The same plan with a DEADLINE of at most so many seconds."""
        return replace(self, runtime=self.runtime.within(seconds))

    def open(self, preconnections: Preconnections | None = None) -> Session:
        """Make a session, with connections and a deadline of its own, and connect to the hosts that it will need.

        `preconnections` are connections that were opened before; those that are not needed are closed. No request is
        sent. Raises SettingsError where CA_BUNDLE cannot be used.
        """
        network = self.runtime.network
        if preconnections and preconnections.ca_bundle != network.ca_bundle:
            preconnections.close()
            preconnections = None
        connections = preconnections or Preconnections(network.ca_bundle)
        connections.open(self.hosts if self.needs_sign_in and not network.proxies else ())
        return Session(self, connections)


def plan_delivery(
    runtime: Runtime,
    site: Site,
    *,
    dry_run: bool = False,
    retries: bool = True,
    on_rate_limit: Callable[[float], None] | None = None,
) -> DeliveryPlan:
    """Choose who delivers to a site and, except in a dry run, the credentials.

    The plugin that DELIVERY names delivers alone; without it, all may be asked but those that want to be named. Raises
    SettingsError where no plugin of that name delivers, and PluginError. That no credentials can be used is raised by
    `DeliveryPlan.check`.
    """
    plugins, settings = runtime.plugins, runtime.settings
    deliverers, name = plugins.implementers("deliver"), settings.delivery
    if name is None:
        asked = [plugin for plugin in deliverers if not plugins.delivery_constant(plugin, "ONLY_WHEN_NAMED")]
    elif name in deliverers:
        asked = [name]
    else:
        what = f"DELIVERY names {name}, and no plugin of that name delivers reports"
        install = f"{install_command(name)}; " if name in DELIVERIES else ""
        remedy = f"{install}`jira-ci plugins` shows what is installed; those that deliver here: {', '.join(deliverers)}"
        raise SettingsError(Problem(what, "it is not installed, is off, or does something else", remedy))
    plan = DeliveryPlan(
        runtime,
        site,
        left_out=tuple(plugin for plugin in deliverers if plugin not in asked),
        needs_sign_in=all(plugins.delivery_constant(plugin, "NEEDS_SIGN_IN") for plugin in asked),
        may_use_threads=all(plugins.delivery_constant(plugin, "THREAD_SAFE") for plugin in asked),
        retries=retries,
        on_rate_limit=on_rate_limit,
    )
    if dry_run:
        return plan
    offers = plugins.authenticate(site, settings)
    try:
        plan = replace(plan, sign_in=choose_sign_in(plugins, offers, runtime.credentials, settings))
    except SettingsError as error:
        plan = replace(plan, sign_in_error=error)
    missing = runtime.missing_files
    if missing and plan.sign_in and plan.needs_sign_in and settings.on_no_credentials == "warn":
        for problem in missing:
            log.warning("%s, so it counts as not set", problem)
    elif missing:
        plan = replace(plan, sign_in=None, sign_in_error=NoCredentialsError(*missing))
    return plan


class Session:
    """Delivers reports to one site; a context manager that closes its connections. `DeliveryPlan.open` makes it."""

    def __init__(self, plan: DeliveryPlan, connections: Preconnections) -> None:
        self.plan = plan
        self.site = plan.site
        self._connections = connections

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a request under way in another thread ends with an error."""
        self._connections.close()
        if "http" in vars(self):
            self.http.close()

    @functools.cached_property
    def http(self) -> Http:
        """The HTTP client. Its deadline begins with its first request."""
        from jira_ci_core.net.client import Http

        plan, runtime = self.plan, self.plan.runtime
        runtime.plugins.extend_timeout(runtime.network.deadline)
        return Http(
            runtime.network, runtime.secrets, plan.hosts, self._connections, plan.on_rate_limit, retries=plan.retries
        )

    @functools.cached_property
    def connection(self) -> Connection:
        """The connection, signed in on first use. Raises SettingsError, SignInError, DeliveryError or PluginError."""
        if self.plan.sign_in is None:
            assert self.plan.sign_in_error is not None, "a dry run sends nothing"
            raise self.plan.sign_in_error
        return self.plan.runtime.plugins.connect(self.plan.sign_in, self.http)

    def deliver(self, reports: Sequence[Report]) -> Receipt:
        """Call the hook; the receipt holds an outcome for each report, no secret. Raises PluginError, SettingsError."""
        plugins, settings, left_out = self.plan.runtime.plugins, self.plan.runtime.settings, self.plan.left_out
        try:
            receipt = plugins.deliver(tuple(reports), lambda: self.connection, self.http, settings, left_out)
        except (SignInError, DeliveryError) as error:
            receipt = Receipt.for_all(reports, Result.NOT_DELIVERED, *error.problems)
        if receipt is None:
            why = "no active plugin delivers reports, or all of them declined this one"
            remedy = "do not disable the plugin http; `jira-ci plugins` shows which are on"
            raise SettingsError(Problem("no plugin delivered the report", why, remedy))
        if len(receipt.outcomes) != len(reports):
            reason = f"answered {len(receipt.outcomes)} outcomes for {len(reports)} reports"
            raise plugins.failure(plugins.answered["deliver"], "deliver", reason)
        return receipt.redacted(self.plan.runtime.secrets.shorten)

    def request(self, method: str, address: Address) -> requests.Response:
        """Get or delete what is at an address; the answer may be Jira's 404. Raises DeliveryError for any other."""
        response = self.ask(method, address)
        problem = asking_problem(self.site.name, response.status_code, response.headers, response.text)
        if problem:
            raise DeliveryError(problem)
        return response

    def ask(self, method: str, address: Address) -> requests.Response:
        """Send a request to an address of the site; returns any answer. Raises what `connection` raises."""
        return self.connection.request(self.http, method, address.at(self.connection))

    def read_back(self, address: Address) -> dict[str, Any] | None:
        """The build or deployment there; None where Jira holds none, or does not show it yet. Raises as `request`."""
        response = self.request("GET", address)
        return read_entity(self.site.name, response.status_code, response.headers, response.text)

    def verify(self, reports: Sequence[Report], receipt: Receipt) -> Receipt:
        """Read each accepted report back until Jira shows it or the deadline is over; a missing one is a problem.

        Jira stores asynchronously, and silently drops an update that is not newer than the one it has.
        """
        outcomes = [
            self._verified(report, outcome) if outcome.result is Result.ACCEPTED else outcome
            for report, outcome in zip(reports, receipt.outcomes, strict=True)
        ]
        return receipt.model_copy(update={"outcomes": tuple(outcomes)}).redacted(self.plan.runtime.secrets.shorten)

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
