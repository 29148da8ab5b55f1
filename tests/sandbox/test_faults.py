"""Faults on demand, as a client sees them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from jira_ci_sandbox.buffered_response import BufferedResponse
from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.errors import SandboxError
from jira_ci_sandbox.faults import ACTIONS, fault_from_json


def statuses(sandbox: Sandbox) -> list[int | None]:
    return [request["status"] for request in sandbox.requests("/bulk")]


def test_answer_of_choice_is_given_as_often_as_planned(jira: Any, build: Any) -> None:
    jira.sandbox.fault("answer", status=429, headers={"Retry-After": "7"}, body={"message": "slow down"}, count=2)
    answers = [jira.bulk("builds", build()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[0].json() == {"message": "slow down"}
    assert statuses(jira.sandbox) == [429, 429, 202]
    assert jira.sandbox.faults() == []


def test_answer_of_choice_stores_nothing(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("answer", status=500)
    assert oauth.bulk("builds", build()).headers["content-type"] == "text/plain"
    assert oauth.sandbox.updates() == []


@pytest.mark.parametrize("status", [204, 304, 599])
def test_answer_may_have_any_status(oauth: Any, build: Any, status: int) -> None:
    oauth.sandbox.fault("answer", status=status, body="text")
    answer = oauth.bulk("builds", build())
    assert (answer.status_code, answer.text) == (status, "text" if status == 599 else "")
    assert oauth.bulk("builds", build()).status_code == 202


def test_redirect_names_the_new_place(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("redirect", location="https://new.example.com/rest")
    answer = oauth.bulk("builds", build())
    assert (answer.status_code, answer.headers["location"]) == (302, "https://new.example.com/rest")
    oauth.sandbox.fault("redirect", location="/", status=308)
    assert oauth.bulk("builds", build()).status_code == 308


def test_login_page_looks_like_success(sandbox: Sandbox) -> None:
    sandbox.fault("html", match="token")
    answer = requests.get(f"{sandbox.url}/token", timeout=20)
    assert answer.status_code == 200
    assert "<form>" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_malformed_answer_is_no_json(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("malformed")
    answer = oauth.bulk("builds", build())
    assert answer.status_code == 202
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()
    assert len(oauth.sandbox.builds()) == 1


def test_empty_answer_has_no_body(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("empty")
    answer = oauth.bulk("builds", build())
    assert (answer.status_code, answer.content) == (202, b"")


def test_missing_fields_are_all_that_is_missing(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("missing", fields=["acceptedBuilds", "unknownAssociations"])
    assert oauth.bulk("builds", build()).json() == {"rejectedBuilds": [], "unknownIssueKeys": []}


@pytest.mark.parametrize("body", [b"text", b"[1]"])
def test_missing_fields_of_an_answer_without_fields_leave_nothing(body: bytes) -> None:
    fault = fault_from_json({"action": "missing", "fields": ["a"]})
    assert fault.apply(BufferedResponse(200, {}, body)).body == b""


@pytest.mark.parametrize(("action", "is_done"), [("reset", False), ("lost", True), ("half", True)])
def test_broken_connection_may_or_may_not_mean_that_jira_did_its_work(
    jira: Any, build: Any, action: str, is_done: bool
) -> None:
    jira.sandbox.fault(action)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as caught:
        jira.bulk("builds", build())
    assert ("IncompleteRead" in str(caught.value)) == (action == "half")
    assert bool(jira.sandbox.builds()) is is_done
    assert statuses(jira.sandbox) == [None]
    assert jira.bulk("builds", build()).status_code == 202


def test_slow_answer_comes_too_late_for_an_impatient_client(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("slow", seconds=3600)
    with pytest.raises(requests.ReadTimeout):
        oauth.http.post(oauth.base("builds") + "/bulk", json={"builds": [build()]}, timeout=0.2)
    assert len(oauth.sandbox.builds()) == 1
    assert statuses(oauth.sandbox) == [202]


def test_slow_answer_comes_after_its_delay(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("slow", seconds=0.05)
    answer = oauth.bulk("builds", build())
    assert answer.status_code == 202
    assert answer.elapsed.total_seconds() >= 0.05


def test_slow_answer_does_not_keep_the_server_from_stopping(run_server: Any, sign_in: Any, build: Any) -> None:
    with run_server() as sandbox:
        oauth = sign_in(sandbox)
        sandbox.fault("slow", seconds=3600)
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(oauth.bulk("builds", build()).status_code))
        thread.start()
        while not statuses(sandbox):
            pass
    thread.join(timeout=20)
    assert answers == [202]


@pytest.mark.parametrize(
    ("match", "path", "applies"),
    [
        ("any", "/_edge/tenant_info", True),
        ("token", "/oauth/token", True),
        ("token", "/token", True),
        ("token", "/_edge/tenant_info", False),
        ("tenant", "/_edge/tenant_info", True),
        ("bulk", "/rest/builds/0.1/bulk", True),
        ("bulk", "/rest/builds/0.1/bulkByProperties", False),
        ("builds", "/jira/builds/0.1/cloud/1/bulk", True),
        ("builds", "/jira/deployments/0.1/cloud/1/bulk", False),
        ("deployments", "/rest/deployments/0.1/pipelines/1", True),
        ("/rest/*", "/rest/builds/0.1/bulk", True),
        ("/rest/*", "/jira/builds/0.1/cloud/1/bulk", False),
    ],
)
def test_fault_applies_to_matching_calls(match: str, path: str, applies: bool) -> None:
    assert fault_from_json({"action": "empty", "match": match}).matches(path) is applies


def test_every_nth_call_fails(oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("answer", status=503, count=2, every=3)
    oauth.sandbox.fault("answer", status=429, every=2)
    assert [oauth.bulk("builds", build()).status_code for _ in range(4)] == [202, 429, 503, 202]
    assert [(fault["status"], fault["count"]) for fault in oauth.sandbox.faults()] == [(503, 1)]
    assert [oauth.bulk("builds", build()).status_code for _ in range(4)] == [202, 503, 202, 202]
    assert oauth.sandbox.faults() == []


def test_faults_leave_pages_and_the_control_api_alone(sandbox: Sandbox) -> None:
    sandbox.fault("reset", match="any")
    assert requests.get(sandbox.url, timeout=20).status_code == 200
    assert len(sandbox.faults()) == 1
    sandbox.clear_faults()
    assert sandbox.faults() == []


@pytest.mark.parametrize(
    ("details", "word"),
    [
        ({"action": "explode"}, "action"),
        ({"action": 1}, "action"),
        ({"match": "everything"}, "match"),
        ({"count": 0}, "count"),
        ({"status": 600}, "status"),
        ({"status": "500"}, "status"),
        ({"headers": []}, "headers"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"a": "b\nc"}}, "headers"),
        ({"headers": {"a": 1}}, "headers"),
        ({"headers": {"Content-Length": "1"}}, "headers"),
        ({"location": "a\nb"}, "location"),
        ({"seconds": -1}, "seconds"),
        ({"fields": "a"}, "fields"),
        ({"speed": 1}, "speed"),
    ],
)
def test_invalid_fault_is_refused(sandbox: Sandbox, details: dict[str, Any], word: str) -> None:
    with pytest.raises(SandboxError, match=f"{word} (must be|is not a field)"):
        sandbox.fault(**({"action": "empty"} | details))


@pytest.mark.parametrize(("value", "words"), [([], "an object"), ({}, "action is missing"), ({"body": 1}, "a string")])
def test_json_that_describes_no_fault_is_refused(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fault_from_json(value)


def test_every_action_is_documented_for_people() -> None:
    from importlib.metadata import metadata

    readme = str(metadata("jira-ci-sandbox").get_payload())
    assert [action for action in ACTIONS if f"`{action}`" not in readme] == []
