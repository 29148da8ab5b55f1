"""Which state is shown, who a run is, and what happens where no key is found."""

from __future__ import annotations

import time

import pytest

pytestmark = pytest.mark.usefixtures("in_process")


def states(jira):
    return [one["state"] for one in jira.builds() + jira.deployments()]


class TestState:
    """STATE is decided on mapped states, and success is never assumed."""

    @pytest.mark.parametrize("state", ["successful", "SUCCESS", "ok"])
    @pytest.mark.parametrize("status", ["FAILURE", "failed", "killed", "CANCELED"])
    def test_a_failed_run_is_never_shown_as_successful(self, harness_oauth, jira, state, status):
        done = harness_oauth(state=state, environ={"DRONE_BUILD_STATUS": status})
        assert done.code == 0, done.text
        assert f"skipped: STATE says successful and Harness says {status}" in done.err
        assert "STATE_POLICY=force" in done.err
        assert jira.requests() == []

    @pytest.mark.parametrize(
        ("state", "status", "said"),
        [("skipped", "SUCCESS", "STATE says skipped"), (None, "Skipped", "Harness says Skipped")],
    )
    def test_a_run_that_was_skipped_is_not_shown(self, harness_oauth, jira, state, status, said):
        done = harness_oauth(**{"state": state} if state else {}, environ={"DRONE_BUILD_STATUS": status})
        assert done.code == 0, done.text
        assert f"skipped: {said}, so nothing happened: the update is left out" in done.err
        assert jira.requests() == []

    def test_unless_that_is_forced(self, harness_oauth, jira):
        done = harness_oauth(state="successful", state_policy="force", environ={"DRONE_BUILD_STATUS": "FAILURE"})
        assert done.code == 0, done.text
        assert states(jira) == ["successful"]

    @pytest.mark.parametrize("status", ["SUCCESS", "RUNNING", "pending", "", "mysterious", None])
    def test_success_is_shown_where_ci_does_not_say_otherwise(self, harness_oauth, jira, status):
        done = harness_oauth(state="successful", environ={"DRONE_BUILD_STATUS": status})
        assert done.code == 0, done.text
        assert states(jira) == ["successful"]

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("in_progress", "in_progress"),
            ("In Progress", "in_progress"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("pending", "pending"),
            ("unknown", "unknown"),
        ],
    )
    @pytest.mark.parametrize("status", ["SUCCESS", "FAILURE"])
    def test_any_other_state_is_shown_whatever_ci_says(self, harness_oauth, jira, word, state, status):
        done = harness_oauth(state=word, environ={"DRONE_BUILD_STATUS": status})
        assert done.code == 0, done.text
        assert states(jira) == [state]

    def test_a_deployment_can_be_rolled_back(self, harness_oauth, jira):
        assert harness_oauth(state="rolled_back", environment_name="prod").code == 0
        assert states(jira) == ["rolled_back"]

    def test_a_build_cannot(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(state="rollback"), 2)
        assert "STATE cannot be 'rollback' here" in failure.what
        assert "ENVIRONMENT_NAME" in failure.do
        assert jira.requests() == []

    def test_a_word_that_no_table_knows_is_an_error_listing_those_that_are_known(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(state="great"), 2)
        assert "great" in failure.what
        for word in ("successful", "in_progress", "rolled_back", "aborted"):
            assert word in failure.do
        assert jira.requests() == []

    @pytest.mark.parametrize(
        ("status", "state"),
        [("SUCCESS", "successful"), ("FAILURE", "failed"), ("aborted", "cancelled"), ("running", "in_progress")],
    )
    def test_without_state_it_is_what_ci_says(self, harness_oauth, jira, status, state):
        assert harness_oauth(environ={"DRONE_BUILD_STATUS": status}).code == 0
        assert states(jira) == [state]

    @pytest.mark.parametrize("status", ["", "null", None, "<+pipeline.status>"])
    def test_an_empty_status_is_a_run_in_progress(self, harness_oauth, jira, status):
        done = harness_oauth(environ={"DRONE_BUILD_STATUS": status})
        assert done.code == 0, done.text
        assert states(jira) == ["in_progress"]

    def test_a_status_that_no_table_knows_is_unknown_with_a_warning(self, harness_oauth, jira):
        done = harness_oauth(environ={"DRONE_BUILD_STATUS": "mysterious"})
        assert done.code == 0, done.text
        assert states(jira) == ["unknown"]
        assert "warning: Harness says 'mysterious'" in done.err

    def test_a_ci_that_publishes_none_needs_state(self, step, jira, oauth, checkout, failed):
        checkout("MYT-1 a change", remote="https://git.example/acme/shop")
        step.environ |= oauth
        given = {"project": "MYT", "instance": jira.url, "api_url": jira.url, "run_number": 1}
        failure = failed(step(**given), 2)
        assert failure.what == "STATE is not set"
        assert "success is never assumed" in failure.why
        assert jira.requests() == []
        assert step(state="failed", **given).code == 0
        assert states(jira) == ["failed"]


class TestWhoARunIs:
    """The pipeline, the run's number and the address to link to."""

    def test_the_stage_makes_no_difference_in_harness(self, harness_oauth, jira):
        harness_oauth(environ={"HARNESS_STAGE_ID": "build"})
        harness_oauth(environ={"HARNESS_STAGE_ID": "deploy"})
        assert [build["pipelineId"] for build in jira.builds()] == ["harness/acme/default/shop/checkout"]

    def test_in_drone_it_is_repository_and_stage(self, harness_oauth, jira):
        drone = {name: None for name in harness_oauth.environ if name.startswith("HARNESS_")}
        harness_oauth(environ=drone | {"DRONE_STAGE_NAME": "release"})
        harness_oauth(environ=drone)
        assert [build["pipelineId"] for build in jira.builds()] == ["drone/acme/shop/release", "drone/acme/shop"]
        assert [build["buildNumber"] for build in jira.builds()] == [42, 42]

    @pytest.mark.parametrize("environment", [None, "prod"])
    @pytest.mark.parametrize("number", ["b5f1a2c3-0000-4d1e-9f00-abcdef012345", "1.4.42"])
    def test_a_number_that_is_no_integer_needs_run_number(self, harness_oauth, jira, failed, environment, number):
        environ = {"HARNESS_BUILD_ID": number}
        failure = failed(harness_oauth(environment_name=environment, environ=environ), 2)
        assert failure.what == "RUN_NUMBER is not set"
        assert jira.requests() == []
        assert harness_oauth(environment_name=environment, run_number=5, environ=environ).code == 0
        assert [
            (one.get("buildNumber"), one.get("deploymentSequenceNumber")) for one in jira.builds() + jira.deployments()
        ] in (
            [(5, None)],
            [(None, 5)],
        )

    def test_a_build_without_a_number_has_the_time_and_a_deployment_needs_run_number(self, harness_oauth, jira, failed):
        none = {"HARNESS_BUILD_ID": None, "DRONE_BUILD_NUMBER": "null"}
        failure = failed(harness_oauth(environment_name="prod", environ=none), 2)
        assert failure.what == "RUN_NUMBER is not set"
        assert jira.requests() == []
        began = int(time.time())
        done = harness_oauth(environ=none)
        assert "unless RUN_NUMBER is set" in done.err
        assert began <= jira.builds()[0]["buildNumber"] <= time.time()

    def test_link_comes_first_then_the_run_then_the_commit(self, harness_oauth, jira):
        no_run = {"DRONE_BUILD_LINK": "<+pipeline.executionUrl>"}
        for settings in ({"link": "https://ci.example/ü?a=1"}, {}, {"environ": no_run}):
            done = harness_oauth(**settings)
            assert done.code == 0, done.text
        commit = "https://git.example/acme/shop/commit/8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b"
        sent = [request["body"]["builds"][0]["url"] for request in jira.requests("bulk")]
        assert sent == ["https://ci.example/%C3%BC?a=1", "https://app.harness.example/run/42", commit]

    def test_without_any_address_the_error_names_link(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(environ={"DRONE_BUILD_LINK": None, "DRONE_REPO_LINK": None}), 2)
        assert failure.what == "LINK is not set"
        assert jira.requests() == []


class TestNoKey:
    """No key is a warning, or a failure for those who gate on it; nothing is sent either way."""

    NONE = {"DRONE_COMMIT_MESSAGE": "Let people pay, see XMYT-1, MYT-0 and OTHER-5"}

    def test_it_is_a_warning_with_a_reason_and_a_remedy(self, harness_oauth, jira):
        done = harness_oauth(environ=self.NONE)
        assert done.code == 0, done.text
        assert "warning: no issue key was found, so nothing was sent" in done.err
        assert f'the commit message "{self.NONE["DRONE_COMMIT_MESSAGE"]}"' in done.err
        assert "seen of other projects: XMYT-1, OTHER-5" in done.err
        assert "do:  write a key such as [MYT-1234]" in done.err
        assert jira.requests() == []

    def test_it_fails_where_that_is_asked_for(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(on_no_issue="fail", environ=self.NONE), 1)
        assert failure.what == "no issue key was found"
        assert jira.requests() == []

    def test_what_is_wrong_besides_is_still_an_error(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(environ=self.NONE, state="great"), 2)
        assert failure.what == "STATE cannot be 'great'"
        assert jira.requests() == []
