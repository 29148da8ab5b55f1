"""The verdicts on calls in the request log."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from jira_ci_sandbox.client import Sandbox

Verdict = dict[str, Any]


def last_verdict(sandbox: Sandbox) -> Verdict:
    verdict: Verdict = sandbox.requests()[-1]["verdict"]
    return verdict


def last_problems(sandbox: Sandbox) -> str:
    """The problems of the last call as one text."""
    return "\n".join(f"{about}: {problem}" for about, problem in last_verdict(sandbox)["problems"])


def test_accepted_call_is_good(jira: Any, build: Any) -> None:
    jira.bulk("builds", build(), build(buildNumber=2))
    assert last_verdict(jira.sandbox) == {"tone": "good", "words": "accepted 2 builds", "problems": []}


def test_each_violation_is_explained_with_the_entity_and_the_rule_that_it_broke(oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(), build(buildNumber=2, state="done", displayName="x" * 256))
    assert last_verdict(oauth.sandbox)["words"] == "accepted 1 build, rejected 1 build"
    assert last_verdict(oauth.sandbox)["tone"] == "mixed"
    assert 'pipeline, 2: state: is "done"; it must be one of pending' in last_problems(oauth.sandbox)
    oauth.bulk("builds", {})
    assert "no identity: pipelineId: is missing; it is required" in last_problems(oauth.sandbox)
    oauth.bulk("builds", build(buildNumber=2, displayName="x" * 256))
    assert "pipeline, 2: displayName: has 256 characters; at most 255 are allowed" in last_problems(oauth.sandbox)


def test_call_without_an_accepted_entity_is_bad(oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(issueKeys=["NO-1"]))
    assert (last_verdict(oauth.sandbox)["tone"], last_verdict(oauth.sandbox)["words"]) == ("bad", "rejected 1 build")
    assert "NO-1: is not known here; an issue exists when its project does: DEMO" in last_problems(oauth.sandbox)


def test_unknown_service_is_explained(oauth: Any, deployment: Any) -> None:
    known = {"associationType": "issueKeys", "values": ["DEMO-1"]}
    unknown = {"associationType": "serviceIdOrKeys", "values": ["shop"]}
    oauth.bulk("deployments", deployment(associations=[known, unknown]))
    assert last_verdict(oauth.sandbox)["words"] == "accepted 1 deployment"
    assert "shop: is not known here" in last_problems(oauth.sandbox)


def test_stale_update_is_logged_although_the_client_is_not_told(oauth: Any, build: Any) -> None:
    for _ in range(2):
        oauth.bulk("builds", build())
    assert last_verdict(oauth.sandbox)["words"] == "accepted 1 build, 1 of them ignored as stale"
    assert "only a higher one replaces it" in last_problems(oauth.sandbox)


def test_refusals_say_which_credential_and_which_rule(sandbox: Sandbox, sign_in: Any, build: Any) -> None:
    minted = sandbox.mint("connect", "mine")
    client = sign_in(sandbox, "connect", connect_key=minted["connect_key"])
    assert last_verdict(sandbox)["words"] == "issued a token"
    client.call("POST", f"{sandbox.url}/jira/builds/0.1/cloud/{sandbox.cloud_id}/bulk", json={"builds": [build()]})
    assert "OAuth under /jira/" in last_problems(sandbox)
    sandbox.revoke("mine")
    client.bulk("builds", build())
    assert "authorization: mine was revoked" in last_problems(sandbox)
    requests.get(f"{sandbox.url}/token", timeout=20)
    assert "authorization: it is missing" in last_problems(sandbox)
    wrong = {"audience": "api.atlassian.com", "grant_type": "client_credentials", "client_id": "x"}
    requests.post(f"{sandbox.url}/oauth/token", json=wrong | {"client_secret": "y"}, timeout=20)
    assert "client_secret: the credential or token is not known here" in last_problems(sandbox)


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"json": {"builds": []}}, 400, "builds: is empty; it must have at least 1 value"),
        ({"data": "x"}, 415, "Content-Type is application/json"),
        ({"data": "x", "headers": {"Content-Type": "application/json"}}, 400, "The body is not JSON"),
    ],
)
def test_malformed_request_is_explained(oauth: Any, options: Any, status: int, words: str) -> None:
    assert oauth.call("POST", f"{oauth.base('builds')}/bulk", **options).status_code == status
    assert last_verdict(oauth.sandbox)["words"] == "was refused"
    assert words in last_problems(oauth.sandbox)


def test_rate_limit_is_explained(sandbox: Sandbox, sign_in: Any, build: Any) -> None:
    sandbox.configure(rate_limit=1, rate_period=1000)
    client = sign_in(sandbox, "connect")
    assert client.bulk("builds", build()).status_code == 202
    assert client.bulk("builds", build()).status_code == 429
    assert "wait as long as Retry-After says" in last_problems(sandbox)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("answer", "went wrong on demand (answer 503)"),
        ("lost", "went wrong on demand (lost), after it accepted 1 build"),
        ("half", "went wrong on demand (half), after it accepted 1 build"),
    ],
)
def test_fault_on_demand_is_distinguished_from_a_real_error(oauth: Any, build: Any, action: str, words: str) -> None:
    oauth.sandbox.fault(action)
    try:
        oauth.bulk("builds", build())
    except requests.RequestException:
        assert action != "answer"
    assert last_verdict(oauth.sandbox) == {"tone": "planned", "words": words, "problems": []}


def test_unknown_entity_and_wrong_method_are_explained(oauth: Any) -> None:
    oauth.call("GET", oauth.build_address(number=404))
    assert "No data found" in last_problems(oauth.sandbox)
    oauth.call("PUT", f"{oauth.base('builds')}/bulk")
    assert "arrives as a GET" in last_problems(oauth.sandbox)
