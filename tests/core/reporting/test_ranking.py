"""What is said if no issue key was found."""

from __future__ import annotations

import os

import pytest

from jira_ci_core.output.redaction import Secrets
from jira_ci_core.reporting.ranking import KeySearch, no_key_problem


@pytest.fixture
def problem(started, pipeline_of, settings_of):
    """The problem of a run with these facts."""

    def make(others=(), environ=None, secrets=(), settings=None, disable="git", **facts):
        masked = Secrets()
        for secret in secrets:
            masked.add(secret)
        plugins = started(disable_plugins=disable)
        environ = {"PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": os.environ["GIT_CEILING_DIRECTORIES"]} | (
            environ or {}
        )
        run, values = pipeline_of(**facts), settings_of(**(settings or {}))
        return no_key_problem(plugins, run, environ, values, KeySearch((), others), masked.shorten)

    return make


def test_it_shows_the_beginning_of_each_text_and_project_as_it_is_set(problem):
    texts = {"pull_request": "7", "pull_request_title": "Let people pay", "branch": "pay"}
    said = problem(message=f"Add a button\n\n{'because ' * 50}", settings={"project": "myt, shop"}, **texts)
    assert said.what == "no issue key was found"
    assert said.why == (
        'no key of PROJECT (MYT, SHOP) is in the pull request title "Let people pay", '
        f'the commit message "Add a button {"because " * 8}…", the branch "pay"'
    )
    assert (
        said.remedy == "write a key such as [MYT-1234] into the title or the message, check PROJECT, or set ISSUEKEYS"
    )


def test_it_names_keys_of_other_projects(problem):
    said = problem(message="OTHER-12, SHOP-1 and OTHER-12", branch="UTF-8", others=("THIRD-3",))
    assert said.why.endswith("; seen of other projects: OTHER-12, SHOP-1, THIRD-3")
    assert "add OTHER, SHOP, THIRD to PROJECT" in said.remedy


def test_it_names_them_in_lower_case_too(problem):
    said = problem(message="fix ops-12 and WEB-4 [SHOP-9], on utf-8 app-1.2 PATH_MAX-1", branch="bugfix_web-5-x")
    assert said.why.endswith("; seen of other projects: OPS-12, WEB-4, SHOP-9, WEB-5")
    assert "add OPS, WEB, SHOP to PROJECT" in said.remedy


def test_a_text_without_end_and_thousands_of_keys_are_cut(problem):
    keys = " ".join(f"P{number}-1 q{number}-1" for number in range(5000))
    said = problem(message=keys, branch="x" * 100_000)
    assert len(str(said)) < 1000
    assert " and 5040 more" in said.why


def test_a_secret_is_masked_before_a_text_is_cut(problem):
    said = problem(message="x" * 74 + " hunter2222 and more", secrets=["hunter2222"])
    assert "hunt" not in said.why


def test_it_says_which_texts_of_a_pull_request_are_not_known(problem):
    said = problem(pull_request="7", message="x", settings={"keys_from": "title,message,description"})
    assert 'is in the commit message "x"; the pull request title is not known; ' in said.why
    assert "the pull request description is not known" in said.why


def test_it_says_which_texts_may_be_cut(problem):
    cut = {"partial": ("message", "pull_request_description"), "settings": {"keys_from": "message,description,branch"}}
    why = problem(
        message="x", pull_request="7", pull_request_description="y", branch="z", disable="git,checkout", **cut
    ).why
    assert "; of the commit message Drone may tell a part only; of the pull request description Drone may" in why


def test_it_names_the_plugins_that_found_none_either(problem):
    assert "; no key was found by git either" in problem(message="x", disable="card").why


class TestAMessageThatGitDoesNotTell:
    """Only then is git asked why."""

    def test_as_there_is_none(self, problem, tmp_path):
        said = problem(environ={"PATH": str(tmp_path)})
        assert said.why.endswith("is in any text; the commit message is not known; there is no git on the PATH")
        assert said.remedy.endswith("set ISSUEKEYS, or install git in this step's image")

    def test_as_it_refuses(self, problem, checkout, folder):
        checkout("MYT-8", folder=folder)
        said = problem(environ={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "HOME": str(folder)})
        assert "(dubious ownership)" in said.why
        assert said.remedy.endswith(f", or run: git config --global --add safe.directory {folder}")

    def test_as_the_clone_is_shallow(self, problem, checkout, folder):
        checkout("MYT-8", folder=folder)
        assert f"{'5' * 40} is not in the checkout in {folder}" in problem(sha="5" * 40).why

    def test_as_there_is_no_repository(self, problem, folder):
        assert f"there is no git repository in {folder}" in problem().why

    def test_is_no_reason_where_the_message_is_known_or_not_searched(self, problem):
        assert "git" not in problem(message="x").why
        assert "git" not in problem(branch="x", settings={"keys_from": "branch"}).why
