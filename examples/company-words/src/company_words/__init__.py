"""Knows what this company calls the states of its runs."""

from __future__ import annotations

from jira_ci_core import Kind, State, hookimpl

CONTRACT = 1

STATES = {
    "shipped": State.SUCCESSFUL,
    "green": State.SUCCESSFUL,
    "red": State.FAILED,
    "flaky": State.FAILED,
    "baking": State.IN_PROGRESS,
    "on hold": State.PENDING,
    "called off": State.CANCELLED,
}


@hookimpl
def jira_ci_map_state(status: str, kind: Kind) -> State | None:
    """The state of one of our words; only a deployment is ever taken back."""
    word = " ".join(status.lower().replace("_", " ").split())
    if word == "taken back" and kind is Kind.DEPLOYMENT:
        return State.ROLLED_BACK
    return STATES.get(word)
