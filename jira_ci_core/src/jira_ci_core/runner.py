"""The story: what CI knows, which keys, which state, what is reported, who delivers it, who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jira_ci_core.checkout import filled_from_checkout
from jira_ci_core.clock import PROCESS_CLOCK, Clock
from jira_ci_core.delivery import Delivery
from jira_ci_core.errors import ExitCode
from jira_ci_core.loader import Loaded, load
from jira_ci_core.models import FoundKey, Pipeline, Receipt, Report, Result
from jira_ci_core.plugins import Plugins
from jira_ci_core.ranking import find_issue_keys
from jira_ci_core.reports import hint_at_deployment, kind_of, make_reports, make_site
from jira_ci_core.secrets import Secrets
from jira_ci_core.sources import read_sources
from jira_ci_core.states import decide_state


class How(StrEnum):
    """The ways a run ends that had settings to work with."""

    DELIVERED = "delivered"
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

    Raises SettingsError or PluginError; that nothing could be delivered is an Ending, not an error.
    """
    return report(load(read_sources(environ, flags or {}), secrets or Secrets()), dry_run=dry_run, clock=clock)


def report(loaded: Loaded, *, dry_run: bool = False, clock: Clock = PROCESS_CLOCK) -> Ending:
    """Tell the whole story once, from checked settings to the receipt."""
    plugins, settings = loaded.plugins, loaded.settings
    site = make_site(settings)

    pipeline = read_pipeline(plugins, loaded.environ)
    hint_at_deployment(pipeline, settings)
    keys = find_issue_keys(plugins, pipeline, settings)
    decision = decide_state(plugins, pipeline, kind_of(settings), settings)
    delivery = Delivery(loaded, site, dry_run=dry_run)

    skipped = decision.skipped if keys else "no issue key was found"
    if skipped:
        receipt = Receipt(skipped=skipped)
        plugins.notify("reported", pipeline=pipeline, reports=(), receipt=receipt, settings=settings)
        fails = not keys and settings.on_no_issue == "fail"
        return Ending(How.SKIPPED, ExitCode.JIRA if fails else ExitCode.OK, pipeline, keys, (), receipt)

    reports = make_reports(plugins, pipeline, tuple(found.key for found in keys), decision.state, settings, clock)
    if dry_run:
        return Ending(How.DRY_RUN, ExitCode.OK, pipeline, keys, reports)

    receipt = delivery.deliver(reports)
    plugins.notify("reported", pipeline=pipeline, reports=reports, receipt=receipt, settings=settings)
    done = all(outcome.result in (Result.ACCEPTED, Result.QUEUED) for outcome in receipt.outcomes)
    how, exit_code = (How.DELIVERED, ExitCode.OK) if done else (How.NOT_DELIVERED, ExitCode.JIRA)
    return Ending(how, exit_code, pipeline, keys, reports, receipt)


def read_pipeline(plugins: Plugins, environ: Mapping[str, str]) -> Pipeline:
    """What CI knows of the run, and the checkout where CI does not. `environ` holds no credential."""
    pipeline: Pipeline = plugins.first("read_pipeline", environ=environ) or Pipeline(ci="none")
    return filled_from_checkout(pipeline, environ) if plugins.is_on("checkout") else pipeline
