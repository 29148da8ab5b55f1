"""A step of each CI, with the variables in its documentation, in a checkout, against the local Jira."""

from __future__ import annotations

import os
import subprocess

import pytest

from jira_ci_core.testing.recorded import recorded_runs

RECORDED_COMMIT = "e83c5163316f89bfbde7d9ab23ca2e25604af290"
REMOTE = "git@git.example.com:acme/shop.git"

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def ci(step, jira, oauth, checkout):
    """Runs a recorded step in a checkout of the recorded commit, whose message names MYT-1."""
    folder = checkout("[MYT-1] Let people pay", remote=REMOTE)
    command, environ = ["git", "rev-parse", "HEAD"], {"PATH": os.environ["PATH"], "HOME": str(folder)}
    commit = subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True).stdout.decode().strip()
    step.environ |= oauth | {"PLUGIN_PROJECT": "MYT", "PLUGIN_INSTANCE": jira.url, "PLUGIN_API_URL": jira.url}

    def run(recorded, *arguments, **settings):
        variables = recorded.variables(folder)
        variables = {name: value.replace(RECORDED_COMMIT, commit) for name, value in variables.items()}
        if recorded.shown_as is None:
            settings = {"state": "successful", **settings}
        if "number" not in recorded.facts and "environment_name" not in settings:
            settings = {"run_number": 57, **settings}  # else the time of each step is taken
        return step(*arguments, environ=variables, **settings)

    return run


def test_a_push_becomes_a_build_of_its_pipeline(ci, jira, recorded_push):
    result = ci(recorded_push)
    assert result.code == 0, result.text
    [build] = jira.builds()
    assert build["pipelineId"] == recorded_push.pipeline_id
    assert "MYT-1" in build["issueKeys"]
    assert build["state"] == "successful"
    assert build["url"].replace("%20", " ") == recorded_push.facts["url"]
    assert build["references"]


def test_a_rerun_updates_the_same_build_unless_the_ci_counts_it_as_a_new_run(ci, jira, recorded_push):
    rerun = recorded_push.other("rerun")
    assert ci(recorded_push).code == 0
    if "number" not in rerun.facts:
        return
    assert ci(rerun).code == 0
    assert len(jira.builds()) == (2 if rerun.new_run else 1)


def test_jobs_of_a_matrix_are_separate_builds_if_pipeline_names_the_job(ci, jira, recorded_push):
    for job in ("3.11", "3.12"):
        assert ci(recorded_push, pipeline=f"{recorded_push.pipeline_id}/{job}").code == 0
    assert {build["pipelineId"] for build in jira.builds()} == {
        f"{recorded_push.pipeline_id}/{job}" for job in ("3.11", "3.12")
    }


def test_two_cis_that_build_one_repository_do_not_overwrite_each_other(ci, jira):
    runs = [run for run in recorded_runs() if run.run == "push" and run.facts["id"] == "acme/shop"]
    assert {"travis", "appveyor", "gitlab"} <= {run.reader for run in runs}
    for run in runs:
        assert ci(run, run_number=57).code == 0
    assert {build["pipelineId"] for build in jira.builds()} == {f"{run.reader}/acme/shop" for run in runs}


def test_a_deployment_is_to_the_environment_that_is_named(ci, jira, recorded_push):
    deployment = recorded_push.other("deployment")
    settings = {"environment_name": "blue", "issuekeys": "MYT-1"}
    orderless = "number" not in recorded_push.facts
    if orderless:
        assert "RUN_NUMBER is not set" in ci(deployment, **settings).err
        settings["run_number"] = 57
    result = ci(deployment, **settings)
    assert result.code == 0, result.text
    [reported] = jira.deployments()
    assert reported["pipeline"]["id"] == deployment.pipeline_id
    assert reported["environment"]["displayName"] == "blue"
    # Only GitLab has a variable for the type.
    assert reported["environment"]["type"] == deployment.facts.get("environment_type", "unmapped")
    if orderless:
        assert reported["deploymentSequenceNumber"] == 57


def test_a_failure_is_shown_by_the_status_of_the_ci_or_else_by_state(ci, jira, recorded_push):
    failure = recorded_push.other("failure")
    result = ci(failure, **({} if failure.shown_as else {"state": "failed"}))
    assert result.code == 0, result.text
    assert [build["state"] for build in jira.builds()] == ["failed"]


def test_success_is_not_assumed_if_the_ci_publishes_no_status(ci, jira, recorded_push):
    if recorded_push.shown_as is not None:
        return
    result = ci(recorded_push, state=None)
    assert result.code == 2
    assert "STATE is not set" in result.err
    assert jira.builds() == []


def test_a_pull_request_updates_the_issues_in_its_title_and_branch(ci, jira, recorded_push):
    pull_request = recorded_push.other("pull_request")
    result = ci(pull_request)
    assert result.code == 0, result.text
    [build] = jira.builds()
    facts = str(pull_request.facts)
    assert {"MYT-2", "MYT-3"} & set(build["issueKeys"]) == {key for key in ("MYT-2", "MYT-3") if key in facts}
