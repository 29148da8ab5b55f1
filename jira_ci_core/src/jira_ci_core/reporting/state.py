"""Which state is shown: STATE if it is set, else CI's own status; and when an update is left out."""

from __future__ import annotations

import logging
from typing import NamedTuple

from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Kind, Pipeline, SkipReason, State
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)


class Decision(NamedTuple):
    """The state to show, or why this update is left out."""

    state: State
    skipped: str | None = None
    skip_reason: SkipReason | None = None


def decide_state(plugins: Plugins, pipeline: Pipeline, kind: Kind, settings: Settings) -> Decision:
    """Decide on mapped states; success is never assumed.

    Raises SettingsError if STATE is a word that no table knows or one that builds do not have, and if neither
    STATE nor this CI says anything.
    """
    wanted = wanted_state(plugins, pipeline, kind, settings)
    if isinstance(wanted, SkipReason):
        return _nothing_happened(f"STATE says {settings.state}")
    if wanted is not None and settings.state_policy == "force":
        return Decision(wanted)
    if build_has_failed(pipeline, kind):
        of_ci: State | SkipReason | None = State.FAILED
        told = f"that {pipeline.failed_stages} failed"
    else:
        told = pipeline.status or ""
        of_ci = plugins.map_state(told, kind, pipeline, settings) if told else None
    if isinstance(of_ci, SkipReason):
        if wanted in (None, State.SUCCESSFUL):
            return _nothing_happened(f"{pipeline.ci} says {told}")
        of_ci = None
    if wanted is None:
        return Decision(_state_of_ci(pipeline, kind, of_ci))
    if wanted is State.SUCCESSFUL and of_ci in (State.FAILED, State.CANCELLED):
        why = f"STATE says {wanted} and {pipeline.ci} says {told}: the update is left out"
        return Decision(wanted, f"{why} (STATE_POLICY=force shows it all the same)", SkipReason.STATE)
    return Decision(wanted)


def build_has_failed(pipeline: Pipeline, kind: Kind) -> bool:
    """Whether a stage before this one failed: no later stage mends the build, though it may deploy."""
    return kind is Kind.BUILD and pipeline.failed_stages is not None


def _nothing_happened(why: str) -> Decision:
    return Decision(State.UNKNOWN, f"{why}, so nothing happened: the update is left out", SkipReason.NOTHING_HAPPENED)


def wanted_state(plugins: Plugins, pipeline: Pipeline, kind: Kind, settings: Settings) -> State | SkipReason | None:
    """What STATE means, or None. Raises SettingsError if no table knows it, or builds do not have it."""
    if settings.state is None:
        return None
    wanted = plugins.map_state(settings.state, kind, pipeline, settings)
    if wanted is None:
        remedy = f"use one of: {', '.join(plugins.state_words(pipeline.ci))}"
        raise SettingsError(Problem(f"STATE cannot be {settings.state!r}", "it is not a known state", remedy))
    if wanted is State.ROLLED_BACK and kind is Kind.BUILD:
        why = "a build cannot be rolled back, only a deployment can, and ENVIRONMENT_NAME is not set"
        remedy = "set ENVIRONMENT_NAME to the environment that was rolled back, or use another STATE"
        raise SettingsError(Problem(f"STATE cannot be {settings.state!r} here", why, remedy))
    return wanted


def _state_of_ci(pipeline: Pipeline, kind: Kind, state: State | None) -> State:
    if build_has_failed(pipeline, kind):
        log.info("%s says that %s failed, so this build has", pipeline.ci, pipeline.failed_stages)
        return State.FAILED
    if not pipeline.publishes_status:
        why = f"{pipeline.ci} does not say" if pipeline.is_of_ci else "no CI was recognised"
        why += ", so it is unknown whether this run succeeded, and success is never assumed"
        remedy = "set STATE, for example to successful in the last step and to failed in the one that runs on failure"
        raise SettingsError(Problem("STATE is not set", why, remedy))
    if not pipeline.status:
        return State.IN_PROGRESS
    if state is None or (state is State.ROLLED_BACK and kind is Kind.BUILD):
        warning = "%s says %r, which is not a known state of a %s; shown as unknown"
        log.warning(warning, pipeline.ci, pipeline.status, kind)
        return State.UNKNOWN
    return state
