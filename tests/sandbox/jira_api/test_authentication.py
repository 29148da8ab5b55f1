"""The token endpoints, and the check of tokens before other calls."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from jira_ci_sandbox.client import Sandbox

from ..conftest import NOT_JSON

VALID_TOKEN_REQUEST = {"audience": "api.atlassian.com", "grant_type": "client_credentials"}


def request_token(sandbox: Sandbox, **changes: Any) -> requests.Response:
    body = {**VALID_TOKEN_REQUEST, "client_id": sandbox.client_id, "client_secret": sandbox.client_secret, **changes}
    return requests.post(f"{sandbox.url}/oauth/token", json=body, timeout=20)


# Signing in


def test_oauth_token_lasts_15_minutes(sandbox: Sandbox) -> None:
    answer = request_token(sandbox)
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
def test_wrong_request_for_an_oauth_token_is_refused(
    sandbox: Sandbox, changes: dict[str, Any], status: int, error: str
) -> None:
    answer = request_token(sandbox, **changes)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_refused_oauth_client_is_told_unauthorized(sandbox: Sandbox) -> None:
    answer = request_token(sandbox, client_secret="wrong")
    assert answer.json() == {"error": "access_denied", "error_description": "Unauthorized"}


def test_connect_key_is_no_client_secret(sandbox: Sandbox) -> None:
    assert request_token(sandbox, client_secret=sandbox.connect_key).status_code == 401


@pytest.mark.parametrize("body", [*NOT_JSON, b"[]"])
def test_request_for_an_oauth_token_that_is_no_object_is_refused(sandbox: Sandbox, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{sandbox.url}/oauth/token", data=body, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_request_for_an_oauth_token_as_a_form_is_refused(sandbox: Sandbox) -> None:
    assert requests.post(f"{sandbox.url}/oauth/token", data=VALID_TOKEN_REQUEST, timeout=20).status_code == 415


def test_too_large_request_for_an_oauth_token_is_refused(sandbox: Sandbox) -> None:
    sandbox.configure(max_bytes=10)
    assert request_token(sandbox).status_code == 400


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


def test_tenant_info_has_the_cloud_id_and_needs_no_token(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/_edge/tenant_info", timeout=20)
    assert answer.json() == {"cloudId": sandbox.cloud_id}


# The check of tokens


def test_oauth_token_is_refused_by_the_site_and_a_connect_token_by_the_cloud(
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
    client = sign_in(sandbox, "connect", connect_key=minted["connect_key"])
    assert client.bulk("builds", build()).status_code == 202
    sandbox.revoke("mine")
    assert client.bulk("builds", build()).status_code == 401
    with pytest.raises(requests.HTTPError, match="401"):
        sign_in(sandbox, "connect", connect_key=minted["connect_key"])


def test_credential_without_permission_signs_in_but_is_forbidden(sandbox: Sandbox, sign_in: Any, build: Any) -> None:
    minted = sandbox.mint("oauth", permission=False)
    client = sign_in(sandbox, client_id=minted["client_id"], client_secret=minted["client_secret"])
    answer = client.bulk("builds", build())
    assert (answer.status_code, answer.json()["code"]) == (403, 403)


def test_unknown_cloud_id_is_not_found(oauth: Any, build: Any) -> None:
    oauth.site = "/cloud/00000000-0000-0000-0000-000000000000"
    assert oauth.bulk("builds", build()).status_code == 404


@pytest.mark.parametrize("spell", [str.upper, lambda cloud_id: cloud_id.replace("-", "")])
def test_cloud_id_is_known_in_every_spelling(oauth: Any, build: Any, spell: Callable[[str], str]) -> None:
    oauth.site = f"/cloud/{spell(oauth.sandbox.cloud_id)}"
    assert oauth.bulk("builds", build()).status_code == 202
