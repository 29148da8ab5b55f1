"""Which state is shown: STATE where it is set, else what CI itself says; and when an update is left out."""

from __future__ import annotations

import logging
from typing import NamedTuple

from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Kind, Pipeline, State
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

NOT_SUCCESSFUL = State.FAILED, State.CANCELLED


class Decision(NamedTuple):
    """The state to show, or why this update is left out."""

    state: State
    skipped: str | None = None


def decide_state(plugins: Plugins, pipeline: Pipeline, kind: Kind, settings: Settings) -> Decision:
    """Decide on mapped states; success is never assumed.

    Raises SettingsError where STATE is a word nobody knows or one that builds do not have, and where neither
    STATE nor this CI says anything.
    """
    wanted = wanted_state(plugins, pipeline, kind, settings)
    if wanted is None:
        return Decision(_of_ci(pipeline, kind, _mapped(plugins, pipeline.status, pipeline, kind, settings)))
    said_by_ci = None
    if settings.state_policy == "skip":
        said_by_ci = _mapped(plugins, pipeline.status, pipeline, kind, settings)
    if wanted is State.SUCCESSFUL and said_by_ci in NOT_SUCCESSFUL:
        return Decision(
            wanted,
            f"STATE says {wanted} and {pipeline.ci} says {pipeline.status}: the update is left out "
            "(STATE_POLICY=force shows it all the same)",
        )
    return Decision(wanted)


def wanted_state(plugins: Plugins, pipeline: Pipeline, kind: Kind, settings: Settings) -> State | None:
    """The state that STATE names; None where it is not set.

    Raises SettingsError where it is a word nobody knows, or one that builds do not have.
    """
    if settings.state is None:
        return None
    wanted = _mapped(plugins, settings.state, pipeline, kind, settings)
    if wanted is None:
        from jira_ci_core.builtin.states import WORDS

        raise SettingsError(
            Problem(
                f"STATE cannot be {settings.state!r}",
                "no table knows that word",
                "use one of: " + ", ".join(word for words in WORDS.values() for word in words),
            )
        )
    if wanted is State.ROLLED_BACK and kind is Kind.BUILD:
        raise SettingsError(
            Problem(
                f"STATE cannot be {settings.state!r} here",
                "a build cannot be rolled back, only a deployment can, and ENVIRONMENT_NAME is not set",
                "set ENVIRONMENT_NAME to the environment that was rolled back, or use another STATE",
            )
        )
    return wanted


def _mapped(plugins: Plugins, word: str | None, pipeline: Pipeline, kind: Kind, settings: Settings) -> State | None:
    """The state of a word; None where there is none, or nobody knows it."""
    if not word:
        return None
    state: State | None = plugins.first("map_state", status=word, kind=kind, pipeline=pipeline, settings=settings)
    return state


def _of_ci(pipeline: Pipeline, kind: Kind, state: State | None) -> State:
    if not pipeline.publishes_status:
        unknown = "no CI was recognised" if pipeline.ci in ("none", "git checkout") else f"{pipeline.ci} does not say"
        raise SettingsError(
            Problem(
                "STATE is not set",
                f"{unknown}, so how this run fares is not known, and success is never assumed",
                "set STATE, for example to successful in the last step and to failed in the one that runs on failure",
            )
        )
    if not pipeline.status:
        return State.IN_PROGRESS
    if state is None or (state is State.ROLLED_BACK and kind is Kind.BUILD):
        log.warning(
            "%s says %r, which no table knows as a state of a %s; shown as unknown", pipeline.ci, pipeline.status, kind
        )
        return State.UNKNOWN
    return state
