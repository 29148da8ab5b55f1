"""The story: what CI knows, which keys, which state, what is reported, who delivers it, who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from jira_ci_core.checkout import filled_from_checkout
from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.delivery import Delivery
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.loader import Loaded, load
from jira_ci_core.models import FoundKey, Pipeline, Receipt, Report, Result
from jira_ci_core.outbox import Outbox, deliver_kept
from jira_ci_core.plugins import Plugins
from jira_ci_core.ranking import find_issue_keys
from jira_ci_core.reports import hint_at_deployment, kind_of, make_reports, make_site
from jira_ci_core.secrets import Secrets
from jira_ci_core.settings import Settings
from jira_ci_core.sources import read_sources
from jira_ci_core.states import decide_state


class How(StrEnum):
    """The ways a run ends that had settings to work with."""

    DELIVERED = "delivered"
    KEPT = "kept"
    """Not delivered, but in the outbox."""
    NOT_DELIVERED = "not_delivered"
    SKIPPED = "skipped"
    DRY_RUN = "dry_run"


@dataclass(frozen=True)
class Ending:
    """How a run ended, and everything that it found and did on the way."""

    how: How
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
) -> Ending:
    """Do what `jira-ci report` does. `flags` are settings by name (`environment_name`), above all other sources.

    Raises SettingsError or PluginError, without any secret in it; that nothing could be delivered is an Ending, not
    an error.
    """
    secrets = secrets or Secrets()
    try:
        return report(load(read_sources(environ, flags or {}), secrets), dry_run=dry_run, clock=clock)
    except JiraCiError as error:
        raise error.of(tuple(problem.redacted(secrets.redact) for problem in error.problems)) from None


def report(loaded: Loaded, *, dry_run: bool = False, clock: Clock = PROCESS_CLOCK) -> Ending:
    """Tell the whole story, from checked settings to the receipt, while the connections to Jira are being opened."""
    with Delivery(loaded, make_site(loaded.settings), dry_run=dry_run) as delivery:
        return _report(loaded, delivery, dry_run, clock)


def _report(loaded: Loaded, delivery: Delivery, dry_run: bool, clock: Clock) -> Ending:
    plugins, settings = loaded.plugins, loaded.settings

    pipeline = read_pipeline(plugins, loaded.environ)
    hint_at_deployment(pipeline, settings)
    keys = find_issue_keys(plugins, pipeline, settings)
    decision = decide_state(plugins, pipeline, kind_of(settings), settings)
    delivery.check()

    skipped = decision.skipped if keys else "no issue key was found"
    if skipped:
        receipt = Receipt(skipped=skipped)
        plugins.notify("reported", pipeline=pipeline, reports=(), receipt=receipt, settings=settings)
        fails = not keys and settings.on_no_issue == "fail"
        return Ending(How.SKIPPED, ExitCode.JIRA if fails else ExitCode.OK, pipeline, keys, (), receipt)

    reports = make_reports(plugins, pipeline, tuple(found.key for found in keys), decision.state, settings, clock)
    if dry_run:
        return Ending(How.DRY_RUN, ExitCode.OK, pipeline, keys, reports)

    receipt = deliver_kept(outbox_of(loaded), reports, delivery.deliver)
    if settings.verify:
        receipt = delivery.verify(reports, receipt)
    plugins.notify("reported", pipeline=pipeline, reports=reports, receipt=receipt, settings=settings)
    how, exit_code = how_it_ended(receipt, settings)
    return Ending(how, exit_code, pipeline, keys, reports, receipt)


def outbox_of(loaded: Loaded) -> Outbox | None:
    """The folder that OUTBOX names; no secret is written to it."""
    return Outbox(Path(loaded.settings.outbox), loaded.secrets.redact) if loaded.settings.outbox else None


def how_it_ended(receipt: Receipt, settings: Settings) -> tuple[How, ExitCode]:
    """What became of the reports as a whole, and the exit code: a refusal always fails, the rest is for ON_FAILURE."""
    lost = [outcome for outcome in receipt.outcomes if outcome.result is Result.NOT_DELIVERED]
    refused = [outcome for outcome in receipt.outcomes if outcome.result is Result.REJECTED]
    unverified = [one for one in receipt.outcomes if one.result is Result.ACCEPTED and one.problems]
    if not (lost or refused or unverified):
        return How.DELIVERED, ExitCode.OK
    is_kept = bool(lost) and all(outcome.kept for outcome in lost)
    how = How.KEPT if is_kept and not refused else How.NOT_DELIVERED
    forgiven = settings.on_failure == "ignore" or (settings.on_failure == "keep" and is_kept)
    return how, ExitCode.OK if forgiven and not (refused or unverified) else ExitCode.JIRA


def read_pipeline(plugins: Plugins, environ: Mapping[str, str]) -> Pipeline:
    """What CI knows of the run, and the checkout where CI does not. `environ` holds no credential."""
    pipeline: Pipeline = plugins.first("read_pipeline", environ=environ) or Pipeline(ci="none")
    return filled_from_checkout(pipeline, environ) if plugins.is_on("checkout") else pipeline
