"""Errors: an exit code, and what the user is told in three parts."""

from __future__ import annotations

import pytest

from jira_ci_core import Problem, SettingsError


def test_an_error_tells_of_all_its_problems():
    error = SettingsError(Problem("a", "b", "c"), Problem("d", "e", "f"))
    assert [problem.what for problem in error.problems] == ["a", "d"]
    assert str(error) == "a: b; d: e"


@pytest.mark.parametrize("wrong", [(), ("a", "b", "c")], ids=["none", "texts"])
def test_an_error_without_problems_says_how_it_is_made(wrong):
    with pytest.raises(TypeError, match=r"SettingsError\(Problem\(what, why, remedy\)\)"):
        SettingsError(*wrong)
