"""Which state is shown, and when an update is left out."""

from __future__ import annotations

import logging

import pytest

from jira_ci_core import Kind, Problem, SettingsError, SkipReason, State
from jira_ci_core.builtin.states import WORDS
from jira_ci_core.reporting.state import decide_state


@pytest.fixture
def decide(started, settings_of, pipeline_of):
    plugins = started()

    def make(kind=Kind.BUILD, *, status=None, publishes_status=True, ci="Drone", **settings):
        run = pipeline_of(ci=ci, status=status, publishes_status=publishes_status)
        return decide_state(plugins, run, kind, settings_of(**settings))

    return make


class TestWithoutState:
    def test_what_ci_says_is_shown(self, decide):
        assert decide(status="SUCCESS").state is State.SUCCESSFUL
        assert decide(status="failure").state is State.FAILED

    def test_nothing_yet_is_in_progress_where_this_ci_does_say(self, decide):
        assert decide(status=None).state is State.IN_PROGRESS
        assert decide(status="").state is State.IN_PROGRESS

    def test_an_unknown_word_is_shown_as_unknown_with_a_warning(self, decide, caplog):
        assert decide(status="great").state is State.UNKNOWN
        assert "Drone says 'great', which is not a known state" in caplog.text

    def test_a_build_that_ci_calls_rolled_back_is_unknown_and_a_deployment_is_rolled_back(self, decide):
        assert decide(status="rollback").state is State.UNKNOWN
        assert decide(Kind.DEPLOYMENT, status="rollback").state is State.ROLLED_BACK

    @pytest.mark.parametrize(
        ("ci", "why"),
        [("Jenkins", "Jenkins does not say"), ("none", "no CI was"), ("git checkout", "no CI was recognised")],
    )
    def test_a_ci_that_says_none_needs_it_as_success_is_never_assumed(self, decide, ci, why):
        with pytest.raises(SettingsError, match="STATE is not set") as raised:
            decide(ci=ci, publishes_status=False)
        assert why in raised.value.problems[0].why
        assert "never assumed" in raised.value.problems[0].why
        assert "STATE" in raised.value.problems[0].remedy


class TestWithState:
    @pytest.mark.parametrize("status", ["failure", "killed", "ABORTED", "errored"])
    def test_a_failed_run_is_never_shown_as_successful(self, decide, status):
        skipped = decide(status=status, state="ok").skipped
        assert f"Drone says {status}" in skipped
        assert "STATE_POLICY=force" in skipped

    @pytest.mark.parametrize("status", ["failure", "killed"])
    def test_it_is_shown_all_the_same_where_that_is_forced(self, decide, status):
        decision = decide(status=status, state="successful", state_policy="force")
        assert (decision.state, decision.skipped) == (State.SUCCESSFUL, None)

    @pytest.mark.parametrize("status", ["success", "running", "", None, "great", "rollback", "pending"])
    def test_in_every_other_case_it_is_shown(self, decide, status):
        decision = decide(status=status, state="success")
        assert (decision.state, decision.skipped) == (State.SUCCESSFUL, None)

    @pytest.mark.parametrize("word", ["failed", "in_progress", "cancelled", "pending", "unknown"])
    def test_a_state_other_than_successful_is_shown_whatever_ci_says(self, decide, word):
        for status in ("success", "failure"):
            decision = decide(status=status, state=word)
            assert (decision.state, decision.skipped) == (word, None)

    def test_it_is_enough_where_ci_says_none(self, decide):
        assert decide(ci="none", publishes_status=False, state="Passed").state is State.SUCCESSFUL

    def test_an_unknown_word_is_an_error_that_lists_the_words(self, decide):
        with pytest.raises(SettingsError, match="STATE cannot be 'great'") as raised:
            decide(state="great")
        for words in WORDS.values():
            for word in words:
                assert word in raised.value.problems[0].remedy

    def test_rolled_back_needs_an_environment(self, decide):
        with pytest.raises(SettingsError, match="STATE cannot be 'rolled_back' here") as raised:
            decide(state="rolled_back")
        assert "ENVIRONMENT_NAME" in raised.value.problems[0].remedy
        assert decide(Kind.DEPLOYMENT, state="rolled_back").state is State.ROLLED_BACK


class TestNothingHappened:
    """A run, or a deployment, that did not take place is no update."""

    @pytest.mark.parametrize("status", ["skipped", "SKIPPED", "not_run", "Not Run"])
    @pytest.mark.parametrize("settings", [{}, {"state": "successful"}, {"state": "ok", "state_policy": "skip"}])
    def test_where_ci_says_so(self, decide, status, settings):
        decision = decide(status=status, **settings)
        assert decision.skipped == f"Drone says {status}, so nothing happened: the update is left out"
        assert (decision.state, decision.skip_reason) == (State.UNKNOWN, SkipReason.NOTHING_HAPPENED)

    @pytest.mark.parametrize("policy", ["skip", "force"])
    @pytest.mark.parametrize("status", ["success", "failure", None])
    def test_where_state_says_so(self, decide, policy, status):
        decision = decide(Kind.DEPLOYMENT, status=status, state="skipped", state_policy=policy)
        assert decision.skipped == "STATE says skipped, so nothing happened: the update is left out"

    @pytest.mark.parametrize("settings", [{"state": "failed"}, {"state": "ok", "state_policy": "force"}])
    def test_a_state_that_is_set_is_shown_all_the_same(self, decide, settings):
        decision = decide(status="skipped", **settings)
        assert (decision.state, decision.skipped) == (
            State.FAILED if settings["state"] == "failed" else State.SUCCESSFUL,
            None,
        )

    def test_a_plugin_may_say_so_of_its_words(self, install, started, settings_of, pipeline_of):
        code = """
        from jira_ci_core import SkipReason, hookimpl

        @hookimpl
        def jira_ci_map_state(status):
            return SkipReason.NOTHING_HAPPENED if status == "ausgelassen" else None
        """
        install("words", code)
        run = pipeline_of(status="ausgelassen", publishes_status=True)
        assert decide_state(started(), run, Kind.BUILD, settings_of()).skip_reason is SkipReason.NOTHING_HAPPENED


class TestStagesThatFailedBefore:
    """They mean that a build has failed, whatever its own stage says; a deployment is its own stage's."""

    @pytest.fixture
    def after(self, started, settings_of, pipeline_of):
        plugins = started()

        def make(kind, status="success", **settings):
            run = pipeline_of(ci="Harness", status=status, publishes_status=True, failed_stages="build,test")
            return decide_state(plugins, run, kind, settings_of(**settings))

        return make

    @pytest.mark.parametrize("status", ["success", "FAILURE", None, "running", "skipped", "great"])
    def test_a_build_has_failed(self, after, status, caplog):
        caplog.set_level(logging.INFO)
        assert after(Kind.BUILD, status) == (State.FAILED, None, None)
        assert caplog.messages == ["Harness says that build,test failed, so this build has"]

    def test_a_build_is_not_shown_as_successful_unless_that_is_forced(self, after):
        assert after(Kind.BUILD, state="ok").skipped == (
            "STATE says successful and Harness says that build,test failed: the update is left out "
            "(STATE_POLICY=force shows it all the same)"
        )
        assert after(Kind.BUILD, state="ok", state_policy="force") == (State.SUCCESSFUL, None, None)
        assert after(Kind.BUILD, state="in_progress") == (State.IN_PROGRESS, None, None)

    @pytest.mark.parametrize(
        ("status", "state"), [("success", "successful"), ("failure", "failed"), (None, "in_progress")]
    )
    def test_a_deployment_is_what_its_own_stage_says(self, after, status, state):
        assert after(Kind.DEPLOYMENT, status) == (state, None, None)
        assert after(Kind.DEPLOYMENT, state="ok") == (State.SUCCESSFUL, None, None)


def test_a_plugins_word_is_asked_before_the_table(started, settings_of, pipeline_of, install, caplog):
    caplog.set_level(logging.DEBUG)
    install(
        "words",
        """
        from jira_ci_core import State, hookimpl

        @hookimpl
        def jira_ci_map_state(status, kind):
            return {"green": State.SUCCESSFUL, "success": State.UNKNOWN}.get(status)
        """,
    )
    plugins, settings = started(), settings_of()
    for status, state in {"green": "successful", "success": "unknown", "failed": "failed"}.items():
        run = pipeline_of(status=status, publishes_status=True)
        assert decide_state(plugins, run, Kind.BUILD, settings).state == state
    assert decide_state(plugins, run, Kind.BUILD, settings_of(state="green")).skipped


class TestTheWordsOfErrors:
    """What people read where no state can be decided on, in full."""

    def error(self, decide, *arguments, **more):
        with pytest.raises(SettingsError) as caught:
            decide(*arguments, **more)
        return caught.value.problems

    def test_of_a_word_that_no_table_knows(self, decide):
        words = ", ".join(word for words in WORDS.values() for word in words)
        expected = Problem("STATE cannot be 'great'", "it is not a known state", f"use one of: {words}")
        assert self.error(decide, ci="none", state="great") == (expected,)

    def test_of_such_a_word_on_a_ci_that_has_words_of_its_own(self, decide):
        [problem] = self.error(decide, ci="Buildkite", state="great")
        words = problem.remedy.removeprefix("use one of: ").split(", ")
        assert {"successful", "hard_failed", "canceling"} < set(words)
        assert len(words) == len(set(words))

    def test_of_a_build_that_was_rolled_back(self, decide):
        assert self.error(decide, status="success", state="rollback") == (
            Problem(
                "STATE cannot be 'rollback' here",
                "a build cannot be rolled back, only a deployment can, and ENVIRONMENT_NAME is not set",
                "set ENVIRONMENT_NAME to the environment that was rolled back, or use another STATE",
            ),
        )

    @pytest.mark.parametrize(("ci", "who"), [("Jenkins", "Jenkins does not say"), ("none", "no CI was recognised")])
    def test_of_a_run_that_says_nothing(self, decide, ci, who):
        assert self.error(decide, ci=ci, publishes_status=False) == (
            Problem(
                "STATE is not set",
                f"{who}, so it is unknown whether this run succeeded, and success is never assumed",
                "set STATE, for example to successful in the last step and to failed in the one that runs on failure",
            ),
        )

    def test_of_an_update_that_is_left_out(self, decide):
        decision = decide(status="failure", state="ok")
        assert (decision.state, decision.skip_reason) == (State.SUCCESSFUL, SkipReason.STATE)
        assert decision.skipped == (
            "STATE says successful and Drone says failure: the update is left out "
            "(STATE_POLICY=force shows it all the same)"
        )

    def test_of_a_word_of_ci_that_no_table_knows(self, decide, caplog):
        decide(Kind.DEPLOYMENT, status="great")
        expected = "Drone says 'great', which is not a known state of a deployment; shown as unknown"
        assert caplog.messages == [expected]


def test_a_table_of_a_plugin_is_told_all_that_it_may_decide_by(install, started, settings_of, pipeline_of):
    code = """
    from jira_ci_core import State, hookimpl

    @hookimpl
    def jira_ci_map_state(status, kind, pipeline, settings):
        if (status, kind, pipeline.ci, settings.project) == ("great", "build", "Drone", ("MYT",)):
            return State.SUCCESSFUL
    """
    install("words", code)
    run = pipeline_of(ci="Drone", status="great", publishes_status=True)
    assert decide_state(started(), run, Kind.BUILD, settings_of()).state is State.SUCCESSFUL
    assert decide_state(started(), pipeline_of(ci="Drone"), Kind.BUILD, settings_of(state="great")) == (
        State.SUCCESSFUL,
        None,
        None,
    )


def test_no_table_is_asked_what_a_ci_means_that_says_nothing(install, started, settings_of, pipeline_of):
    code = """
    from jira_ci_core import State, hookimpl

    @hookimpl
    def jira_ci_map_state():
        return State.FAILED
    """
    install("words", code)
    run = pipeline_of(ci="Drone", status="", publishes_status=True)
    assert decide_state(started(), run, Kind.BUILD, settings_of()).state is State.IN_PROGRESS
