"""A request whose body cannot be written again, as text or as JSON, breaks the log of the local Jira for ever."""

from __future__ import annotations

import json

import pytest
import requests

BODIES = {
    "half a pair": b'{"builds": [{"pipelineId": "\\ud800"}]}',
    "half a pair in a name": b'{"\\udfff": 1}',
    "no number": b'{"builds": [NaN, -Infinity]}',
    "a number without end": b'{"updateSequenceNumber": 1e400}',
    "more digits than Python reads": b'{"a": ' + b"9" * 5000 + b"}",
    "too many levels": b"[" * 100_000,
    "many levels": b"[" * 900 + b"]" * 900,
    "no UTF-8": b'{"a": "\xff\xed\xa0\x80"}',
    "another encoding": '{"a": 1}'.encode("utf-16"),
    "controls": b'{"a": "\\u0000\\u001b[31m"}',
}


@pytest.fixture
def call(jira):
    with requests.Session() as session:
        session.trust_env = False
        form = {"client_id": jira.client_id, "client_secret": jira.client_secret, "grant_type": "client_credentials"}
        answer = session.post(f"{jira.url}/oauth/token", json={**form, "audience": "api.atlassian.com"}, timeout=30)
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        cloud_id = session.get(f"{jira.url}/_edge/tenant_info", timeout=30).json()["cloudId"]

        def send(method, path, body=None):
            headers = {"Content-Type": "application/json", "X-Sandbox": "1"}
            path = path.replace("CLOUD", cloud_id)
            return session.request(method, jira.url + path, data=body, headers=headers, timeout=30).status_code

        yield send


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_it_is_answered_and_the_pages_are_still_shown(call, jira, body):
    for method, path in (
        ("POST", "/jira/builds/0.1/cloud/CLOUD/bulk"),
        ("POST", "/oauth/token"),
        ("POST", "/rest/deployments/0.1/bulk"),
        ("POST", "/_sandbox/faults"),
        ("PUT", "/_sandbox/settings"),
    ):
        assert call(method, path, body) < 500, path
    for path in ("/requests", "/", "/app", "/_sandbox/requests", "/_sandbox/entities"):
        assert call("GET", path) < 500, path
    assert len(jira.requests()) == 5


def test_a_name_with_half_a_pair_is_stored_and_shown(call, jira):
    build = {
        "schemaVersion": "1.0",
        "pipelineId": "shop",
        "buildNumber": 1,
        "updateSequenceNumber": 1,
        "displayName": "a\ud800b",
        "url": "https://ci.example",
        "state": "failed",
        "lastUpdated": "2026-01-02T00:00:00Z",
        "issueKeys": ["MYT-1"],
    }
    assert call("POST", "/jira/builds/0.1/cloud/CLOUD/bulk", json.dumps({"builds": [build]})) == 202
    for path in (
        "/requests",
        "/browse/MYT-1",
        "/_sandbox/requests",
        "/jira/builds/0.1/cloud/CLOUD/pipelines/shop/builds/1",
    ):
        assert call("GET", path) == 200, path
    [stored] = jira.builds()
    assert stored["displayName"] == "a?b"
