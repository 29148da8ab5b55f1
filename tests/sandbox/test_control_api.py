"""The control API, and the requests that it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.errors import SandboxError


def control(sandbox: Sandbox, method: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_sandbox/{path}", headers=headers, timeout=20, **options)


# Refused requests


@pytest.mark.parametrize("headers", [{}, {"X-Sandbox": "0"}])
@pytest.mark.parametrize(("method", "path"), [("POST", "reset"), ("PUT", "settings"), ("DELETE", "faults")])
def test_change_needs_a_header_that_a_form_cannot_send(
    sandbox: Sandbox, headers: dict[str, str], method: str, path: str
) -> None:
    answer = control(sandbox, method, path, headers, data="{}")
    assert answer.status_code == 403
    assert "X-Sandbox" in answer.json()["errorMessages"][0]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil", "8.8.8.8"]
)
@pytest.mark.parametrize("path", ["/", "/browse/DEMO-1", "/_sandbox/requests", "/_sandbox/entities"])
def test_foreign_host_name_is_refused(sandbox: Sandbox, host: str, path: str) -> None:
    answer = requests.get(sandbox.url + path, headers={"Host": host, "X-Sandbox": "1"}, timeout=20)
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"])
def test_loopback_has_several_names(sandbox: Sandbox, host: str) -> None:
    assert control(sandbox, "GET", "settings", {"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["", "localhost:80/x", "[::1", "[x]"])
def test_malformed_host_is_refused(sandbox: Sandbox, host: str) -> None:
    assert control(sandbox, "GET", "settings", {"Host": host}).status_code == 403


def test_jira_itself_answers_under_any_name(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/_edge/tenant_info", headers={"Host": "myorg.atlassian.net"}, timeout=20)
    assert answer.status_code == 200


def test_no_answer_allows_another_origin(sandbox: Sandbox) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Headers": "x-sandbox"}
    for method in ("OPTIONS", "GET"):
        answer = control(sandbox, method, "settings", headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


# Credentials


def test_minted_credential_is_listed_without_its_secret(sandbox: Sandbox) -> None:
    minted = sandbox.mint("oauth", "mine", permission=False)
    [listed] = [credential for credential in sandbox.credentials() if credential["name"] == "mine"]
    assert listed["used_at"] is None
    assert listed | {"created_at": 0} == {
        "created_at": 0,
        "owner": "administrator",
        "used_at": None,
        "name": "mine",
        "kind": "oauth",
        "permission": False,
        "revoked": False,
        "client_id": minted["client_id"],
    }
    assert minted["client_secret"] not in json.dumps(sandbox.credentials())


def test_credentials_without_a_name_get_different_ones(sandbox: Sandbox) -> None:
    assert sandbox.mint("connect")["name"] != sandbox.mint("connect")["name"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "kind must be"),
        ({"kind": "basic"}, "kind must be"),
        ({"kind": "oauth", "name": "a b"}, "name must be"),
        ({"kind": "oauth", "name": 1}, "name is not"),
        ({"kind": "oauth", "permission": "no"}, "permission is not"),
        ({"kind": "oauth", "color": "red"}, "color is not"),
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_invalid_credential_is_refused(sandbox: Sandbox, body: Any, words: str) -> None:
    answer = control(
        sandbox, "POST", "credentials", {"X-Sandbox": "1"}, data=body if body is None else json.dumps(body)
    )
    assert answer.status_code == 400
    assert words in answer.json()["errorMessages"][0]


def test_name_of_a_credential_is_unique(sandbox: Sandbox) -> None:
    sandbox.mint("connect", "mine")
    with pytest.raises(SandboxError, match="named mine already"):
        sandbox.mint("oauth", "mine")


def test_unknown_credential_cannot_be_revoked(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="no credential named unknown"):
        sandbox.revoke("unknown")


def test_body_that_is_no_json_is_refused(sandbox: Sandbox) -> None:
    assert control(sandbox, "POST", "faults", {"X-Sandbox": "1"}, data="{").status_code == 400


# Settings


def test_settings_change_one_by_one(sandbox: Sandbox) -> None:
    before = sandbox.configure()
    after = sandbox.configure(projects=("OTHER",), storage_delay=2)
    assert after == before | {"projects": ["OTHER"], "storage_delay": 2}
    assert sandbox.configure() == after


def test_unknown_setting_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="speed is not a setting"):
        sandbox.configure(speed=1)


def test_changed_projects_apply_at_once(oauth: Any, build: Any) -> None:
    oauth.sandbox.configure(projects=["MY*"])
    assert oauth.bulk("builds", build()).json()["acceptedBuilds"] == []
    assert len(oauth.bulk("builds", build(issueKeys=["MYAPP-1"])).json()["acceptedBuilds"]) == 1


# The request log


def test_log_has_call_credential_and_status(jira: Any, build: Any) -> None:
    jira.call("POST", jira.base("builds") + "/bulk?x=1", json={"builds": [build()]})
    signing_in, call = jira.sandbox.requests()
    assert (call["method"], call["query"], call["status"]) == ("POST", "x=1", 202)
    assert call["path"] == jira.base("builds").removeprefix(jira.sandbox.url) + "/bulk"
    assert call["body"] == {"builds": [build()]}
    assert call["headers"]["content-type"] == "application/json"
    assert call["credential"] == signing_in["credential"]
    assert call["credential"] in [credential["name"] for credential in jira.sandbox.credentials()]


def test_log_holds_no_secrets(sandbox: Sandbox, sign_in: Any) -> None:
    callers = [sign_in(sandbox), sign_in(sandbox, "connect")]
    for client in callers:
        client.call("GET", client.build_address(), headers={"Cookie": "session=hidden"})
    requests.get(f"{sandbox.url}/token", headers={"Authorization": "hidden as well"}, timeout=20)
    text = json.dumps(sandbox.requests())
    tokens = [str(client.http.headers["Authorization"]).split()[1] for client in callers]
    secrets = [sandbox.client_secret, sandbox.connect_key, "hidden", *tokens]
    assert [secret for secret in secrets if secret in text] == []
    assert '"Bearer ***"' in text
    assert sandbox.client_id in text


@pytest.mark.parametrize(("body", "logged"), [("[1]", [1]), ("secret=x", None), ("", None), ("[" * 100_000, None)])
def test_log_holds_json_only(sandbox: Sandbox, body: str, logged: Any) -> None:
    requests.post(f"{sandbox.url}/oauth/token", data=body, timeout=20)
    assert [request["body"] for request in sandbox.requests()] == [logged]


def test_log_has_no_pages_and_can_be_emptied(oauth: Any) -> None:
    requests.get(oauth.sandbox.url, timeout=20)
    assert [request["path"] for request in oauth.sandbox.requests()] == ["/oauth/token"]
    assert oauth.sandbox.requests("/bulk") == []
    control(oauth.sandbox, "DELETE", "requests", {"X-Sandbox": "1"})
    assert oauth.sandbox.requests() == []


# Stored entities


def test_entities_have_their_known_issue_keys_however_they_were_sent(jira: Any, build: Any, deployment: Any) -> None:
    jira.bulk("builds", build(issueKeys=["DEMO-1", "NO-1"]), properties={"a": "b"}, providerMetadata={"product": "CI"})
    associations = [{"associationType": kind, "values": ["DEMO-2", "NO-1"]} for kind in ("issueKeys", "issueIdOrKeys")]
    jira.bulk("deployments", deployment(associations=associations))
    [stored] = jira.sandbox.builds()
    assert (stored["issueKeys"], stored["properties"], stored["product"]) == (["DEMO-1"], {"a": "b"}, "CI")
    assert stored["state"] == "successful"
    [stored] = jira.sandbox.deployments()
    assert stored["issueKeys"] == ["DEMO-2"]


def test_reset_deletes_everything_but_the_credentials_of_the_start(sandbox: Sandbox, sign_in: Any, build: Any) -> None:
    sandbox.mint("connect", "mine")
    sandbox.configure(projects=["*"], rate_limit=1)
    sandbox.fault("html")
    client = sign_in(sandbox)
    client.bulk("builds", build())
    sandbox.revoke(sandbox.credentials()[0]["name"])
    sandbox.reset()
    assert (sandbox.builds(), sandbox.updates(), sandbox.requests(), sandbox.faults()) == ([], [], [], [])
    assert sandbox.configure()["projects"] == ["DEMO"]
    assert "mine" not in [credential["name"] for credential in sandbox.credentials()]
    assert client.bulk("builds", build()).status_code == 401
    assert sign_in(sandbox).bulk("builds", build()).status_code == 202
