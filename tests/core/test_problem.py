"""What a user is told of a problem."""

from __future__ import annotations

from jira_ci_core import Problem

PROBLEM = Problem("it broke", "it was old", "buy another")


def test_problem_is_told_in_three_lines():
    assert PROBLEM.lines() == ("error: it broke", "  why: it was old", "  do:  buy another")


def test_first_line_says_whether_it_is_an_error_or_a_warning():
    assert PROBLEM.lines("warning") == ("warning: it broke", "  why: it was old", "  do:  buy another")


def test_redacted_problem_has_no_secret_in_any_part():
    problem = Problem("hidden broke", "hidden was old", "hide hidden")
    redacted = problem.redacted(lambda text: text.replace("hidden", "***"))
    assert redacted == Problem("*** broke", "*** was old", "hide ***")
