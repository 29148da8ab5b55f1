"""Maps the words that CI systems and people use for the state of a run to Jira's states."""

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
    """Return the state of a word, in any case, with its parts joined by `_`, `-`, a space or nothing."""
    word = status.strip().lower().replace("-", "_").replace(" ", "_")
    return STATE_OF.get(word) or STATE_OF.get(word.replace("_", ""))


# An error about an unknown STATE lists the `words` of every plugin that has them.
vars(jira_ci_map_state).update(words=tuple(STATE_OF))
