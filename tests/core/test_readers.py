"""Reading what a CI's variables say."""

from __future__ import annotations

import pytest

from jira_ci_core import read_facts
from jira_ci_core.readers import commit_before, short_ref

TABLE = {"number": ("BUILD_ID", "BUILD_NUMBER"), "branch": ("BRANCH",)}


def test_the_first_variable_that_is_set_wins_and_is_named():
    environ = {"BUILD_ID": "1", "BUILD_NUMBER": "2", "BRANCH": " main "}
    assert read_facts(environ, TABLE) == (
        {"number": "1", "branch": "main"},
        {"number": "BUILD_ID", "branch": "BRANCH"},
    )


@pytest.mark.parametrize("empty", ["", " ", "null", "<+pipeline.executionId>", "<+a.<+b>>"])
def test_what_is_not_set_is_passed_over(empty):
    facts, origins = read_facts({"BUILD_ID": empty, "BUILD_NUMBER": "2", "BRANCH": empty}, TABLE)
    assert facts == {"number": "2"}
    assert origins == {"number": "BUILD_NUMBER"}


def test_a_text_that_only_mentions_an_expression_is_kept():
    assert read_facts({"BRANCH": "fix <+x> again"}, TABLE)[0] == {"branch": "fix <+x> again"}


@pytest.mark.parametrize(
    ("before", "sha", "known"),
    [
        ("1111111", "2222222", "1111111"),
        ("1111111", None, "1111111"),
        (None, "2222222", None),
        ("", "2222222", None),
        ("0" * 40, "2222222", None),
        ("0", "2222222", None),
        ("null", "2222222", None),
        ("2222222", "2222222", None),
        ("2222222333", "2222222", None),
        ("2222222", "2222222333", None),
        ("ABCDEF0", "abcdef0123", None),
    ],
)
def test_the_commit_before_is_known_only_where_it_is_another_one(before, sha, known):
    assert commit_before(before, sha) == known


@pytest.mark.parametrize(
    ("ref", "branch"),
    [
        ("refs/heads/feature/x", "feature/x"),
        ("feature/x", "feature/x"),
        ("refs/tags/v1", None),
        ("refs/pull/3/head", None),
        ("references", "references"),
        (None, None),
    ],
)
def test_a_branch_is_shown_without_its_prefix_and_no_other_ref_is_one(ref, branch):
    assert short_ref(ref) == branch
