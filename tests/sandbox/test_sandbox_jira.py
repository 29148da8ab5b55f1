"""What Jira answers, over a socket."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from jira_ci_sandbox.client import Sandbox

GOOD_ASK = {"audience": "api.atlassian.com", "grant_type": "client_credentials"}
NOT_JSON = [b"", b"{", b"\xff", b'{"builds": NaN}', b"[" * 100_000, b"1" * 5000]


def ask_for_token(sandbox: Sandbox, **changes: Any) -> requests.Response:
    ask = {**GOOD_ASK, "client_id": sandbox.client_id, "client_secret": sandbox.client_secret, **changes}
    return requests.post(f"{sandbox.url}/oauth/token", json=ask, timeout=20)


# Signing in


def test_oauth_token_lasts_15_minutes(sandbox: Sandbox) -> None:
    answer = ask_for_token(sandbox)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 900
    assert answer.json()["token_type"] == "Bearer"
    assert sorted(answer.json()) == ["access_token", "expires_in", "scope", "token_type"]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_secret": "\ud800"}, 401, "access_denied"),
        ({"client_secret": None}, 401, "access_denied"),
        ({"client_id": "wrong"}, 401, "access_denied"),
        ({"audience": "example.com"}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_wrong_ask_for_an_oauth_token_is_refused(
    sandbox: Sandbox, changes: dict[str, Any], status: int, error: str
) -> None:
    answer = ask_for_token(sandbox, **changes)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_refused_oauth_client_hears_unauthorized(sandbox: Sandbox) -> None:
    answer = ask_for_token(sandbox, client_secret="wrong")
    assert answer.json() == {"error": "access_denied", "error_description": "Unauthorized"}


def test_connect_key_is_no_client_secret(sandbox: Sandbox) -> None:
    assert ask_for_token(sandbox, client_secret=sandbox.connect_key).status_code == 401


@pytest.mark.parametrize("body", [*NOT_JSON, b"[]"])
def test_ask_for_an_oauth_token_that_is_no_object_is_refused(sandbox: Sandbox, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{sandbox.url}/oauth/token", data=body, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_ask_for_an_oauth_token_as_a_form_is_refused(sandbox: Sandbox) -> None:
    assert requests.post(f"{sandbox.url}/oauth/token", data=GOOD_ASK, timeout=20).status_code == 415


def test_too_large_ask_for_an_oauth_token_is_refused(sandbox: Sandbox) -> None:
    sandbox.configure(max_bytes=10)
    assert ask_for_token(sandbox).status_code == 400


def test_connect_token_is_a_json_web_token_in_plain_text(sandbox: Sandbox) -> None:
    headers = {"Authorization": f"Bearer {sandbox.connect_key}"}
    answer = requests.get(f"{sandbox.url}/token", headers=headers, timeout=20)
    assert answer.headers["content-type"].startswith("text/plain")
    header, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in answer.text.split("."))
    assert json.loads(header) == {"alg": "HS256", "typ": "JWT"}
    assert 895 < json.loads(claims)["exp"] - time.time() <= 900
    assert len(signature) == 32


@pytest.mark.parametrize("scheme", ["Bearer wrong", "Basic {key}", "{key}", "Bearer", "Bearer {client_secret}", None])
def test_wrong_connect_key_gets_no_token(sandbox: Sandbox, scheme: str | None) -> None:
    value = scheme and scheme.format(key=sandbox.connect_key, client_secret=sandbox.client_secret)
    headers = {"Authorization": value} if value else {}
    answer = requests.get(f"{sandbox.url}/token", headers=headers, timeout=20)
    assert answer.status_code == 401


def test_tenant_info_tells_the_cloud_id_to_anybody(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/_edge/tenant_info", timeout=20)
    assert answer.json() == {"cloudId": sandbox.cloud_id}


# Who may call


def test_oauth_token_is_nothing_to_the_site_and_a_connect_token_nothing_to_the_cloud(
    sandbox: Sandbox, sign_in: Any, build: Any
) -> None:
    oauth, connect = sign_in(sandbox), sign_in(sandbox, "connect")
    oauth.http.headers, connect.http.headers = connect.http.headers, oauth.http.headers
    assert [oauth.bulk("builds", build()).status_code, connect.bulk("builds", build()).status_code] == [401, 401]


def test_call_without_a_token_is_refused(jira: Any, build: Any) -> None:
    del jira.http.headers["Authorization"]
    answer = jira.bulk("builds", build())
    assert answer.status_code == 401
    assert answer.json()["errorMessages"]


def test_expired_token_is_refused_and_a_new_one_works(jira: Any, build: Any) -> None:
    jira.sandbox.expire_tokens()
    assert jira.bulk("builds", build()).status_code == 401


def test_revoked_credential_gets_no_token_and_its_tokens_end(sandbox: Sandbox, sign_in: Any, build: Any) -> None:
    minted = sandbox.mint("connect", "mine")
    caller = sign_in(sandbox, "connect", connect_key=minted["connect_key"])
    assert caller.bulk("builds", build()).status_code == 202
    sandbox.revoke("mine")
    assert caller.bulk("builds", build()).status_code == 401
    with pytest.raises(requests.HTTPError, match="401"):
        sign_in(sandbox, "connect", connect_key=minted["connect_key"])


def test_credential_without_permission_signs_in_but_is_forbidden(sandbox: Sandbox, sign_in: Any, build: Any) -> None:
    minted = sandbox.mint("oauth", permission=False)
    caller = sign_in(sandbox, client_id=minted["client_id"], client_secret=minted["client_secret"])
    answer = caller.bulk("builds", build())
    assert (answer.status_code, answer.json()["code"]) == (403, 403)


def test_unknown_cloud_id_is_not_found(oauth: Any, build: Any) -> None:
    oauth.site = "/cloud/00000000-0000-0000-0000-000000000000"
    assert oauth.bulk("builds", build()).status_code == 404


@pytest.mark.parametrize("spell", [str.upper, lambda cloud_id: cloud_id.replace("-", "")])
def test_cloud_id_is_known_in_every_spelling(oauth: Any, build: Any, spell: Callable[[str], str]) -> None:
    oauth.site = f"/cloud/{spell(oauth.sandbox.cloud_id)}"
    assert oauth.bulk("builds", build()).status_code == 202


# The bulk call


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


def test_each_entity_is_judged_on_its_own(jira: Any, build: Any) -> None:
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


def test_entity_of_which_jira_knows_no_key_is_rejected(jira: Any, build: Any) -> None:
    answer = jira.bulk("builds", build(issueKeys=["NO-1"])).json()
    assert (answer["acceptedBuilds"], answer["unknownIssueKeys"]) == ([], ["NO-1"])
    assert "unknown" in answer["rejectedBuilds"][0]["errors"][0]["message"]
    assert jira.sandbox.updates() == []


def test_associations_are_told_apart_by_type(jira: Any, deployment: Any) -> None:
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


def test_too_many_entities_are_too_much(oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(max_entities=2)
    entities = [build(buildNumber=number) for number in range(3)]
    assert oauth.bulk("builds", *entities).status_code == 413
    assert oauth.bulk("builds", *entities[:2]).status_code == 202


def test_too_many_bytes_are_too_much(oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(max_bytes=200_000)
    assert oauth.bulk("builds", build(description="x" * 300_000)).status_code == 413
    assert oauth.bulk("builds", build()).status_code == 202


def test_rate_limit_says_how_long_to_wait(jira: Any, build: Any) -> None:
    jira.sandbox.configure(rate_limit=2, rate_period=3600)
    answers = [jira.bulk("builds", build()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert 3500 < int(answers[2].headers["retry-after"]) <= 3600


def test_rate_limit_ends_with_its_period() -> None:
    from jira_ci_sandbox.jira_api.rate_limit import RateLimit
    from jira_ci_sandbox.settings import Settings

    now = [0.0]
    limit, settings = RateLimit(lambda: now[0]), Settings(rate_limit=1, rate_period=10)
    assert [limit.wait(settings), limit.wait(settings)] == [0, 10]
    now[0] = 10.0
    assert limit.wait(settings) == 0


# One entity at a time

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
def test_entity_that_is_not_there_is_not_found_or_nonsense(oauth: Any, number: str) -> None:
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


@pytest.mark.parametrize("verdict", ["awaiting", "allowed", "prevented", "expired", "invalid"])
def test_verdict_on_a_deployment_is_the_one_that_was_set(
    jira: Any, sandbox: Any, deployment: Any, verdict: str
) -> None:
    jira.bulk("deployments", deployment())
    sandbox.gate(verdict, "DEMO-7")
    answer = jira.call("GET", jira.deployment_address() + "/gating-status").json()
    assert answer["gatingStatus"] == verdict
    assert answer["details"] == [{"type": "issue", "issueKey": "DEMO-7", "issueLink": f"{sandbox.url}/browse/DEMO-7"}]


@pytest.mark.parametrize(("sequence", "status"), [(4, 200), (5, 404), ("x", 200), ("9" * 19, 200)])
def test_delete_spares_a_newer_update(oauth: Any, build: Any, sequence: object, status: int) -> None:
    oauth.bulk("builds", build(updateSequenceNumber=5))
    oauth.call("DELETE", oauth.build_address(), params={"_updateSequenceNumber": sequence})
    assert oauth.call("GET", oauth.build_address()).status_code == status


def test_entities_are_deleted_by_property(jira: Any, build: Any, deployment: Any) -> None:
    jira.bulk("builds", build(), properties={"run": "1", "team": "a"})
    jira.bulk("builds", build(buildNumber=2), properties={"run": "2", "team": "a"})
    jira.bulk("deployments", deployment(), properties={"run": "1"})
    by_properties = jira.base("builds") + "/bulkByProperties"
    assert jira.call("DELETE", by_properties, params={"run": "1", "_updateSequenceNumber": 0}).status_code == 202
    assert len(jira.sandbox.builds()) == 2
    assert jira.call("DELETE", by_properties, params={"run": "1", "team": "a"}).status_code == 202
    assert [build["buildNumber"] for build in jira.sandbox.builds()] == [2]
    assert len(jira.sandbox.deployments()) == 1


def test_delete_by_no_property_deletes_nothing(oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build())
    assert oauth.call("DELETE", oauth.base("builds") + "/bulkByProperties").status_code == 400
    assert len(oauth.sandbox.builds()) == 1


# What Jira has no answer to


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_bulk_address_takes_posts_only(jira: Any, method: str) -> None:
    answer = jira.call(method, jira.base("builds") + "/bulk")
    assert (answer.status_code, answer.json()["code"]) == (405, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/rest/api/3/issue/DEMO-1", "/jira/", "/rest/builds/0.1/bulk/", "/nothing"])
def test_unknown_address_is_not_found(sandbox: Sandbox, path: str) -> None:
    answer = requests.get(sandbox.url + path, timeout=20, allow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


def test_many_clients_at_once_lose_nothing(oauth: Any, build: Any) -> None:
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
