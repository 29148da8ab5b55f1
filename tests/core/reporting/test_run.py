"""The story from start to end, in this process and without a network."""

from __future__ import annotations

import logging

import pytest

from jira_ci_core import Deployment, PluginError, SettingsError, run
from jira_ci_core.cli.render import as_json, lines_of, problems_of
from jira_ci_core.clock import Clock
from jira_ci_core.jira_api.bulk import bulk_request
from jira_ci_core.reporting.run import RunStatus
from jira_ci_core.testing import RECORDED
from jira_ci_sandbox import contract

DELIVERS = """
from jira_ci_core import Outcome, Problem, Receipt, Result, hookimpl

NEEDS_SIGN_IN = False

@hookimpl
def jira_ci_deliver(reports):
    return {receipt}
"""

TELLS = """
import logging
from jira_ci_core import hookimpl

@hookimpl
def jira_ci_reported(pipeline, reports, receipt):
    logging.getLogger("hook").info("told of %s: %d, %s", pipeline.ci, len(reports), receipt.skipped)
    logging.getLogger("hook").info("warned of %s", receipt.warnings)
"""


@pytest.fixture
def gitlab(least):
    """A job of GitLab whose commit names MYT-1."""
    own = {"PLUGIN_PROJECT", "PLUGIN_INSTANCE"}
    return {name: value for name, value in least.items() if not name.startswith("PLUGIN_") or name in own} | RECORDED[
        "GitLab"
    ]


@pytest.fixture
def deliver_with(install):
    """Has reports delivered without a network: the answer is this expression."""

    def make(receipt):
        install("delivers", DELIVERS.format(receipt=receipt))

    return make


def test_a_run_of_ci_becomes_a_build(drone):
    ending = run(drone, dry_run=True)
    assert (ending.status, ending.exit_code) == (RunStatus.DRY_RUN, 0)
    assert ending.pipeline.ci == "Drone"
    assert [(key.key, key.source, key.plugin) for key in ending.keys] == [("MYT-1", "commit message", "keys")]
    [report] = ending.reports
    assert report.site.url == "https://acme.atlassian.net"
    assert contract.request_problems(bulk_request(ending.reports), "builds") == []


def test_an_environment_makes_it_a_deployment(drone):
    ending = run(drone | {"PLUGIN_ENVIRONMENT": "prod,qa"}, dry_run=True)
    assert all(isinstance(report.entity, Deployment) for report in ending.reports)
    assert [report.title for report in ending.reports] == [
        "deployment 42 of acme/shop/build to prod",
        "deployment 42 of acme/shop/build to qa",
    ]


def test_a_flag_stands_above_the_environment(drone):
    [report] = run(drone | {"PLUGIN_STATE": "failed"}, {"state": "pending"}, dry_run=True).reports
    assert report.entity.state == "pending"


def test_where_there_is_no_ci_settings_say_it_all(least):
    ending = run(least, dry_run=True)
    assert ending.pipeline.ci == "none"
    assert ending.reports[0].title == "build 7 of acme/shop"


def test_the_checkout_fills_what_ci_leaves_empty(drone, checkout, folder):
    checkout("[MYT-8] From the checkout", folder=folder)
    del drone["DRONE_COMMIT_MESSAGE"], drone["DRONE_COMMIT_SHA"]
    ending = run(drone, dry_run=True)
    assert [key.key for key in ending.keys] == ["MYT-8"]
    assert ending.pipeline.origins["message"] == "checkout"


def test_a_checkout_that_is_off_fills_nothing(drone, checkout, folder):
    checkout("[MYT-8] From the checkout", folder=folder)
    del drone["DRONE_COMMIT_MESSAGE"]
    assert run(drone | {"PLUGIN_DISABLE_PLUGINS": "checkout"}, dry_run=True).keys == ()


def test_two_runs_of_one_process_never_share_a_number(drone):
    numbers = [run(drone, dry_run=True).reports[0].entity.sequence for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_the_clock_may_be_handed_in(drone):
    [report] = run(drone, dry_run=True, clock=Clock(lambda: 5_000_000)).reports
    assert (report.entity.sequence, report.entity.last_updated.isoformat()) == (5, "1970-01-01T00:00:00.005000+00:00")


def test_what_hooks_read_holds_no_secret(drone, install, caplog):
    caplog.set_level(logging.INFO)
    install(
        "reader",
        """
        import logging
        from jira_ci_core import hookimpl

        @hookimpl
        def jira_ci_read_pipeline(environ):
            logging.getLogger("reader").info("saw %s", sorted(environ))
        """,
    )
    run(drone | {"PLUGIN_CLIENT_SECRET": "hunter2222", "CONNECT_KEY": "x", "HTTPS_PROXY": "http://a:b@c"}, dry_run=True)
    assert "DRONE_BUILD_NUMBER" in caplog.text
    for name in ("CLIENT_SECRET", "CONNECT_KEY", "HTTPS_PROXY"):
        assert name not in caplog.text


class TestKeysFrom:
    @pytest.fixture
    def change(self, drone):
        texts = {"TITLE": "MYT-10", "MESSAGE": "MYT-20", "BRANCH": "MYT-30", "DESCRIPTION": "MYT-40", "TAG": "MYT-50"}
        names = {"TITLE": "pull_request_title", "DESCRIPTION": "pull_request_description"}
        facts = {names.get(name, name.lower()): text for name, text in texts.items()}
        return lambda keys_from: run(
            drone | {"PLUGIN_KEYS_FROM": keys_from, "PLUGIN_STATE": "successful", "FACTS": str(facts)}, dry_run=True
        )

    @pytest.fixture(autouse=True)
    def _reader(self, install):
        install(
            "reader",
            """
            import ast
            from jira_ci_core import Pipeline, hookimpl

            @hookimpl
            def jira_ci_read_pipeline(environ):
                facts = ast.literal_eval(environ["FACTS"])
                return Pipeline(ci="x", number="7", url="https://ci.example/7", id="a", **facts)
            """,
        )

    @pytest.mark.parametrize(
        ("keys_from", "keys"),
        [
            ("", ["MYT-10", "MYT-20", "MYT-30"]),
            ("description", ["MYT-40"]),
            ("Tag, branch|TITLE", ["MYT-10", "MYT-30", "MYT-50"]),
            ("description,tag,message,title,branch,title", ["MYT-10", "MYT-20", "MYT-30", "MYT-40", "MYT-50"]),
        ],
    )
    def test_keys_are_searched_for_where_it_says_and_ranked_by_their_place(self, change, keys_from, keys):
        assert [found.key for found in change(keys_from).keys] == keys

    def test_the_source_of_a_key_says_where(self, change):
        assert [found.source for found in change("description,tag").keys] == ["pull request description", "tag"]

    @pytest.mark.parametrize("wrong", ["body", "title,subject"])
    def test_another_word_is_an_error_that_lists_them(self, change, wrong):
        with pytest.raises(SettingsError) as raised:
            change(wrong)
        assert raised.value.problems[0].remedy == "choose from: title, message, branch, description, tag"


class TestSkipping:
    def test_where_no_key_is_found_is_no_failure(self, drone):
        ending = run(drone | {"DRONE_COMMIT_MESSAGE": "no key"}, dry_run=True)
        assert (ending.status, ending.exit_code, ending.reports) == (RunStatus.SKIPPED, 0, ())
        assert ending.receipt.skipped == "no issue key was found"
        assert lines_of(ending)[0] == "warning: no issue key was found, so nothing was sent"
        assert problems_of(ending) == ()

    def test_where_no_key_is_found_may_be_one(self, drone):
        ending = run(drone | {"DRONE_COMMIT_MESSAGE": "no key", "PLUGIN_ON_NO_ISSUE": "fail"}, dry_run=True)
        assert (ending.status, ending.exit_code) == (RunStatus.SKIPPED, 1)
        assert lines_of(ending) == []
        assert [problem.what for problem in problems_of(ending)] == ["no issue key was found"]

    def test_by_state_is_said_in_words(self, drone):
        ending = run(drone | {"DRONE_BUILD_STATUS": "failure", "PLUGIN_STATE": "successful"}, dry_run=True)
        assert (ending.status, ending.exit_code) == (RunStatus.SKIPPED, 0)
        [line] = lines_of(ending)
        assert line.startswith("skipped: STATE says successful and Drone says failure")

    @pytest.mark.parametrize("action", ["stop", "prepare", "verify", "access", "STOP", "restart"])
    @pytest.mark.parametrize("settings", [{}, {"PLUGIN_STATE": "ok", "PLUGIN_STATE_POLICY": "force"}])
    def test_of_a_job_that_deploys_nothing_is_said_in_words(self, gitlab, action, settings):
        deploys = {"CI_ENVIRONMENT_NAME": "Prod", "CI_ENVIRONMENT_ACTION": action}
        for names in ("Prod", "prod", "Prod,qa"):
            ending = run(gitlab | settings | deploys | {"PLUGIN_ENVIRONMENT_NAME": names}, dry_run=True)
            assert (ending.status, ending.exit_code, ending.reports) == (RunStatus.SKIPPED, 0, ())
            assert lines_of(ending) == [
                "skipped: GitLab says that this job does not deploy to Prod "
                "(CI_ENVIRONMENT_ACTION, CI_ENVIRONMENT_NAME): the update is left out"
            ]

    @pytest.mark.parametrize(
        ("action", "name", "kind"),
        [
            ("start", "Prod", "deployment"),
            ("Start", "Prod", "deployment"),
            ("", "Prod", "deployment"),
            ("stop", "blue", "deployment"),
            ("stop", "", "build"),
        ],
    )
    def test_is_for_nothing_else(self, gitlab, action, name, kind):
        deploys = {"CI_ENVIRONMENT_NAME": "Prod", "CI_ENVIRONMENT_ACTION": action, "PLUGIN_ENVIRONMENT_NAME": name}
        [report] = run(gitlab | deploys, dry_run=True).reports
        assert report.entity.kind == kind

    def test_is_told_to_plugins(self, drone, install, caplog, deliver_with):
        caplog.set_level(logging.INFO)
        deliver_with("None")
        install("tells", TELLS)
        run(drone | {"DRONE_COMMIT_MESSAGE": "no key", "PLUGIN_DISABLE_PLUGINS": "http"})
        assert "told of Drone: 0, no issue key was found" in caplog.text

    @pytest.mark.parametrize(
        "end",
        [
            {"DRONE_COMMIT_MESSAGE": "no key"},
            {"DRONE_BUILD_STATUS": "failure", "PLUGIN_STATE": "successful"},
            {},
        ],
        ids=["no key", "state", "something to send"],
    )
    def test_a_dry_run_is_told_to_no_plugin_whatever_its_end(self, drone, install, caplog, end):
        caplog.set_level(logging.INFO)
        install("tells", TELLS)
        run(drone | end, dry_run=True)
        assert "told of" not in caplog.text

    def test_plugins_are_told_of_each_warning_once_and_without_secrets(self, drone, deliver_with, install, caplog):
        caplog.set_level(logging.INFO)
        deliver_with("None")
        install("tells", TELLS)
        warned = {"PLUGIN_STAT": "x", "PLUGIN_LINK": "$(Link)", "PLUGIN_CLIENT_SECRET": "hunter2222"}
        no_key = {"DRONE_COMMIT_MESSAGE": "no key", "PLUGIN_DISABLE_PLUGINS": "http,git"}
        run(drone | no_key | warned | {"PLUGIN_PIPELINE": "hunter2222 $(X)"})
        [told] = [record.args[0] for record in caplog.records if record.message.startswith("warned of")]
        assert [warning.partition(" holds")[0].partition(" is not")[0] for warning in told] == [
            *("PLUGIN_STAT", "PIPELINE: PLUGIN_PIPELINE", "LINK: PLUGIN_LINK")
        ]


class TestDelivering:
    def test_what_is_accepted_ends_well_and_is_told(self, drone, deliver_with, install, caplog):
        caplog.set_level(logging.INFO)
        deliver_with("Receipt.for_all(reports, Result.ACCEPTED)")
        install("tells", TELLS)
        ending = run(drone | {"PLUGIN_DISABLE_PLUGINS": "http"})
        assert (ending.status, ending.exit_code) == (RunStatus.DELIVERED, 0)
        assert lines_of(ending) == [
            "issue keys:",
            "  MYT-1  commit message",
            "acme.atlassian.net accepted build 42 of acme/shop/build (successful) for MYT-1",
        ]
        assert "told of Drone: 1, None" in caplog.text

    def test_what_is_queued_ends_well(self, drone, deliver_with):
        deliver_with("Receipt.for_all(reports, Result.QUEUED)")
        ending = run(drone | {"PLUGIN_DISABLE_PLUGINS": "http"})
        assert ending.exit_code == 0
        assert "is queued for acme.atlassian.net" in lines_of(ending)[-1]

    def test_what_jira_does_not_know_is_a_warning(self, drone, deliver_with):
        deliver_with(
            'Receipt(outcomes=(Outcome(result=Result.ACCEPTED),), unknown_issue_keys=("MYT-2",), unknown_associations=("b:1",))'
        )
        ending = run(drone | {"PLUGIN_DISABLE_PLUGINS": "http", "PLUGIN_ISSUEKEYS": "MYT-1,MYT-2"})
        assert lines_of(ending)[-3:] == [
            "acme.atlassian.net accepted build 42 of acme/shop/build (successful) for MYT-1",
            "warning: Jira does not know MYT-2; the other issues are updated",
            "warning: Jira does not know these services: b:1",
        ]

    @pytest.mark.parametrize("result", ["REJECTED", "NOT_DELIVERED"])
    def test_anything_else_fails_with_each_problem_once(self, drone, deliver_with, result):
        deliver_with(f'Receipt.for_all(reports, Result.{result}, Problem("a", "b", "c"))')
        environ = drone | {"PLUGIN_DISABLE_PLUGINS": "http", "PLUGIN_ENVIRONMENT": "prod,qa"}
        ending = run(environ)
        assert (ending.status, ending.exit_code) == (RunStatus.NOT_DELIVERED, 1)
        assert [problem.what for problem in problems_of(ending)] == ["a"]
        assert as_json(ending)["outcomes"][0]["result"] == result.lower()

    def test_a_plugin_that_answers_too_little_is_named(self, drone, deliver_with):
        deliver_with("Receipt()")
        with pytest.raises(PluginError, match="plugin delivers failed in deliver"):
            run(drone | {"PLUGIN_DISABLE_PLUGINS": "http"})

    def test_without_credentials_nothing_begins(self, drone):
        with pytest.raises(SettingsError, match="there are no credentials"):
            run(drone)


class TestWhatIsNotEnough:
    @pytest.mark.parametrize(
        ("without", "what"),
        [
            ("PLUGIN_PROJECT", "PROJECT is not set"),
            ("PLUGIN_INSTANCE", "INSTANCE is not set"),
            ("PLUGIN_PIPELINE", "PIPELINE is not set"),
            ("PLUGIN_RUN_NUMBER", "RUN_NUMBER is not set"),
            ("PLUGIN_LINK", "LINK is not set"),
            ("PLUGIN_STATE", "STATE is not set"),
        ],
    )
    def test_a_run_without_ci_needs_it(self, least, without, what):
        del least[without]
        with pytest.raises(SettingsError, match=what):
            run(least, dry_run=True)

    def test_cloud_id_is_enough_of_a_site(self, least):
        del least["PLUGIN_INSTANCE"]
        ending = run(least | {"PLUGIN_CLOUD_ID": "a436116f02ce45208fbb7301462a1674"}, dry_run=True)
        assert lines_of(ending)[2].startswith("this would be sent to cloud id a436116f-02ce-4520-8fbb-7301462a1674")

    def test_a_plugin_that_fails_ends_the_run_unless_that_is_only_warned_of(self, least, install, caplog):
        install("bad", "raise RuntimeError('no luck')")
        with pytest.raises(PluginError, match="plugin bad failed"):
            run(least, dry_run=True)
        assert run(least | {"PLUGIN_ON_PLUGIN_ERROR": "warn"}, dry_run=True).exit_code == 0
        assert "plugin bad failed: acme-jira 1.2.3: RuntimeError: no luck" in caplog.text
