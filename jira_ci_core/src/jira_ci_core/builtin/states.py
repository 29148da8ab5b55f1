"""Knows which of Jira's states the words mean that CI systems and people use for the state of a run."""

from __future__ import annotations

from jira_ci_core import State, hookimpl

WORDS = {
    State.SUCCESSFUL: ("successful", "success", "succeeded", "passed", "ok", "succeededwithissues"),
    State.FAILED: ("failed", "failure", "error", "errored", "unstable", "timedout", "broken"),
    State.CANCELLED: ("cancelled", "canceled", "killed", "aborted", "stopped", "terminated", "skipped"),
    State.IN_PROGRESS: ("in_progress", "running", "started", "building"),
    State.PENDING: ("pending", "waiting", "queued", "scheduled", "blocked", "created"),
    State.ROLLED_BACK: ("rolled_back", "rollback"),
    State.UNKNOWN: ("unknown",),
}

STATE_OF = {word: state for state, words in WORDS.items() for word in words}


@hookimpl(trylast=True)
def jira_ci_map_state(status: str) -> State | None:
    """The state of a word, whatever its case and whether its parts are joined by `_`, `-` or a space."""
    word = status.strip().lower().replace("-", "_").replace(" ", "_")
    return STATE_OF.get(word) or STATE_OF.get(word.replace("_", ""))


# For the error about a STATE that no table knows.
vars(jira_ci_map_state).update(words=tuple(STATE_OF))
