"""Maps a company's own words to the states of Jira."""

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
    """Return the state of a word, or None for a word that is not the company's. Only deployments are taken back."""
    word = " ".join(status.lower().replace("_", " ").split())
    if word == "taken back" and kind is Kind.DEPLOYMENT:
        return State.ROLLED_BACK
    return STATES.get(word)
