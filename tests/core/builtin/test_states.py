"""The words of the built-in `map_state`."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from jira_ci_core import Pipeline, SkipReason, State
from jira_ci_core.builtin import states
from jira_ci_core.builtin.states import OF_CI, UNRECOGNISED, WORDS, jira_ci_map_state
from jira_ci_core.plugins.catalog import CIS

NOTHING = SkipReason.NOTHING_HAPPENED

SEEN = {
    State.SUCCESSFUL: "success, successful, succeeded, passed, ok, SucceededWithIssues, PartiallySucceeded, neutral, "
    "IgnoreFailed, IGNORE_FAILED",
    State.FAILED: "failure, failed, error, errored, unstable, timedout, broken, timed_out, timed out, TIMEOUT, "
    "infrastructure_fail, startup_failure, internal_error, ApprovalRejected, APPROVALREJECTED, freeze_failed",
    State.CANCELLED: "cancelled, canceled, killed, aborted, stopped, terminated, NOT_BUILT, NotBuilt, EXPIRED, declined",
    State.IN_PROGRESS: "running, in_progress, started, building, in-progress, In Progress",
    State.PENDING: "pending, waiting, queued, scheduled, blocked, created, manual, preparing, action_required, "
    "ApprovalWaiting",
    State.ROLLED_BACK: "rollback, rolled_back, Rolled Back",
    State.UNKNOWN: "unknown",
    NOTHING: "skipped, not_run, NOT-RUN",
}


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    """Mutation testing would not notice a change to what an earlier test has left in the cache."""
    states._words_of.cache_clear()
    states._common_words.cache_clear()


def meaning(word, ci="none"):
    return jira_ci_map_state(word, Pipeline(ci=ci))


@pytest.mark.parametrize(
    ("state", "word"), [(state, word) for state, words in SEEN.items() for word in words.split(", ")]
)
def test_a_word_of_a_ci_means(state, word):
    assert meaning(word) is meaning(f" {word.upper()} ") is state


@pytest.mark.parametrize("word", ["", "great", "not_successful", "success!", "un successful"])
def test_a_word_that_no_table_knows_means_nothing(word):
    assert meaning(word) is None
    assert {meaning(word, ci) for ci in OF_CI} == {None}


@pytest.mark.parametrize(
    ("word", "ci", "state"),
    [
        ("expired", "Harness", State.FAILED),
        ("EXPIRED", "Google Cloud Build", State.CANCELLED),
        ("expired", "none", State.CANCELLED),
        ("broken", "Travis CI", State.FAILED),
        ("broken", "Buildkite", NOTHING),
        ("hard_failed", "Buildkite", State.FAILED),
        ("started_failing", "Buildkite", State.FAILED),
        ("soft_failed", "Buildkite", State.SUCCESSFUL),
        ("neutral", "Buildkite", State.UNKNOWN),
        ("ready", "Buildkite", State.PENDING),
        ("waiting_for_dependencies", "Buildkite", State.PENDING),
        ("ignored", "Buildkite", NOTHING),
        ("Overridden", "AWS CodeBuild", State.SUCCESSFUL),
        ("aborted_with_failure", "Bitrise", State.CANCELLED),
        ("completed", "Cirrus CI", State.SUCCESSFUL),
        ("Completed", "Tekton", State.SUCCESSFUL),
        # Where no CI is known, as in Tekton and Argo Workflows.
        ("Completed", "none", State.SUCCESSFUL),
        ("Completed", "git checkout", State.SUCCESSFUL),
        ("None", "none", NOTHING),
        ("Omitted", "none", NOTHING),
        ("TaskRunTimeout", "none", State.FAILED),
        ("Superseded", "none", State.CANCELLED),
        ("Completed", "Acme CI", None),
        ("completed", "GitHub Actions", State.UNKNOWN),
        ("STATUS_UNKNOWN", "Google Cloud Build", State.UNKNOWN),
        ("done", "Semaphore", State.UNKNOWN),
        ("done", "Drone", None),
        ("finished", "Spacelift", State.SUCCESSFUL),
        ("finished", "CircleCI", State.UNKNOWN),
        ("ready", "Vercel", State.SUCCESSFUL),
        ("READY", "Bitbucket Pipelines", State.PENDING),
        ("none", "Semaphore", State.IN_PROGRESS),
        ("None", "Tekton", NOTHING),
        ("None", "Azure Pipelines", State.UNKNOWN),
        ("none", "Drone", None),
        ("rejected", "Azure Pipelines", State.FAILED),
        ("preparing", "Netlify", State.IN_PROGRESS),
        ("preparing", "GitLab", State.PENDING),
        ("skipped", "Harness", NOTHING),
        # A word of another CI, or of people.
        ("PartiallySucceeded", "Drone", State.SUCCESSFUL),
        ("rolled_back", "Harness", State.ROLLED_BACK),
    ],
)
def test_a_word_that_means_different_things_is_read_by_the_table_of_the_ci(word, ci, state):
    assert meaning(word, ci) is state


@pytest.mark.parametrize("ci", OF_CI)
def test_each_word_of_a_ci_means_there_what_its_table_says_and_one_thing_alone(ci):
    words = [word for words in OF_CI[ci].values() for word in words.split()]
    assert len(words) == len({word.replace("_", "") for word in words})
    for state, words in OF_CI[ci].items():
        for word in words.split():
            assert meaning(word, ci) is meaning(word.replace("_", "-").upper(), ci) is state


def test_every_ci_that_core_reads_has_a_table_and_the_others_are_not_recognised():
    readers = [import_module(f"jira_ci_core.ci.{ci}").jira_ci_read_pipeline for ci in CIS]
    assert {*(reader.ci for reader in readers), *UNRECOGNISED} == set(OF_CI)


def test_each_table_names_its_source():
    source = Path(states.__file__).read_text()
    for ci in OF_CI:
        above, _, _ = source.partition(f'    "{ci}": ')
        comment = re.search(r"((?: *#.*\n)+)$", above) or ci in ("Gitea", "Forgejo")
        assert comment is True or "https://" in comment[1], ci


def test_no_word_means_two_states():
    words = [word for words in WORDS.values() for word in words]
    assert len(words) == len(set(words))


def test_the_hook_function_lists_the_words_that_it_knows():
    assert list(jira_ci_map_state.words) == [word for words in WORDS.values() for word in words]
    assert None not in map(meaning, jira_ci_map_state.words)
