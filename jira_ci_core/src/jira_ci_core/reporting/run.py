"""The story: what CI knows, which keys, which state, what is reported, who delivers it, who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.config.settings import Settings
from jira_ci_core.config.sources import read_sources
from jira_ci_core.delivery.session import Session, plan_delivery
from jira_ci_core.delivery.site import make_site
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.git.checkout import filled_from_checkout
from jira_ci_core.models import FoundKey, Pipeline, Receipt, Report, Result
from jira_ci_core.net.early import EarlyConnections
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import Runtime, load
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import hint_at_deployment, kind_of, make_reports
from jira_ci_core.reporting.ranking import find_issue_keys
from jira_ci_core.reporting.state import decide_state

NO_KEY = Problem(
    "no issue key was found",
    "neither the pull request's title, the latest commit message, the branch nor a plugin holds one of PROJECT",
    "write a key such as [MYT-1234] into the title or the message, check PROJECT, or set ISSUEKEYS",
)


class RunStatus(StrEnum):
    """The ways a run ends that had settings to work with."""

    DELIVERED = "delivered"
    KEPT = "kept"
    """Not delivered, but in the outbox."""
    NOT_DELIVERED = "not_delivered"
    SKIPPED = "skipped"
    DRY_RUN = "dry_run"


class RunFacts(NamedTuple):
    """What is known before anything is reported."""

    pipeline: Pipeline
    keys: tuple[FoundKey, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The keys alone."""
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

    Raises SettingsError or PluginError, without any secret in it; that nothing could be delivered is an Ending, not
    an error.
    """
    secrets = secrets or Secrets()
    try:
        return report(load(read_sources(environ, flags or {}), secrets), dry_run=dry_run, clock=clock)
    except JiraCiError as error:
        raise type(error)(*(problem.redacted(secrets.redact) for problem in error.problems)) from None


def report(
    runtime: Runtime, *, dry_run: bool = False, clock: Clock = PROCESS_CLOCK, early: EarlyConnections | None = None
) -> RunResult:
    """Tell the whole story, from checked settings to the receipt, while the connections to Jira are being opened.

    `early` are those that were opened ahead of it.
    """
    with plan_delivery(runtime, make_site(runtime.settings), dry_run=dry_run).open(early) as delivery:
        return _report(runtime, delivery, dry_run, clock)


def _report(runtime: Runtime, delivery: Session, dry_run: bool, clock: Clock) -> RunResult:
    plugins, settings = runtime.plugins, runtime.settings

    found = find(runtime)
    decision = decide_state(plugins, found.pipeline, kind_of(settings), settings)
    delivery.plan.check()

    if not found.keys:
        return end(runtime, found, (), no_key())
    if decision.skipped:
        return end(runtime, found, (), Receipt(skipped=decision.skipped))

    reports = make_reports(plugins, found.pipeline, found.names, decision.state, settings, clock)
    if dry_run:
        return RunResult(RunStatus.DRY_RUN, ExitCode.OK, found.pipeline, found.keys, reports)

    return end(runtime, found, reports, send(runtime, delivery, reports))


def find(runtime: Runtime) -> RunFacts:
    """What CI knows of this run, and the keys of the issues it belongs to."""
    pipeline = read_pipeline(runtime.plugins, runtime.environ)
    hint_at_deployment(pipeline, runtime.settings)
    return RunFacts(pipeline, find_issue_keys(runtime.plugins, pipeline, runtime.environ, runtime.settings))


def send(runtime: Runtime, delivery: Session, reports: tuple[Report, ...]) -> Receipt:
    """What became of each report; where there is an outbox it holds them meanwhile."""
    folder = runtime.settings.outbox
    receipt = _deliver_kept(runtime, Path(folder), delivery, reports) if folder else delivery.deliver(reports)
    return delivery.verify(reports, receipt) if runtime.settings.verify else receipt


def _deliver_kept(runtime: Runtime, folder: Path, delivery: Session, reports: tuple[Report, ...]) -> Receipt:
    from jira_ci_core.delivery.outbox import Outbox, deliver_kept

    return deliver_kept(Outbox(folder, runtime.secrets.redact), reports, delivery.deliver)


def no_key() -> Receipt:
    """That nothing was to be delivered, as no key was found."""
    return Receipt(skipped=NO_KEY.what, problems=(NO_KEY,))


def end(runtime: Runtime, found: RunFacts, reports: tuple[Report, ...], receipt: Receipt) -> RunResult:
    """How the step ends; whoever wants to know is told."""
    tell_plugins(runtime, found.pipeline, reports, receipt)
    status, exit_code = status_of(receipt, runtime.settings)
    return RunResult(status, exit_code, found.pipeline, found.keys, reports, receipt)


def tell_plugins(runtime: Runtime, pipeline: Pipeline, reports: tuple[Report, ...], receipt: Receipt) -> None:
    """Have plugins tell others how it ended; what they are handed holds no secret, whoever wrote it there."""
    redact = runtime.secrets.redact
    runtime.plugins.notify(
        "reported",
        pipeline=pipeline.redacted(redact),
        reports=tuple(report.redacted(redact) for report in reports),
        receipt=receipt.redacted(redact),
        settings=runtime.settings,
    )


def status_of(receipt: Receipt, settings: Settings) -> tuple[RunStatus, ExitCode]:
    """What became of the reports as a whole, and the exit code: a refusal always fails, the rest is for ON_FAILURE."""
    if receipt.skipped:
        fails = receipt.skipped == NO_KEY.what and settings.on_no_issue == "fail"
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


def read_pipeline(plugins: Plugins, environ: Mapping[str, str]) -> Pipeline:
    """What CI knows of the run, and the checkout where CI does not. `environ` holds no credential."""
    pipeline: Pipeline = plugins.first("read_pipeline", environ=environ) or Pipeline(ci="none")
    return filled_from_checkout(pipeline, environ) if plugins.is_on("checkout") else pipeline
