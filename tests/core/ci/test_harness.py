"""Reading a Harness run from its variables."""

from __future__ import annotations

import pytest

from jira_ci_core.ci.harness import jira_ci_read_pipeline as read

RUN = {
    "HARNESS_ACCOUNT_ID": "acme",
    "HARNESS_ORG_ID": "default",
    "HARNESS_PROJECT_ID": "shop",
    "HARNESS_PIPELINE_ID": "checkout",
    "HARNESS_STAGE_ID": "build",
    "HARNESS_BUILD_ID": "42",
    "DRONE": "true",
    "DRONE_BUILD_NUMBER": "42",
    "DRONE_BUILD_LINK": "https://app.harness.example/run/42",
    "DRONE_BUILD_STATUS": "SUCCESS",
    "DRONE_COMMIT_BRANCH": "main",
    "DRONE_COMMIT_SHA": "8a7b6c5d",
    "DRONE_COMMIT_BEFORE": "1111111",
    "DRONE_COMMIT_MESSAGE": "[MYT-1] Title",
    "DRONE_REPO": "acme/shop",
    "DRONE_REPO_LINK": "https://git.example/acme/shop",
}


@pytest.mark.parametrize("pipeline", ["", None, "null", "<+pipeline.identifier>"])
def test_without_the_pipelines_id_it_is_not_recognised(pipeline):
    assert read({**RUN, "HARNESS_PIPELINE_ID": pipeline} if pipeline is not None else {"DRONE": "true"}) is None


def test_the_facts_of_a_push():
    assert read(RUN).model_dump(exclude={"origins", "partial"}, exclude_none=True) == {
        "ci": "Harness",
        "number": "42",
        "url": "https://app.harness.example/run/42",
        "status": "SUCCESS",
        "publishes_status": True,
        "id": "acme/default/shop/checkout",
        "name": "checkout",
        "branch": "main",
        "sha": "8a7b6c5d",
        "commit_before": "1111111",
        "message": "[MYT-1] Title",
        "repository": "acme/shop",
        "repository_url": "https://git.example/acme/shop",
    }


@pytest.mark.parametrize(
    ("field", "variables"),
    [
        ("number", ("HARNESS_BUILD_ID", "CI_BUILD_NUMBER", "DRONE_BUILD_NUMBER")),
        ("status", ("DRONE_BUILD_STATUS", "CI_BUILD_STATUS")),
        ("message", ("DRONE_COMMIT_MESSAGE", "CI_COMMIT_MESSAGE")),
        ("sha", ("DRONE_COMMIT_SHA", "DRONE_COMMIT", "CI_COMMIT_SHA")),
        ("branch", ("DRONE_COMMIT_BRANCH", "DRONE_BRANCH", "CI_COMMIT_BRANCH")),
        ("url", ("CI_BUILD_LINK", "DRONE_BUILD_LINK")),
        ("workspace", ("DRONE_WORKSPACE", "HARNESS_WORKSPACE")),
        ("tag", ("DRONE_TAG",)),
        ("version", ("DRONE_SEMVER",)),
    ],
)
@pytest.mark.parametrize("unset", ["", "null", "<+pipeline.x>"])
def test_a_fact_comes_from_the_first_variable_that_is_set(field, variables, unset):
    environ = {"HARNESS_PIPELINE_ID": "checkout", **{name: f"c0ffee{place}" for place, name in enumerate(variables)}}
    for place, name in enumerate(variables):
        run = read(environ)
        assert getattr(run, field) == f"c0ffee{place}"
        assert run.origins[field] == name
        environ[name] = unset
    assert getattr(read(environ), field) is None


def test_harness_has_no_variable_for_an_environment():
    assert read(RUN | {"DRONE_DEPLOY_TO": "prod"}).environment is None


def test_in_a_pull_request_the_branch_is_its_source():
    run = read(
        RUN
        | {
            "DRONE_PULL_REQUEST": "7",
            "DRONE_PULL_REQUEST_TITLE": "MYT-2",
            "DRONE_SOURCE_BRANCH": "refs/heads/myt-3",
            "DRONE_TARGET_BRANCH": "refs/heads/main",
        }
    )
    assert (run.branch, run.target_branch, run.pull_request_title) == ("myt-3", "main", "MYT-2")


def test_for_a_tag_there_is_no_branch():
    run = read(RUN | {"DRONE_COMMIT_BRANCH": "refs/tags/v1"})
    assert (run.branch, run.tag) == (None, "v1")


@pytest.mark.parametrize("unset", ["", "null", "<+org.identifier>"])
def test_the_identity_consists_of_the_parts_that_are_set(unset):
    run = read(RUN | {"HARNESS_ORG_ID": unset})
    assert run.id == "acme/shop/checkout"
    assert run.origins["id"] == "HARNESS_ACCOUNT_ID, HARNESS_PROJECT_ID, HARNESS_PIPELINE_ID"


def test_the_identity_is_the_same_in_every_stage():
    assert read(RUN).id == read(RUN | {"HARNESS_STAGE_ID": "deploy", "DRONE_STAGE_NAME": "x"}).id


def test_it_is_looked_for_before_drone_whose_variables_it_sets(started):
    assert started().read_pipeline(environ=RUN).ci == "Harness"
    assert started(disable_plugins="harness").read_pipeline(environ=RUN).ci == "Drone"
