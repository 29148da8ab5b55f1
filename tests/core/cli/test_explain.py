"""`jira-ci explain`: which CI was recognised, by which variable, and every fact with where it came from."""

from __future__ import annotations

import pytest

MESSAGE = "[MYT-1] Let people pay\n\nWith a card."


def test_every_fact_of_a_run_is_shown_with_the_variable_it_came_from(jira_ci, recorded, tmp_path):
    done = jira_ci("explain", "--format", "json", environ=recorded.variables(tmp_path))
    assert done.code == 0, done.err
    assert (done.json["ci"], done.json["recognised_by"]) == (recorded.ci, recorded.recognised_by)
    assert done.json["plugin"] == recorded.reader
    facts = {name: fact["value"] for name, fact in done.json["facts"].items()}
    shown = {name: value for name, value in recorded.facts.items() if name not in ("publishes_status", "partial")}
    assert facts == {**shown, "id": recorded.pipeline_id}
    assert all(fact["from"] for fact in done.json["facts"].values())
    assert set(done.json["not_told"]).isdisjoint(facts)


def test_people_read_it_line_by_line(jira_ci):
    environ = {
        "GITLAB_CI": "true",
        "CI_PIPELINE_IID": "12",
        "CI_COMMIT_MESSAGE": MESSAGE,
        "CI_ENVIRONMENT_NAME": "blue",
        "PLUGIN_DISABLE_PLUGINS": "git",
    }
    done = jira_ci("explain", environ=environ)
    assert (done.code, done.out) == (0, "")
    lines = [" ".join(line.split()) for line in done.err.splitlines()]
    assert lines[0] == "GitLab was recognised, by GITLAB_CI (plugin gitlab)"
    assert "number 12 <- CI_PIPELINE_IID" in lines
    assert "message [MYT-1] Let people pay … <- CI_COMMIT_MESSAGE" in lines
    assert "not told: url, status, id" in done.err
    assert "hint: set ENVIRONMENT_NAME to blue to report a deployment instead of a build" in lines


def test_misspelt_settings_are_named(jira_ci):
    done = jira_ci("explain", environ={"JIRA_CI_ENVIROMENT_NAME": "prod", "JIRA_CI_NOPE": "1"})
    assert done.code == 0
    assert "JIRA_CI_ENVIROMENT_NAME is not known: it differs in one letter from ENVIRONMENT_NAME" in done.err
    assert "JIRA_CI_NOPE is not known" in done.err


def test_the_issue_keys_are_shown_or_why_there_is_none(jira_ci):
    environ = {"GITLAB_CI": "true", "CI_COMMIT_MESSAGE": MESSAGE, "PLUGIN_DISABLE_PLUGINS": "git"}
    assert "issue keys:\n  MYT-1  commit message" in jira_ci("explain", environ=environ).err
    done = jira_ci("explain", "--format=json", environ=environ)
    assert done.json["issue_keys"] == [{"key": "MYT-1", "source": "commit message"}]
    environ["PLUGIN_PROJECT"] = "SHOP"
    told = 'no key of PROJECT (SHOP) is in the commit message "[MYT-1] Let people pay With a card."; seen of other'
    assert f"no issue key: {told}" in jira_ci("explain", environ=environ).err
    assert told in jira_ci("explain", "--format=json", environ=environ).json["no_issue_key"]["why"]


def test_without_a_ci_it_says_what_it_looked_for_and_what_to_set(jira_ci):
    done = jira_ci("explain", environ={})
    assert done.code == 0
    assert "no CI was recognised; none of these is set:" in done.err
    assert "HARNESS_PIPELINE_ID  (plugin harness)" in done.err
    assert "BUILD_ID and PROJECT_ID  (plugin cloudbuild)" in done.err
    for setting in ("RUN_NUMBER", "LINK", "PIPELINE", "STATE"):
        assert f"hint: set {setting} " in done.err
    assert jira_ci("explain", "--format=json", environ={}).json["ci"] is None


def test_what_settings_say_instead_is_shown_and_no_longer_asked_for(jira_ci):
    environ = {"PLUGIN_STATE": "successful", "JIRA_CI_PIPELINE": "acme/shop"}
    done = jira_ci("explain", "--run-number", "7", "--link", "https://ci.example/7", environ=environ)
    assert "set instead: RUN_NUMBER=7  <- --run-number" in done.err
    assert "set instead: STATE=successful  <- PLUGIN_STATE" in done.err
    assert "set instead: PIPELINE=acme/shop  <- JIRA_CI_PIPELINE" in done.err
    assert "hint:" not in done.err


def test_a_number_that_is_no_integer_is_told_of(jira_ci):
    environ = {"TEAMCITY_VERSION": "2025.07", "BUILD_NUMBER": "1.4.42"}
    assert "1.4.42 is no integer" in jira_ci("explain", environ=environ).err
    assert "set RUN_NUMBER" not in jira_ci("explain", "--run-number=7", environ=environ).err


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_secret_is_shown(jira_ci, format):
    environ = {
        "DRONE": "true",
        "PLUGIN_CONNECT_KEY": "s3cr3t-key",
        "JIRA_CI_CLIENT_SECRET": "an0ther-secret",
        "DRONE_COMMIT_MESSAGE": "leaks s3cr3t-key and an0ther-secret",
        "DRONE_REPO_LINK": "https://me:passw0rd@git.example/acme/shop",
        "DRONE_BUILD_LINK": "https://me:passw0rd@ci.example/acme/shop/1",
        "DRONE_COMMIT_LINK": "https://me:passw0rd@git.example/acme/shop/commit/1",
    }
    done = jira_ci("explain", "--format", format, environ=environ)
    assert done.code == 0
    assert "Drone" in done.text
    for secret in ("s3cr3t-key", "an0ther-secret", "passw0rd"):
        assert secret not in done.text


def test_a_plugin_that_fails_is_told_of_and_the_others_are_asked(jira_ci, install):
    install("broken", "raise RuntimeError('not today')")
    done = jira_ci("explain", environ={"DRONE": "true"})
    assert done.code == 0
    assert "warning: plugin broken failed" in done.err
    assert "Drone was recognised" in done.err


def test_a_reader_of_a_stranger_is_named(jira_ci, install):
    install(
        "acme",
        """
        from jira_ci_core import Pipeline, hookimpl

        @hookimpl
        def jira_ci_read_pipeline(environ):
            return Pipeline(ci="Acme CI", number="7")
        """,
    )
    done = jira_ci("explain", environ={})
    assert "Acme CI was recognised (plugin acme)" in done.err
    assert "7  <- acme" in done.err
