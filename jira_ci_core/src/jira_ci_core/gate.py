"""`jira-ci gate`: asks Jira for the gate of a deployment, and waits for the verdict."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jira_ci_core.clock import PROCESS_CLOCK
from jira_ci_core.delivery.session import Session, make_site, plan_delivery
from jira_ci_core.errors import DeliveryError, ExitCode, SettingsError
from jira_ci_core.jira_api.stored import Gate, asking_problem, gate_address, read_gate
from jira_ci_core.models import Deployment, Report, Result, State
from jira_ci_core.net.client import RETRY, retry_after
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import kind_of, make_reports
from jira_ci_core.reporting.run import find, no_key
from jira_ci_core.reporting.state import wanted_state

log = logging.getLogger(__name__)

FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
"""Both in seconds, between two requests for the verdict."""
LAST_REQUEST = 2.0
"""How many seconds the request at the very end may take, and so how much later than GATE_TIMEOUT the step may end."""
LOG_EVERY = 60.0
"""How often, in seconds, the step says that it still waits."""

AWAITING = "awaiting"
# Any other word is not a verdict that a pipeline could act on.
EXIT_CODES = {"allowed": ExitCode.OK, "prevented": ExitCode.PREVENTED, "expired": ExitCode.EXPIRED}


@dataclass(frozen=True)
class Verdict:
    """How the gate of a deployment ended."""

    status: str
    """Jira's word, such as `allowed`; `timed_out`, `not_asked` or `skipped` if Jira has given none."""
    exit_code: ExitCode
    title: str = ""
    """The title of the deployment; empty if it is skipped."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """The change requests that Jira names: their keys and addresses."""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    """How long the verdict was waited for."""


def wait_for_verdict(runtime: Runtime) -> Verdict:
    """Report the deployment of this run as pending, ask for its gate, and wait for the verdict, at most GATE_TIMEOUT.

    Raises SettingsError and PluginError, and SignInError or DeliveryError if Jira refuses to give the verdict.
    """
    settings, plugins = runtime.settings, runtime.plugins
    if len(names := settings.environment_name) != 1:
        what = f"ENVIRONMENT_NAME {'is not set' if not names else f'names {len(names)} environments'}"
        why = "a gate belongs to one deployment to one environment"
        raise SettingsError(Problem(what, why, "set ENVIRONMENT_NAME to the environment that this run is to deploy to"))
    plan = plan_delivery(runtime, make_site(settings))
    with plan.open() as session:
        facts = find(runtime)
        if wanted_state(plugins, facts.pipeline, kind_of(settings), settings) not in (None, State.PENDING):
            what, why = f"STATE cannot be {settings.state!r} here", "a deployment that waits at its gate is pending"
            raise SettingsError(Problem(what, why, "leave STATE out of this step"))
        if facts.is_empty:
            code = ExitCode.JIRA if settings.on_no_issue == "fail" else ExitCode.OK
            return Verdict("skipped", code, problems=no_key(facts).problems)
        plan.check()
        keys, redact = facts.issue_keys, runtime.secrets.redact_stored
        [report] = make_reports(plugins, facts.pipeline, keys, State.PENDING, settings, PROCESS_CLOCK, redact)
        report = report.model_copy(update={"entity": report.entity.model_copy(update={"asks_for_gate": True})})
        # Not kept in the outbox: this step does not wait for a gate that is asked for later.
        [outcome] = session.deliver([report]).outcomes
        if outcome.result in (Result.REJECTED, Result.NOT_DELIVERED):
            return Verdict("not_asked", ExitCode.JIRA, report.title, problems=outcome.problems)
        log.info("%s was asked for the gate of %s", session.site.name, report.title)
        return _wait(session, report, settings.gate_timeout)


def _wait(session: Session, report: Report, timeout: float) -> Verdict:
    """Request the verdict until there is one or the timeout, in seconds, is over; once more at its very end."""
    began = time.monotonic()
    waits = _waits()
    logged, logged_at = "", began
    while True:
        remaining = began + timeout - time.monotonic()
        gate, requested_wait = _request(session, report, max(remaining, LAST_REQUEST))
        now = time.monotonic()
        if gate is not None and gate.status != AWAITING:
            return _verdict(session.site.name, report, gate, now - began)
        if now - began >= timeout:
            how = "still waits for approval" if gate else "shows no gate"
            why = f"GATE_TIMEOUT ({timeout:g} seconds) is over, and {session.site.name} {how}{_changes(gate)}"
            remedy = "have the change approved and run again, or set GATE_TIMEOUT higher"
            problem = Problem(f"there is no verdict on {report.title}", why, remedy)
            changes = gate.changes if gate else {}
            return Verdict("timed_out", ExitCode.TIMED_OUT, report.title, changes, (problem,), timeout)
        status = AWAITING if gate else "not shown yet"
        if status != logged or now - logged_at >= LOG_EVERY:
            logged, logged_at = status, now
            passed = f"{now - began:.0f} of {timeout:g} seconds"
            log.info("the gate of %s is %s (%s)%s", report.title, status, passed, _changes(gate))
        time.sleep(min(max(next(waits), requested_wait), began + timeout - now))


def _request(session: Session, report: Report, seconds: float) -> tuple[Gate | None, float]:
    """The gate as Jira shows it within so many seconds, and how many Jira asks to wait before the next request.

    The gate is None if Jira does not show it, or if a failure may pass, which is a warning.
    """
    assert isinstance(report.entity, Deployment)
    site = session.site.name
    session.http.restart(seconds)
    try:
        response = session.ask("GET", gate_address(report.entity))
    except DeliveryError as error:
        log.warning("%s; trying again", error)
        return None, 0.0
    problem = asking_problem(site, response.status_code, response.headers, response.text)
    if problem is None:
        return read_gate(site, response.status_code, response.headers, response.text), 0.0
    if response.status_code not in RETRY.status_forcelist:
        raise DeliveryError(problem)
    log.warning("%s; trying again", problem)
    return None, retry_after(response)


def _waits() -> Iterator[float]:
    wait = FIRST_WAIT
    while True:
        yield wait
        wait = min(wait * 1.5, LONGEST_WAIT)


def _verdict(site: str, report: Report, gate: Gate, seconds: float) -> Verdict:
    code = EXIT_CODES.get(gate.status, ExitCode.JIRA)
    what = f"there is no verdict on {report.title}"
    why = f"Jira calls it {gate.status}"
    remedy = "check in Jira Service Management that this environment, and the service that is deployed, have a gate"
    if code is ExitCode.PREVENTED:
        what, why = f"{site} prevents {report.title}", "the change was not approved"
        remedy = "the change request says why; once it is approved, run the pipeline again"
    elif code is ExitCode.EXPIRED:
        what, why = f"the gate of {report.title} expired", "no decision was made in the time that Jira allows"
        remedy = "run the pipeline again to ask anew"
    problems = () if code is ExitCode.OK else (Problem(what, why + _changes(gate), remedy),)
    return Verdict(gate.status, code, report.title, gate.changes, problems, seconds)


def _changes(gate: Gate | None) -> str:
    """The change requests, for the end of a sentence: `: OPS-7 (https://…)`."""
    named = [f"{key} ({link})" if link else key for key, link in (gate.changes if gate else {}).items()]
    return f": {', '.join(named)}" if named else ""
