"""The words of the built-in `map_state`."""

from __future__ import annotations

import pytest

from jira_ci_core import State
from jira_ci_core.builtin.states import WORDS, jira_ci_map_state

SEEN = {
    State.SUCCESSFUL: "success, successful, succeeded, passed, ok, SucceededWithIssues",
    State.FAILED: "failure, failed, error, errored, unstable, timedout, broken, timed_out, timed out",
    State.CANCELLED: "cancelled, canceled, killed, aborted, stopped, terminated, skipped",
    State.IN_PROGRESS: "running, in_progress, started, building, in-progress, In Progress",
    State.PENDING: "pending, waiting, queued, scheduled, blocked, created",
    State.ROLLED_BACK: "rollback, rolled_back, Rolled Back",
}


@pytest.mark.parametrize(
    ("state", "word"), [(state, word) for state, words in SEEN.items() for word in words.split(", ")]
)
def test_a_word_of_a_ci_means(state, word):
    assert jira_ci_map_state(word) is jira_ci_map_state(f" {word.upper()} ") is state


@pytest.mark.parametrize("word", ["", "great", "not_successful", "success!", "un successful"])
def test_a_word_that_no_table_knows_means_nothing(word):
    assert jira_ci_map_state(word) is None


def test_no_word_means_two_states():
    words = [word for words in WORDS.values() for word in words]
    assert len(words) == len(set(words))


def test_the_hook_function_lists_the_words_that_it_knows():
    assert list(jira_ci_map_state.words) == [word for words in WORDS.values() for word in words]
    assert None not in map(jira_ci_map_state, jira_ci_map_state.words)
