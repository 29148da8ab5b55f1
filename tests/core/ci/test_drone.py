"""Reading a Drone run from its variables."""

from __future__ import annotations

import pytest

from jira_ci_core.ci.drone import jira_ci_read_pipeline as read

RUN = {
    "DRONE": "true",
    "DRONE_BUILD_NUMBER": "42",
    "DRONE_BUILD_LINK": "https://drone.example/acme/shop/42",
    "DRONE_BUILD_STATUS": "success",
    "DRONE_BRANCH": "main",
    "DRONE_COMMIT_BRANCH": "main",
    "DRONE_SOURCE_BRANCH": "main",
    "DRONE_TARGET_BRANCH": "main",
    "DRONE_COMMIT_SHA": "8a7b6c5d",
    "DRONE_COMMIT_BEFORE": "1111111",
    "DRONE_COMMIT_MESSAGE": "[MYT-1] Title\n\nBody",
    "DRONE_COMMIT_LINK": "https://git.example/acme/shop/compare/1111111...8a7b6c5d",
    "DRONE_REPO": "acme/shop",
    "DRONE_REPO_LINK": "https://git.example/acme/shop",
    "DRONE_STAGE_NAME": "build",
    "DRONE_WORKSPACE": "/drone/src",
}
PULL_REQUEST = {
    "DRONE_PULL_REQUEST": "7",
    "DRONE_PULL_REQUEST_TITLE": "MYT-2: let people pay",
    "DRONE_SOURCE_BRANCH": "feature/myt-3",
    "DRONE_TARGET_BRANCH": "main",
}


@pytest.mark.parametrize("flag", ["true", "TRUE", "True"])
def test_a_run_is_recognised_by_its_flag_in_any_case(flag):
    assert read({"DRONE": flag}).ci == "Drone"


@pytest.mark.parametrize("environ", [{}, {"DRONE": ""}, {"DRONE": "false"}, {"DRONE_BUILD_NUMBER": ""}])
def test_without_flag_and_number_it_is_not_recognised(environ):
    assert read(environ) is None


def test_a_run_is_recognised_by_its_number_if_the_image_is_run_by_hand():
    assert read({"DRONE_BUILD_NUMBER": "1"}).origins["ci"] == "DRONE_BUILD_NUMBER"


def test_the_facts_of_a_push():
    run = read(RUN)
    assert run.model_dump(exclude={"origins", "partial"}, exclude_none=True) == {
        "ci": "Drone",
        "number": "42",
        "url": "https://drone.example/acme/shop/42",
        "status": "success",
        "publishes_status": True,
        "id": "acme/shop/build",
        "name": "acme/shop/build",
        "branch": "main",
        "sha": "8a7b6c5d",
        "commit_before": "1111111",
        "message": "[MYT-1] Title\n\nBody",
        "commit_url": "https://git.example/acme/shop/compare/1111111...8a7b6c5d",
        "repository": "acme/shop",
        "repository_url": "https://git.example/acme/shop",
        "workspace": "/drone/src",
    }


def test_each_fact_keeps_its_origin_and_no_other_has_one():
    run = read(RUN)
    assert run.origins["number"] == "DRONE_BUILD_NUMBER"
    assert run.origins["branch"] == "DRONE_COMMIT_BRANCH"
    assert run.origins["id"] == "DRONE_REPO, DRONE_STAGE_NAME"
    assert {name for name in run.origins if getattr(run, name) is None} == set()
    assert "target_branch" not in run.origins


def test_in_a_pull_request_the_branch_is_its_source():
    run = read(RUN | PULL_REQUEST)
    assert (run.branch, run.target_branch) == ("feature/myt-3", "main")
    assert (run.pull_request, run.pull_request_title) == ("7", "MYT-2: let people pay")
    assert (run.origins["branch"], run.origins["target_branch"]) == ("DRONE_SOURCE_BRANCH", "DRONE_TARGET_BRANCH")


def test_in_a_pull_request_without_a_source_branch_the_target_is_not_used():
    run = read(RUN | PULL_REQUEST | {"DRONE_SOURCE_BRANCH": "", "DRONE_TARGET_BRANCH": ""})
    assert (run.branch, run.target_branch) == (None, "main")
    assert run.origins["target_branch"] == "DRONE_COMMIT_BRANCH"


@pytest.mark.parametrize("number", ["", "null", "<+codebase.prNumber>"])
def test_a_run_is_a_pull_request_only_if_it_has_a_number(number):
    run = read(RUN | PULL_REQUEST | {"DRONE_PULL_REQUEST": number})
    assert (run.branch, run.target_branch, run.pull_request, run.pull_request_title) == ("main", None, None, None)


@pytest.mark.parametrize(
    ("environ", "tag", "branch", "origin"),
    [
        ({"DRONE_COMMIT_BRANCH": "refs/tags/v1.2"}, "v1.2", None, "DRONE_COMMIT_BRANCH"),
        ({"DRONE_COMMIT_BRANCH": "refs/tags/v1.2", "DRONE_TAG": "v1.3"}, "v1.3", None, "DRONE_TAG"),
        ({"DRONE_TAG": "v1.3"}, "v1.3", "main", "DRONE_TAG"),
        ({"DRONE_COMMIT_BRANCH": "refs/heads/x"}, None, "x", None),
        ({"DRONE_COMMIT_BRANCH": "", "DRONE_BRANCH": "y"}, None, "y", None),
    ],
)
def test_a_tag_may_come_in_place_of_a_branch(environ, tag, branch, origin):
    run = read(RUN | environ)
    assert (run.tag, run.branch, run.origins.get("tag")) == (tag, branch, origin)


@pytest.mark.parametrize("before", ["", "0" * 40, "8a7b6c5d", "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b", "null"])
def test_the_previous_commit_may_be_unknown(before):
    run = read(RUN | {"DRONE_COMMIT_BEFORE": before})
    assert run.commit_before is None
    assert "commit_before" not in run.origins


def test_environment_and_version_are_read():
    run = read(RUN | {"DRONE_DEPLOY_TO": "prod", "DRONE_SEMVER": "1.2.3"})
    assert (run.environment, run.version) == ("prod", "1.2.3")


@pytest.mark.parametrize("status", ["", "null", "<+x>"])
def test_the_status_may_be_empty_at_the_start(status):
    run = read(RUN | {"DRONE_BUILD_STATUS": status})
    assert run.status is None
    assert run.publishes_status


@pytest.mark.parametrize(
    ("environ", "id"),
    [
        ({"DRONE_STAGE_NAME": ""}, "acme/shop"),
        ({"DRONE_STAGE_NAME": "null"}, "acme/shop"),
        ({"DRONE_REPO": "<+x>"}, "build"),
        ({"DRONE_REPO": "", "DRONE_STAGE_NAME": ""}, None),
    ],
)
def test_the_identity_consists_of_the_parts_that_are_set(environ, id):
    run = read(RUN | environ)
    assert run.id == id
    assert ("id" in run.origins) == (id is not None)
