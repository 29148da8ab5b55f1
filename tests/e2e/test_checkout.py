"""Runs without a CI, and CIs that leave out facts the checkout has."""

from __future__ import annotations

import os
import subprocess

import pytest

GIVEN = {"project": "MYT", "run_number": 5, "state": "successful"}


@pytest.fixture
def plain(step, jira, oauth):
    """A step on a machine without any CI, pointed at the local Jira, with OAuth credentials."""
    step.environ |= oauth | {"PLUGIN_INSTANCE": jira.url, "PLUGIN_API_URL": jira.url}
    return step


def head(folder):
    """The commit that is checked out."""
    command = ["git", "rev-parse", "HEAD"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True).stdout.decode().strip()


def test_a_plain_checkout_is_enough_with_number_and_state(plain, jira, checkout):
    folder = checkout("Let people pay\n\nJira: myt-8", branch="feature/MYT-9", remote="git@git.example:acme/shop.git")
    done = plain(**GIVEN)
    assert done.code == 0, done.text
    [build] = jira.builds()
    commit = head(folder)
    assert build["issueKeys"] == ["MYT-8", "MYT-9"]
    assert (build["pipelineId"], build["buildNumber"], build["state"]) == ("checkout/acme/shop", 5, "successful")
    assert build["url"] == f"https://git.example/acme/shop/commit/{commit}"
    assert build["references"] == [
        {
            "commit": {"id": commit, "repositoryUri": "https://git.example/acme/shop"},
            "ref": {"name": "feature/MYT-9", "uri": "https://git.example/acme/shop/tree/feature/MYT-9"},
        }
    ]


@pytest.mark.usefixtures("in_process")
class TestNoCi:
    """Without a CI or a repository, settings must say everything."""

    def test_without_git_too_the_settings_say_it_all(self, plain, jira):
        done = plain(issuekeys="MYT-3", pipeline="acme/shop", link="https://ci.example/5", **GIVEN)
        assert done.code == 0, done.text
        [build] = jira.builds()
        assert (build["pipelineId"], build["buildNumber"], build["url"]) == ("acme/shop", 5, "https://ci.example/5")
        assert "references" not in build

    @pytest.mark.parametrize("missing", ["PIPELINE", "RUN_NUMBER", "LINK", "STATE"])
    def test_each_that_is_missing_is_named(self, plain, jira, failed, missing):
        given = GIVEN | {"issuekeys": "MYT-3", "pipeline": "acme/shop", "link": "https://ci.example/5"}
        failure = failed(plain(**given | {missing.lower(): None}), 2)
        assert failure.what == f"{missing} is not set"
        assert f"set {missing}" in failure.do
        assert jira.requests() == []

    def test_a_deployment_works_as_well(self, plain, jira, checkout):
        checkout("MYT-8", remote="https://me:password@git.example/acme/shop.git")
        done = plain(environment_name="prod", log_level="debug", **GIVEN)
        assert done.code == 0, done.text
        [deployment] = jira.deployments()
        assert deployment["deploymentSequenceNumber"] == 5
        assert "password" not in str(deployment) + done.text

    def test_without_a_remote_pipeline_and_link_are_needed(self, plain, jira, checkout, failed):
        checkout("MYT-8")
        assert "PIPELINE is not set" in failed(plain(**GIVEN), 2).what
        assert "LINK is not set" in failed(plain(pipeline="acme/shop", **GIVEN), 2).what
        assert plain(pipeline="acme/shop", link="https://ci.example/5", **GIVEN).code == 0
        assert len(jira.builds()) == 1

    def test_without_git_on_the_path_the_settings_still_do(self, plain, jira, tmp_path):
        given = GIVEN | {"issuekeys": "MYT-3", "pipeline": "acme/shop", "link": "https://ci.example/5"}
        done = plain(environ={"PATH": str(tmp_path)}, **given)
        assert done.code == 0, done.text

    def test_a_repository_without_commits_is_none(self, plain, failed):
        environ = {"PATH": os.environ["PATH"], "HOME": str(plain.folder)}
        subprocess.run(["git", "init", "-q"], cwd=plain.folder, env=environ, check=True)
        assert "PIPELINE is not set" in failed(plain(issuekeys="MYT-1", **GIVEN), 2).what

    def test_the_checkout_can_be_disabled(self, plain, checkout, jira):
        checkout("MYT-8", remote="https://git.example/acme/shop")
        done = plain(disable_plugins="checkout,git", pipeline="p", link="https://ci.example/5", **GIVEN)
        assert "no issue key was found" in done.err
        assert jira.requests() == []


@pytest.mark.usefixtures("in_process")
class TestFilling:
    """The checkout fills what Harness leaves empty; what Harness says wins."""

    @pytest.mark.parametrize("nothing", [None, "", "null", "<+codebase.commitMessage>", "<+trigger.<+x>.message>"])
    def test_the_message(self, harness_oauth, jira, checkout, nothing):
        checkout("MYT-55: from the checkout")
        done = harness_oauth(environ={"DRONE_COMMIT_MESSAGE": nothing, "DRONE_COMMIT_SHA": None})
        assert done.code == 0, done.text
        assert [build["issueKeys"] for build in jira.builds()] == [["MYT-55"]]

    def test_the_message_is_that_of_the_commit_that_ci_names(self, harness_oauth, jira, checkout):
        first = head(checkout("MYT-55: the one that is built"))
        checkout("MYT-56: a later one")
        done = harness_oauth(environ={"DRONE_COMMIT_MESSAGE": None, "DRONE_COMMIT_SHA": first[:8]})
        assert done.code == 0, done.text
        assert [build["issueKeys"] for build in jira.builds()] == [["MYT-55"]]

    def test_what_ci_says_wins(self, harness_oauth, jira, checkout):
        checkout("MYT-55", branch="MYT-56", remote="https://elsewhere.example/x/y")
        done = harness_oauth()
        assert done.code == 0, done.text
        [build] = jira.builds()
        assert build["issueKeys"] == ["MYT-1"]
        assert build["references"][0]["commit"]["repositoryUri"] == "https://git.example/acme/shop"

    def test_the_branch_and_the_repository(self, harness_oauth, jira, checkout):
        folder = checkout("MYT-55", branch="feature/MYT-56", remote="https://git.example/a/b.git")
        nothing = ["DRONE_COMMIT_MESSAGE", "DRONE_COMMIT_SHA", "DRONE_BRANCH", "DRONE_COMMIT_BRANCH", "DRONE_REPO_LINK"]
        done = harness_oauth("--format", "json", environ=dict.fromkeys(nothing))
        assert done.code == 0, done.text
        [build] = jira.builds()
        assert build["issueKeys"] == ["MYT-55", "MYT-56"]
        assert build["references"][0]["commit"] == {"id": head(folder), "repositoryUri": "https://git.example/a/b"}
        origins = done.json["pipeline"]["origins"]
        assert (origins["message"], origins["branch"], origins["number"]) == (
            "checkout",
            "checkout",
            "HARNESS_BUILD_ID",
        )

    def test_the_checkout_of_the_workspace_is_meant(self, harness_oauth, jira, checkout, tmp_path):
        where = checkout("MYT-57", folder=tmp_path / "workspace")
        nothing = {"DRONE_COMMIT_MESSAGE": None, "DRONE_COMMIT_SHA": None, "DRONE_WORKSPACE": str(where)}
        assert harness_oauth(environ=nothing).code == 0
        assert [build["issueKeys"] for build in jira.builds()] == [["MYT-57"]]

    def test_the_branch_of_the_checkout_is_not_that_of_a_pull_request(self, harness_oauth, jira, checkout):
        checkout("MYT-55", branch="MYT-56")
        environ = {"DRONE_PULL_REQUEST": "3", "DRONE_SOURCE_BRANCH": None, "DRONE_COMMIT_BRANCH": "main"}
        assert harness_oauth(environ=environ).code == 0
        assert [build["issueKeys"] for build in jira.builds()] == [["MYT-1"]]

    @pytest.mark.parametrize("nothing", ["", "null", "<+pipeline.sequenceId>"])
    def test_another_variable_serves_where_the_first_says_nothing(self, harness_oauth, jira, nothing):
        done = harness_oauth(environ={"HARNESS_BUILD_ID": nothing, "DRONE_BUILD_NUMBER": "12"})
        assert done.code == 0, done.text
        assert [build["buildNumber"] for build in jira.builds()] == [12]
