"""A report from start to end: read CI, find keys, choose the state, deliver, and call `reported`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.config.settings import Settings
from jira_ci_core.delivery.session import DeliveryPlan, Session, make_site, plan_delivery
from jira_ci_core.errors import ExitCode, JiraCiError, NoCredentialsError
from jira_ci_core.git.checkout import filled_from_checkout
from jira_ci_core.git.command import renew_patience
from jira_ci_core.models import NO_CI, FoundKey, Pipeline, Receipt, Report, Result, SkipReason
from jira_ci_core.net.preconnect import Preconnections
from jira_ci_core.output.console import Warnings
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import Runtime, load, open_sources
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import hint_at_deployment, kind_of, make_reports, services_of
from jira_ci_core.reporting.identity import environment_id, identified
from jira_ci_core.reporting.ranking import find_issue_keys, no_key_problem
from jira_ci_core.reporting.state import decide_state


class RunStatus(StrEnum):
    """Result of a run with valid settings."""

    DELIVERED = "delivered"
    KEPT = "kept"
    """Not delivered, but in the outbox."""
    NOT_DELIVERED = "not_delivered"
    SKIPPED = "skipped"
    DRY_RUN = "dry_run"


class RunFacts(NamedTuple):
    """The facts that are known before anything is reported."""

    pipeline: Pipeline
    keys: tuple[FoundKey, ...]
    services: tuple[str, ...] = ()
    """The services that a deployment is of."""
    no_key: Problem | None = None
    """What to say of it, if there is nothing that a report could be about."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a report could be about."""
        return not (self.keys or self.services)

    @property
    def issue_keys(self) -> tuple[str, ...]:
        return tuple(found.key for found in self.keys)


@dataclass(frozen=True)
class RunResult:
    """How a run ended, and everything that it found and did on the way."""

    status: RunStatus
    exit_code: ExitCode
    pipeline: Pipeline
    keys: tuple[FoundKey, ...] = ()
    reports: tuple[Report, ...] = ()
    receipt: Receipt = field(default_factory=Receipt)


def run(
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    *,
    dry_run: bool = False,
    secrets: Secrets | None = None,
    clock: Clock = PROCESS_CLOCK,
) -> RunResult:
    """Do what `jira-ci report` does. `flags` are settings by name (`environment_name`), above all other sources.

    Raises SettingsError or PluginError, without any secret in it. A report that could not be delivered is a RunResult,
    not an error.
    """
    secrets = secrets or Secrets()
    renew_patience()  # a program may do several steps
    warnings = Warnings(secrets)
    logging.getLogger().addHandler(warnings)
    try:
        sources = open_sources(environ, flags or {}, secrets, warnings.take)
        return report(load(sources), dry_run=dry_run, clock=clock)
    except JiraCiError as error:
        raise type(error)(*(problem.redacted(secrets.shorten) for problem in error.problems)) from None
    finally:
        logging.getLogger().removeHandler(warnings)


def report(
    runtime: Runtime,
    *,
    dry_run: bool = False,
    clock: Clock = PROCESS_CLOCK,
    preconnections: Preconnections | None = None,
) -> RunResult:
    """Make and deliver a report, from checked settings to the receipt; `preconnections` are open already."""
    plugins, settings = runtime.plugins, runtime.settings
    with plan_delivery(runtime, make_site(settings), dry_run=dry_run).open(preconnections) as session:
        facts = find(runtime)
        decision = decide_state(plugins, facts.pipeline, kind_of(settings), settings)

        # A run that has nothing to report may have no credentials either, such as one for a fork.
        if nothing := nothing_to_report(facts, settings):
            return finish(runtime, facts, (), nothing, dry_run=dry_run)
        if decision.skipped:
            receipt = Receipt(skipped=decision.skipped, skip_reason=decision.skip_reason)
            return finish(runtime, facts, (), receipt, dry_run=dry_run)
        if skipped := check_credentials(session.plan):
            return finish(runtime, facts, (), skipped, dry_run=dry_run)

        reports = make_reports(
            plugins, facts.pipeline, facts.issue_keys, decision.state, settings, clock, runtime.secrets.redact_stored
        )
        if dry_run:
            return RunResult(RunStatus.DRY_RUN, ExitCode.OK, facts.pipeline, facts.keys, reports)

        return finish(runtime, facts, reports, send(runtime, session, reports))


def find(runtime: Runtime) -> RunFacts:
    """The facts from CI about this run, and the keys of its issues."""
    pipeline = read_pipeline(runtime.plugins, runtime.environ)
    if runtime.settings.outbox:
        from jira_ci_core.delivery.outbox import warn_of_checkout

        warn_of_checkout(Path(runtime.settings.outbox), runtime.environ)
    hint_at_deployment(pipeline, runtime.settings)
    return find_keys_of(runtime.plugins, pipeline, runtime.environ, runtime.settings, runtime.secrets.shorten)


def find_keys_of(
    plugins: Plugins,
    pipeline: Pipeline,
    environ: Mapping[str, str],
    settings: Settings,
    shorten: Callable[[str, int], str],
) -> RunFacts:
    """The facts and the keys of a run, or what to say if there is nothing to report."""
    search = find_issue_keys(plugins, pipeline, environ, settings)
    facts = RunFacts(pipeline, search.keys, services_of(settings))
    if not facts.is_empty:
        return facts
    problem = no_key_problem(plugins, pipeline, environ, settings, search, shorten)
    return facts._replace(no_key=problem)


def read_pipeline(plugins: Plugins, environ: Mapping[str, str]) -> Pipeline:
    """The facts from CI about the run, or else from the checkout. `environ` holds no credential."""
    pipeline = plugins.read_pipeline(environ) or Pipeline(ci=NO_CI)
    if plugins.is_on("checkout"):
        pipeline = filled_from_checkout(pipeline, environ)
    return identified(pipeline, plugins.answered.get("read_pipeline", "checkout"))


def check_credentials(plan: DeliveryPlan) -> Receipt | None:
    """A receipt that says so if credentials are missing and ON_NO_CREDENTIALS is `warn`. Else raises SettingsError."""
    try:
        plan.check()
    except NoCredentialsError as error:
        return no_credentials(plan.runtime.settings, error)
    return None


def no_credentials(settings: Settings, error: NoCredentialsError) -> Receipt:
    if settings.on_no_credentials == "fail":
        raise error
    return Receipt(skipped=error.problems[0].what, skip_reason=SkipReason.NO_CREDENTIALS, problems=error.problems)


def send(runtime: Runtime, session: Session, reports: tuple[Report, ...]) -> Receipt:
    """Deliver reports; if there is an outbox, it holds them meanwhile."""
    try:
        return _send(runtime, session, reports)
    except NoCredentialsError as error:  # those of a broker, which only the plugin that delivers knows
        return no_credentials(runtime.settings, error)


def _send(runtime: Runtime, session: Session, reports: tuple[Report, ...]) -> Receipt:
    if runtime.settings.outbox:
        from jira_ci_core.delivery.outbox import Outbox, deliver_kept

        outbox = Outbox(Path(runtime.settings.outbox), runtime.secrets.redact_stored)
        receipt = deliver_kept(outbox, reports, session.deliver)
    else:
        receipt = session.deliver(reports)
    return session.verify(reports, receipt) if runtime.settings.verify else receipt


def nothing_to_report(facts: RunFacts, settings: Settings) -> Receipt | None:
    """Why there is nothing to report, whatever the state is: no key was found, or the job deploys nothing."""
    if facts.is_empty:
        return no_key(facts)
    pipeline = facts.pipeline
    idle = pipeline.not_deployed_to
    if idle is None or environment_id(idle) not in map(environment_id, settings.environment_name):
        return None
    said_by = pipeline.origins.get("not_deployed_to", pipeline.ci)
    why = f"{pipeline.ci} says that this job does not deploy to {idle} ({said_by})"
    return Receipt(skipped=f"{why}: the update is left out", skip_reason=SkipReason.NOTHING_HAPPENED)


def no_key(facts: RunFacts) -> Receipt:
    problem = facts.no_key
    assert problem is not None
    return Receipt(skipped=problem.what, skip_reason=SkipReason.NO_KEY, problems=(problem,))


def finish(
    runtime: Runtime, facts: RunFacts, reports: tuple[Report, ...], receipt: Receipt, *, dry_run: bool = False
) -> RunResult:
    """Call `reported` with redacted values, unless this is a dry run, and return the result."""
    reports = () if receipt.skip_reason else reports
    if not dry_run:
        redact = runtime.secrets.redact_stored
        redacted_reports = tuple(report.redacted(redact) for report in reports)
        told = receipt.model_copy(update={"warnings": runtime.warnings()})
        runtime.plugins.reported(
            facts.pipeline.redacted(redact), redacted_reports, told.redacted(redact), runtime.settings
        )
    status, exit_code = status_of(receipt, runtime.settings)
    return RunResult(status, exit_code, facts.pipeline, facts.keys, reports, receipt)


def status_of(receipt: Receipt, settings: Settings) -> tuple[RunStatus, ExitCode]:
    """How a run ended as a whole. A refusal always fails; for the rest ON_FAILURE and ON_NO_ISSUE decide."""
    if receipt.skip_reason:
        fails = receipt.skip_reason is SkipReason.NO_KEY and settings.on_no_issue == "fail"
        return RunStatus.SKIPPED, ExitCode.JIRA if fails else ExitCode.OK
    lost = [outcome for outcome in receipt.outcomes if outcome.result is Result.NOT_DELIVERED]
    refused = [outcome for outcome in receipt.outcomes if outcome.result is Result.REJECTED]
    unverified = [one for one in receipt.outcomes if one.result is Result.ACCEPTED and one.problems]
    if not (lost or refused or unverified):
        return RunStatus.DELIVERED, ExitCode.OK
    is_kept = bool(lost) and all(outcome.kept for outcome in lost)
    status = RunStatus.KEPT if is_kept and not refused else RunStatus.NOT_DELIVERED
    forgiven = settings.on_failure == "ignore" or (settings.on_failure == "keep" and is_kept)
    return status, ExitCode.OK if forgiven and not (refused or unverified) else ExitCode.JIRA
