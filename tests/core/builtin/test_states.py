"""The words of the built-in `map_state`."""

from __future__ import annotations

from jira_ci_core.builtin.states import WORDS, jira_ci_map_state


def test_the_hook_function_lists_the_words_that_it_knows():
    assert list(jira_ci_map_state.words) == [word for words in WORDS.values() for word in words]
    assert None not in map(jira_ci_map_state, jira_ci_map_state.words)
