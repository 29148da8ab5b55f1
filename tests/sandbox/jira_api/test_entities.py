"""Bulk calls and single entities, over a socket."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from jira_ci_sandbox.client import Sandbox

from ..conftest import NOT_JSON

# Bulk calls


def test_build_and_deployment_are_accepted_by_their_keys(jira: Any, build: Any, deployment: Any) -> None:
    answer = jira.bulk("builds", build(), properties={"run": "1"}, providerMetadata={"product": "CI"})
    assert answer.status_code == 202
    assert answer.json() == {
        "acceptedBuilds": [{"pipelineId": "pipeline", "buildNumber": 1}],
        "rejectedBuilds": [],
        "unknownIssueKeys": [],
        "unknownAssociations": [],
    }
    assert jira.bulk("deployments", deployment()).json() == {
        "acceptedDeployments": [{"pipelineId": "pipeline", "environmentId": "prod", "deploymentSequenceNumber": 1}],
        "rejectedDeployments": [],
        "unknownIssueKeys": [],
        "unknownAssociations": [],
    }


def test_each_entity_is_accepted_or_rejected_on_its_own(jira: Any, build: Any) -> None:
    answer = jira.bulk("builds", build(state="rolled_back"), build(buildNumber=2), "nonsense").json()
    assert answer["acceptedBuilds"] == [{"pipelineId": "pipeline", "buildNumber": 2}]
    keys = [rejected["key"] for rejected in answer["rejectedBuilds"]]
    assert keys == [{"pipelineId": "pipeline", "buildNumber": 1}, {"pipelineId": None, "buildNumber": None}]
    [error] = answer["rejectedBuilds"][0]["errors"]
    assert error["message"].startswith("state: ")
    assert error["errorTraceId"]


def test_entity_is_stored_for_the_keys_that_are_known(jira: Any, build: Any) -> None:
    answer = jira.bulk("builds", build(issueKeys=["NO-1", "DEMO-1", "UTF-8", "NO-1"])).json()
    assert answer["unknownIssueKeys"] == ["NO-1", "UTF-8"]
    assert len(answer["acceptedBuilds"]) == 1
    assert jira.call("GET", jira.build_address()).json()["issueKeys"] == ["DEMO-1"]


def test_entity_without_a_known_key_is_rejected(jira: Any, build: Any) -> None:
    answer = jira.bulk("builds", build(issueKeys=["NO-1"])).json()
    assert (answer["acceptedBuilds"], answer["unknownIssueKeys"]) == ([], ["NO-1"])
    assert "unknown" in answer["rejectedBuilds"][0]["errors"][0]["message"]
    assert jira.sandbox.updates() == []


def test_unknown_associations_are_listed_by_type(jira: Any, deployment: Any) -> None:
    jira.sandbox.configure(services=["b:known"])
    associations = [
        {"associationType": "issueIdOrKeys", "values": ["NO-1", "DEMO-1"]},
        {"associationType": "issueKeys", "values": ["NO-2"]},
        {"associationType": "serviceIdOrKeys", "values": ["b:known", "b:unknown"]},
    ]
    answer = jira.bulk("deployments", deployment(associations=associations)).json()
    assert answer["unknownAssociations"] == [
        {"associationType": "issueIdOrKeys", "values": ["NO-1"]},
        {"associationType": "issueKeys", "values": ["NO-2"]},
        {"associationType": "serviceIdOrKeys", "values": ["b:unknown"]},
    ]
    assert jira.call("GET", jira.deployment_address()).json()["associations"] == [
        {"associationType": "issueIdOrKeys", "values": ["DEMO-1"]},
        {"associationType": "serviceIdOrKeys", "values": ["b:known"]},
    ]


def test_deployment_keeps_the_commits_of_known_repositories(jira: Any, deployment: Any) -> None:
    jira.sandbox.configure(repositories=["gh-*"], services=["b:shop"])
    known, unknown = {"repositoryId": "gh-7"}, {"repositoryId": "other"}
    associations = [
        {"associationType": "serviceIdOrKeys", "values": ["b:shop"]},
        {"associationType": "commit", "values": [{"commitHash": "abc", **one} for one in (known, unknown, unknown)]},
        {"associationType": "repository", "values": [known, unknown]},
    ]
    answer = jira.bulk("deployments", deployment(associations=associations)).json()
    assert len(answer["acceptedDeployments"]) == 1
    assert answer["unknownAssociations"] == [
        {"associationType": "commit", "values": [{"commitHash": "abc", **unknown}]},
        {"associationType": "repository", "values": [unknown]},
    ]
    [stored] = jira.sandbox.deployments()
    assert stored["associations"] == [
        associations[0],
        {"associationType": "commit", "values": [{"commitHash": "abc", **known}]},
        {"associationType": "repository", "values": [known]},
    ]
    assert stored["issueKeys"] == []


@pytest.mark.parametrize(("id", "key"), [("10001", "DEMO-1"), ("10042", "DEMO-42"), ("10000", None), ("0", None)])
def test_issue_is_known_by_its_id(jira: Any, build: Any, deployment: Any, id: str, key: str | None) -> None:
    associations = [{"associationType": "issueIdOrKeys", "values": [id]}]
    of_issue = build(associations=associations)
    del of_issue["issueKeys"]
    for kind, entity in (("builds", of_issue), ("deployments", deployment(associations=associations))):
        answer = jira.bulk(kind, entity).json()
        assert answer["unknownAssociations"] == ([] if key else associations)
    stored = [*jira.sandbox.builds(), *jira.sandbox.deployments()]
    assert [one["issueKeys"] for one in stored] == ([[key]] * 2 if key else [])


def test_deployment_of_unknown_associations_only_is_rejected(oauth: Any, deployment: Any) -> None:
    unknown = [{"associationType": "serviceIdOrKeys", "values": ["b:unknown"]}]
    answer = oauth.bulk("deployments", deployment(associations=unknown)).json()
    assert len(answer["rejectedDeployments"]) == 1
    assert answer["unknownAssociations"] == unknown


def test_stale_update_is_accepted_and_ignored(jira: Any, build: Any) -> None:
    assert jira.bulk("builds", build(updateSequenceNumber=5, state="in_progress")).status_code == 202
    for sequence in (5, 4):
        answer = jira.bulk("builds", build(updateSequenceNumber=sequence, state="failed"))
        assert len(answer.json()["acceptedBuilds"]) == 1
    assert jira.call("GET", jira.build_address()).json()["state"] == "in_progress"
    assert [update["outcome"] for update in jira.sandbox.updates()] == ["applied", "stale", "stale"]


def test_newer_update_replaces_all_of_an_entity(jira: Any, build: Any) -> None:
    jira.bulk("builds", build())
    newer = build(updateSequenceNumber=2, issueKeys=["DEMO-2"])
    del newer["testInfo"]
    jira.bulk("builds", newer)
    assert jira.call("GET", jira.build_address()).json() == newer


def test_entity_is_readable_after_the_storage_delay(oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(storage_delay=3600)
    assert len(oauth.bulk("builds", build()).json()["acceptedBuilds"]) == 1
    assert oauth.call("GET", oauth.build_address()).status_code == 404
    assert oauth.sandbox.builds() == []
    assert len(oauth.sandbox.updates()) == 1


@pytest.mark.parametrize("body", [*NOT_JSON, b"[]", b'{"builds": 1}', b"{}"])
def test_malformed_request_is_refused_as_a_whole(oauth: Any, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = oauth.call("POST", oauth.base("builds") + "/bulk", data=body, headers=headers)
    assert answer.status_code == 400
    assert all(problem["message"] for problem in answer.json())


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", None])
def test_content_type_must_be_json(oauth: Any, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert oauth.call("POST", oauth.base("builds") + "/bulk", data=b"{}", headers=headers).status_code == 415


def test_content_type_may_have_a_parameter(oauth: Any, build: Any) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps({"builds": [build()]})
    assert oauth.call("POST", oauth.base("builds") + "/bulk", data=body, headers=headers).status_code == 202


def test_request_with_too_many_entities_is_refused(oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(max_entities=2)
    entities = [build(buildNumber=number) for number in range(3)]
    assert oauth.bulk("builds", *entities).status_code == 413
    assert oauth.bulk("builds", *entities[:2]).status_code == 202


def test_request_with_too_many_bytes_is_refused(oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(max_bytes=200_000)
    assert oauth.bulk("builds", build(description="x" * 300_000)).status_code == 413
    assert oauth.bulk("builds", build()).status_code == 202


def test_rate_limit_says_how_long_to_wait(jira: Any, build: Any) -> None:
    jira.sandbox.configure(rate_limit=2, rate_period=3600)
    answers = [jira.bulk("builds", build()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert 3500 < int(answers[2].headers["retry-after"]) <= 3600
    assert re.fullmatch("[0-9-]+T[0-9]{2}:[0-9]{2}Z", answers[2].headers["x-ratelimit-reset"])
    assert answers[2].headers["ratelimit-reason"] == "jira-burst-based"


# Single entities

HOSTILE_IDS = ["a/b", "a%2Fb", "ä ö", "a?b#c", "..", "a+b", "𝄞"]


@pytest.mark.parametrize("pipeline", HOSTILE_IDS)
def test_build_with_any_id_can_be_read_and_deleted(jira: Any, build: Any, pipeline: str) -> None:
    jira.bulk("builds", build(pipelineId=pipeline))
    address = jira.build_address(pipeline).replace("..", "%2E%2E")
    assert jira.call("GET", address).json()["pipelineId"] == pipeline
    assert jira.call("DELETE", address).status_code == 202
    assert jira.call("GET", address).status_code == 404


@pytest.mark.parametrize("name", HOSTILE_IDS[:3])
def test_deployment_with_any_id_can_be_read_and_deleted(jira: Any, deployment: Any, name: str) -> None:
    environment = {"id": name, "displayName": name, "type": "unmapped"}
    jira.bulk("deployments", deployment(environment=environment))
    address = jira.deployment_address(environment=name)
    assert jira.call("GET", address).json()["environment"] == environment
    assert jira.call("DELETE", address).status_code == 202
    assert jira.call("GET", address).status_code == 404


@pytest.mark.parametrize("number", ["2", "x", "1.0", "1_0", "9" * 19, "9" * 30])
def test_unknown_entity_is_not_found_and_a_malformed_number_is_refused(oauth: Any, number: str) -> None:
    expected = 404 if number == "2" else 400
    assert oauth.call("GET", oauth.build_address(number=number)).status_code == expected


def test_gating_status_of_a_deployment(jira: Any, deployment: Any) -> None:
    jira.bulk("deployments", deployment())
    address = jira.deployment_address() + "/gating-status"
    answer = jira.call("GET", address).json()
    assert answer["gatingStatus"] == "awaiting"
    assert (answer["pipelineId"], answer["environmentId"], answer["deploymentSequenceNumber"]) == (
        "pipeline",
        "prod",
        1,
    )
    done = deployment(updateSequenceNumber=2, state="successful")
    del done["commands"]
    jira.bulk("deployments", done)
    assert jira.call("GET", address).json()["gatingStatus"] == "allowed"
    assert jira.call("GET", jira.deployment_address(number=2) + "/gating-status").status_code == 404


@pytest.mark.parametrize("status", ["awaiting", "allowed", "prevented", "expired", "invalid"])
def test_gating_status_of_a_deployment_is_the_one_that_was_set(
    jira: Any, sandbox: Any, deployment: Any, status: str
) -> None:
    jira.bulk("deployments", deployment())
    sandbox.gate(status, "DEMO-7")
    answer = jira.call("GET", jira.deployment_address() + "/gating-status").json()
    assert answer["gatingStatus"] == status
    assert answer["details"] == [{"type": "issue", "issueKey": "DEMO-7", "issueLink": f"{sandbox.url}/browse/DEMO-7"}]


@pytest.mark.parametrize("sequence", [4, 5, "x"])
def test_delete_asks_for_no_sequence(oauth: Any, build: Any, sequence: object) -> None:
    oauth.bulk("builds", build(updateSequenceNumber=5))
    oauth.call("DELETE", oauth.build_address(), params={"_updateSequenceNumber": sequence})
    assert oauth.call("GET", oauth.build_address()).status_code == 404


def test_entities_are_deleted_by_property(jira: Any, build: Any, deployment: Any) -> None:
    jira.bulk("builds", build(), properties={"run": "1", "team": "a"})
    jira.bulk("builds", build(buildNumber=2), properties={"run": "2", "team": "a"})
    jira.bulk("deployments", deployment(), properties={"run": "1"})
    by_properties = jira.base("builds") + "/bulkByProperties"
    assert jira.call("DELETE", by_properties, params={"run": "1", "team": "b"}).status_code == 202
    assert len(jira.sandbox.builds()) == 2
    both = {"run": "1", "team": "a", "_updateSequenceNumber": 0}
    assert jira.call("DELETE", by_properties, params=both).status_code == 202
    assert [build["buildNumber"] for build in jira.sandbox.builds()] == [2]
    assert len(jira.sandbox.deployments()) == 1


def test_delete_without_a_property_deletes_nothing(oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build())
    assert oauth.call("DELETE", oauth.base("builds") + "/bulkByProperties").status_code == 400
    assert len(oauth.sandbox.builds()) == 1


# Other addresses and methods


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_bulk_address_takes_posts_only(jira: Any, method: str) -> None:
    answer = jira.call(method, jira.base("builds") + "/bulk")
    assert (answer.status_code, answer.json()["code"]) == (405, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/rest/api/3/issue/DEMO-1", "/jira/", "/rest/builds/0.1/bulk/", "/nothing"])
def test_unknown_address_is_not_found(sandbox: Sandbox, path: str) -> None:
    answer = requests.get(sandbox.url + path, timeout=20, allow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


def test_concurrent_clients_lose_nothing(oauth: Any, build: Any) -> None:
    def send(number: int) -> int:
        headers = {"Authorization": oauth.http.headers["Authorization"]}
        entities = [build(buildNumber=number * 10 + step) for step in range(10)]
        same = build(pipelineId="same", updateSequenceNumber=number)
        answer = requests.post(
            oauth.base("builds") + "/bulk", json={"builds": [*entities, same]}, headers=headers, timeout=20
        )
        return len(answer.json()["acceptedBuilds"])

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(40))) == 440
    assert len(oauth.sandbox.builds()) == 401
    assert oauth.call("GET", oauth.build_address("same")).json()["updateSequenceNumber"] == 39
