"""A build and a deployment, with either kind of sign-in, and what Jira then holds."""

from __future__ import annotations

import re
import shlex
import time
from datetime import datetime
from pathlib import Path

import pytest

from jira_ci_core import run

PULL_REQUEST = {
    "DRONE_PULL_REQUEST": "7",
    "DRONE_SOURCE_BRANCH": "feature/MYT-3-cards",
    "DRONE_TARGET_BRANCH": "main",
    "DRONE_PULL_REQUEST_TITLE": "MYT-2: cards",
}


@pytest.fixture
def step(started_step):
    """A new process of the installed command for each run, instead of a fork."""
    return started_step


@pytest.fixture(params=["oauth", "connect"])
def signed_in(request, harness):
    """A step of a Harness run, once with each kind of credentials."""
    harness.environ |= request.getfixturevalue(request.param)
    harness.kind = request.param
    return harness


def test_a_build_lands_in_jira_with_everything_that_is_known_of_it(signed_in, jira):
    before = time.time_ns() // 1_000_000
    done = signed_in()
    assert done.code == 0, done.text
    assert "accepted build 42 of checkout (successful) for MYT-1" in done.err
    assert done.out == ""
    [build] = jira.builds()
    assert before <= build["updateSequenceNumber"] <= time.time_ns() // 1_000_000
    assert datetime.fromisoformat(build["lastUpdated"]).timestamp() * 1000 == pytest.approx(
        build["updateSequenceNumber"], abs=1
    )
    sent = {name: build[name] for name in build.keys() - {"updateSequenceNumber", "lastUpdated", "receivedAt"}}
    assert sent == {
        "schemaVersion": "1.0",
        "pipelineId": "harness/acme/default/shop/checkout",
        "buildNumber": 42,
        "displayName": "checkout #42",
        "description": "[MYT-1] Let people pay",
        "url": "https://app.harness.example/run/42",
        "state": "successful",
        "issueKeys": ["MYT-1"],
        "references": [
            {
                "commit": {
                    "id": "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b",
                    "repositoryUri": "https://git.example/acme/shop",
                },
                "ref": {"name": "main", "uri": "https://git.example/acme/shop/tree/main"},
            }
        ],
        "properties": {},
        "product": "jira-ci",
    }
    assert jira.deployments() == []


def test_a_deployment_lands_in_jira_with_everything_that_is_known_of_it(signed_in, jira):
    done = signed_in(environment_name="production", environ={"DRONE_TAG": "v1.2.3"})
    assert done.code == 0, done.text
    assert "accepted deployment 42 of checkout to production (successful) for MYT-1" in done.err
    [deployment] = jira.deployments()
    moving = {"updateSequenceNumber", "lastUpdated", "receivedAt"}
    assert {name: deployment[name] for name in deployment.keys() - moving} == {
        "schemaVersion": "1.0",
        "deploymentSequenceNumber": 42,
        "displayName": "checkout #42",
        "description": "[MYT-1] Let people pay",
        "label": "v1.2.3",
        "url": "https://app.harness.example/run/42",
        "state": "successful",
        "issueKeys": ["MYT-1"],
        "associations": [{"associationType": "issueIdOrKeys", "values": ["MYT-1"]}],
        "pipeline": {
            "id": "harness/acme/default/shop/checkout",
            "displayName": "checkout",
            "url": "https://app.harness.example/run/42",
        },
        "environment": {"id": "production", "displayName": "production", "type": "production"},
        "properties": {},
        "product": "jira-ci",
    }
    assert jira.builds() == []


def test_each_kind_of_sign_in_uses_its_own_addresses_and_asks_for_one_token(signed_in, jira):
    signed_in()
    signed_in(environment_name="qa")
    called = [(request["method"], request["path"]) for request in jira.requests()]
    if signed_in.kind == "oauth":
        # Both at the same time.
        token = {("GET", "/_edge/tenant_info"), ("POST", "/oauth/token")}
        base = "/jira/{}/0.1/cloud/" + jira.cloud_id + "/bulk"
    else:
        token, base = {("GET", "/token")}, "/rest/{}/0.1/bulk"
    half = len(called) // 2
    for kind, requests in (("builds", called[:half]), ("deployments", called[half:])):
        assert (set(requests[:-1]), len(requests) - 1) == (token, len(token))
        assert requests[-1] == ("POST", base.format(kind))


def test_with_flags_or_without_it_sends_and_says_the_same(harness_oauth, jira):
    done, sent = [], []
    for arguments in (["report"], ["report", "--format", "text"]):
        jira.reset()
        done.append(harness_oauth.run(*arguments))
        sent.append(sorted((request["method"], request["path"]) for request in jira.requests()))
    assert done[0].code == 0
    assert done[0].text == done[1].text
    assert sent[0] == sent[1] != []


def test_several_environments_are_several_deployments_in_one_request(harness_oauth, jira):
    done = harness_oauth(environment_name="EU Production, staging,blue,")
    assert done.code == 0, done.text
    assert [one["environment"] for one in jira.deployments()] == [
        {"id": "eu production", "displayName": "EU Production", "type": "production"},
        {"id": "staging", "displayName": "staging", "type": "staging"},
        {"id": "blue", "displayName": "blue", "type": "unmapped"},
    ]
    assert len(jira.requests("bulk")) == 1


def test_an_environment_has_the_id_and_type_that_are_set(harness_oauth, jira):
    done = harness_oauth(environment_name="Blue", environment_id="eu-1", environment_type="STAGING")
    assert done.code == 0, done.text
    assert [one["environment"] for one in jira.deployments()] == [
        {"id": "eu-1", "displayName": "Blue", "type": "staging"}
    ]


def test_a_second_update_of_a_build_replaces_the_first(harness_oauth, jira):
    harness_oauth(state="in_progress", environ={"DRONE_TAG": "v1"})
    harness_oauth()
    [build] = jira.builds()
    assert build["state"] == "successful"
    assert "label" not in build
    assert [update["outcome"] for update in jira.updates()] == ["applied", "applied"]


def test_another_run_is_another_build(harness_oauth, jira):
    harness_oauth()
    harness_oauth(environ={"HARNESS_BUILD_ID": "43"})
    assert [build["buildNumber"] for build in jira.builds()] == [42, 43]


def test_an_update_that_comes_too_late_is_ignored(harness_oauth, jira):
    from jira_ci_core.clock import Clock

    harness_oauth()
    ending = run(
        harness_oauth.environ | {"PLUGIN_STATE": "failed", "PLUGIN_STATE_POLICY": "force"}, clock=Clock(lambda: 1)
    )
    assert ending.exit_code == 0
    assert [build["state"] for build in jira.builds()] == ["successful"]
    assert [update["outcome"] for update in jira.updates()] == ["applied", "stale"]


def test_updates_of_one_process_are_strictly_ordered(harness_oauth, jira):
    for state in ("pending", "in_progress", "successful"):
        run(harness_oauth.environ | {"PLUGIN_STATE": state})
    assert [update["outcome"] for update in jira.updates()] == ["applied"] * 3
    assert [build["state"] for build in jira.builds()] == ["successful"]


def test_a_rerun_of_a_deployment_is_the_same_deployment(harness_oauth, jira):
    harness_oauth(environment_name="prod", state="in_progress")
    harness_oauth(environment_name="prod", state="rolled_back")
    assert [one["state"] for one in jira.deployments()] == ["rolled_back"]


@pytest.mark.usefixtures("in_process")
def test_the_order_of_keys_is_title_then_message_then_branch(harness_oauth, jira):
    done = harness_oauth(environ=PULL_REQUEST)
    assert done.code == 0, done.text
    [build] = jira.builds()
    assert build["issueKeys"] == ["MYT-2", "MYT-1", "MYT-3"]
    assert build["description"] == "MYT-2: cards"
    assert build["references"][0]["ref"]["name"] == "feature/MYT-3-cards"


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("variables", "label"),
    [
        ({"DRONE_TAG": "v2.0"}, "v2.0"),
        ({"DRONE_SEMVER": "2.0.1"}, "2.0.1"),
        ({"DRONE_COMMIT_BRANCH": "refs/tags/v3", "DRONE_BRANCH": "refs/tags/v3"}, "v3"),
    ],
)
def test_a_tag_or_a_version_is_the_label(harness_oauth, jira, variables, label):
    assert harness_oauth(environ=variables).code == 0
    assert [build["label"] for build in jira.builds()] == [label]


@pytest.mark.usefixtures("in_process")
def test_what_is_too_long_for_jira_is_cut_and_arrives(harness_oauth, jira):
    done = harness_oauth(
        environment_name="e" * 300, pipeline="p" * 300, environ={"DRONE_COMMIT_MESSAGE": "MYT-1 " + "é" * 300}
    )
    assert done.code == 0, done.text
    [deployment] = jira.deployments()
    assert len(deployment["description"]) == 255
    assert deployment["environment"]["displayName"] == "e" * 255
    assert len(deployment["environment"]["id"]) == len(deployment["pipeline"]["id"]) == 255


@pytest.mark.usefixtures("in_process")
def test_more_keys_than_jira_takes_are_cut_with_a_warning(harness_oauth, jira):
    done = harness_oauth(
        environ={"DRONE_COMMIT_MESSAGE": " ".join(f"MYT-{number}" for number in range(1, 504)) + " all"}
    )
    assert done.code == 0, done.text
    assert "warning" in done.err
    assert "3" in next(line for line in done.err.splitlines() if "warning" in line)
    assert jira.builds()[0]["issueKeys"] == [f"MYT-{number}" for number in range(1, 501)]


@pytest.mark.usefixtures("in_process")
def test_rolling_back_as_docs_ci_shows_it_ends_with_the_older_version_as_the_current_one(harness_oauth, jira):
    page = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    recipe = page.partition("## Rolling back\n")[2].partition("\n## ")[0]
    start, end, take_back = (shlex.split(line)[2:] for line in re.findall("^jira-ci report.*", recipe, re.MULTILINE))
    older = {"DRONE_COMMIT_MESSAGE": "MYT-1", "HARNESS_BUILD_ID": "7"}
    newer = {"DRONE_COMMIT_MESSAGE": "MYT-2", "HARNESS_BUILD_ID": "8"}
    for number, change in (("1714566600", older), ("1714566700", newer), ("1714566800", older)):
        for arguments in (start, end):
            done = harness_oauth(*arguments, environ={**change, "JIRA_CI_RUN_NUMBER": number})
            assert done.code == 0, done.text
    arguments = ["1714566700" if argument == "$NEWER" else argument for argument in take_back]
    assert harness_oauth(*arguments, environ={**older, "JIRA_CI_RUN_NUMBER": "1714566800"}).code == 0
    by_number = sorted(jira.deployments(), key=lambda one: one["deploymentSequenceNumber"])
    shown = [(one["associations"][0]["values"], one["state"]) for one in by_number]
    assert shown == [(["MYT-1"], "successful"), (["MYT-2"], "rolled_back"), (["MYT-1"], "successful")]
