"""Reading a Woodpecker run from its variables."""

from __future__ import annotations

import pytest

from jira_ci_core.ci.woodpecker import jira_ci_read_pipeline as read

RUN = {"CI": "woodpecker", "CI_PIPELINE_NUMBER": "8", "CI_PIPELINE_STATUS": "success"}


@pytest.mark.parametrize("version", ["3.15.1", "v3.16.0", "10.0.0", "next-dd644da3", " 3.15.1 "])
def test_a_status_is_believed_since_it_is_set_again(version):
    assert read({**RUN, "CI_SYSTEM_VERSION": version}).status == "success"


@pytest.mark.parametrize("version", ["3.15.1", "v3.16.0"])
def test_a_variable_of_a_workflow_does_not_make_a_server_old(version):
    assert read({**RUN, "CI_SYSTEM_VERSION": version, "CI_STEP_STATUS": "success"}).status == "success"


@pytest.mark.parametrize("version", ["2.8.3", "v2.0.0", "1.0.5", "0.15.0", "", " "])
def test_a_status_of_a_server_that_always_says_success_is_not_read(version):
    assert read({**RUN, "CI_SYSTEM_VERSION": version}).status is None


def test_a_server_without_a_number_is_as_old_as_its_variables():
    assert read({**RUN, "CI_SYSTEM_VERSION": "next-1f2e3d4c", "CI_STEP_STATUS": "success"}).status is None
    assert read(RUN).status is None


def test_a_commit_of_another_branch_or_pull_request_is_not_the_one_before():
    before = {"CI_PREV_COMMIT_SHA": "1111111", "CI_COMMIT_SHA": "8a7b6c5d"}
    main = {"CI_COMMIT_BRANCH": "main", "CI_PREV_COMMIT_BRANCH": "main"}
    assert read({**RUN, **before, **main}).commit_before == "1111111"
    assert read({**RUN, **before, **main, "CI_PREV_COMMIT_BRANCH": "next"}).commit_before is None
    assert read({**RUN, **before, **main, "CI_COMMIT_SOURCE_BRANCH": "topic"}).commit_before is None
