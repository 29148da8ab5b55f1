"""The pages of the app, of its tokens, and of OAuth clients."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

CONFIGURE, LINKS = "/app/configure", "/app/links"


@pytest.fixture
def empty_site(run_server: Any) -> Any:
    """A sandbox without credentials."""
    with run_server(with_credentials=False) as sandbox:
        yield sandbox


def shown_token(page: Any) -> str:
    found = re.findall(r"connect-key-[\w-]+", page.text)
    assert len(set(found)) == 1, page.text
    return str(found[0])


def is_valid_key(sandbox: Any, key: str) -> bool:
    answer = requests.get(f"{sandbox.url}/token", headers={"Authorization": f"Bearer {key}"}, timeout=20)
    return answer.status_code == 200


# Installing


def test_app_has_to_be_installed_before_it_is_configured(empty_site: Any, browser: Any) -> None:
    here = type(browser)(empty_site)
    assert "not installed" in here.get("/app").text
    assert "Install it once for this site" in here.get(CONFIGURE).text
    fields = here.get("/app").forms[-1][1]
    refused = here.post(f"{CONFIGURE}/generate", **fields | {"name": "early"})
    assert (refused.answer.status_code, empty_site.credentials()) == (409, [])
    installed = here.submit("/app", "/app/install")
    assert installed.answer.url.endswith(CONFIGURE)
    assert "No tokens yet" in installed.text


def test_app_is_installed_where_a_token_was_minted(browser: Any) -> None:
    assert "installed on" in browser.get("/app").text


def test_report_through_an_app_that_was_uninstalled_is_refused(
    browser: Any, sandbox: Any, sign_in: Any, build: Any
) -> None:
    client = sign_in(sandbox, "connect")
    assert client.bulk("builds", build()).status_code == 202
    browser.submit("/app", "/app/uninstall")
    assert client.bulk("builds", build()).status_code == 401
    assert not is_valid_key(sandbox, sandbox.connect_key)
    assert "Install the Harness CI Jira app" in browser.get("/app").text
    assert len(sandbox.builds()) == 1


# Tokens


def test_generated_token_is_shown_once_and_works_at_once_until_it_is_revoked(browser: Any, sandbox: Any) -> None:
    page = browser.submit(CONFIGURE, f"{CONFIGURE}/generate", name="The shop's pipeline")
    assert page.answer.request.method == "GET"
    assert "Copy the token of The shop's pipeline now" in page.text
    key = shown_token(page)
    assert is_valid_key(sandbox, key)
    again = browser.get(CONFIGURE)
    assert key not in again.text
    assert "The shop's pipeline" in again.text
    browser.submit(CONFIGURE, f"{CONFIGURE}/revoke", name="The shop's pipeline")
    assert not is_valid_key(sandbox, key)


def test_list_shows_when_a_token_was_created_and_last_used(browser: Any, sandbox: Any) -> None:
    key = shown_token(browser.submit(CONFIGURE, f"{CONFIGURE}/generate", name="mine"))
    assert "mine created just now by an administrator never used" in browser.get(CONFIGURE).text
    is_valid_key(sandbox, key)
    assert "mine created just now by an administrator last used just now" in browser.get(CONFIGURE).text


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b"])
def test_invalid_name_is_explained_next_to_the_field(browser: Any, name: str) -> None:
    page = browser.submit(CONFIGURE, f"{CONFIGURE}/generate", name=name)
    assert page.answer.status_code == 400
    assert "Give it a name of 1 to 100 characters" in page.text
    assert page.count("input", **{"aria-invalid": "true", "aria-describedby": "name-hint name-problem"}) == 1


def test_name_must_be_unique(browser: Any) -> None:
    browser.submit(CONFIGURE, f"{CONFIGURE}/generate", name="mine")
    for path, action in ((CONFIGURE, "generate"), (LINKS, "create")):
        page = browser.submit(path, f"{path}/{action}", name="mine")
        assert "There is one named mine already" in page.text


def test_token_that_is_not_listed_cannot_be_revoked(browser: Any) -> None:
    fields = dict(browser.get(CONFIGURE).forms)[f"{CONFIGURE}/revoke"]
    for name in ("unknown", "oauth-1"):
        assert browser.post(f"{CONFIGURE}/revoke", **fields | {"name": name}).answer.status_code == 404
    assert not [one for one in browser.sandbox.credentials() if one["revoked"]]


# Permissions


def test_users_generate_their_own_tokens_once_an_administrator_allows_it(browser: Any, sandbox: Any) -> None:
    fields = browser.get(CONFIGURE).forms
    token = {"token": fields[0][1]["token"]}
    browser.choose_role("member")
    assert "has not allowed users to generate their own tokens" in browser.get(CONFIGURE).text
    assert browser.post(f"{CONFIGURE}/generate", name="mine", **token).answer.status_code == 403
    browser.choose_role("administrator")
    assert browser.submit(CONFIGURE, f"{CONFIGURE}/permission").count("button", **{"aria-checked": "true"}) == 1
    browser.choose_role("member")
    key = shown_token(browser.submit(CONFIGURE, f"{CONFIGURE}/generate", name="mine"))
    assert is_valid_key(sandbox, key)
    mine = browser.get(CONFIGURE).text
    assert "by a team member" in mine
    assert "by an administrator" not in mine
    assert browser.post(f"{CONFIGURE}/revoke", name=sandbox.credentials()[1]["name"], **token).answer.status_code == 404
    browser.submit(CONFIGURE, f"{CONFIGURE}/revoke", name="mine")
    assert not is_valid_key(sandbox, key)
    browser.choose_role("administrator")
    browser.submit(CONFIGURE, f"{CONFIGURE}/permission")
    browser.choose_role("member")
    assert browser.post(f"{CONFIGURE}/generate", name="other", **token).answer.status_code == 403


# Incoming links


def test_created_client_is_shown_once_and_works_until_it_is_revoked(
    browser: Any, sandbox: Any, sign_in: Any, build: Any
) -> None:
    page = browser.submit(LINKS, f"{LINKS}/create", name="our CI")
    [secret] = set(re.findall(r"client-secret-[\w-]+", page.text))
    [client_id] = {one["client_id"] for one in sandbox.credentials() if one["name"] == "our CI"}
    assert client_id in page.text
    client = sign_in(sandbox, client_id=client_id, client_secret=secret)
    assert client.bulk("builds", build()).status_code == 202
    assert secret not in browser.get(LINKS).text
    browser.submit(LINKS, f"{LINKS}/revoke", name="our CI")
    assert client.bulk("builds", build(buildNumber=2)).status_code == 401
    with pytest.raises(requests.HTTPError):
        sign_in(sandbox, client_id=client_id, client_secret=secret)


def test_long_lists_say_how_many_they_leave_out(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from jira_ci_sandbox.pages import app

    monkeypatch.setattr(app, "MAX_SHOWN", 1)
    for name in ("one", "two"):
        browser.submit(CONFIGURE, f"{CONFIGURE}/generate", name=name)
    assert "2 older ones are not listed" in browser.get(CONFIGURE).text


def test_restart_keeps_changes_made_on_the_pages(run_server: Any, browser: Any, build: Any, tmp_path: Any) -> None:
    data = tmp_path / "jira.db"
    with run_server(data=data, with_credentials=False) as first:
        here = type(browser)(first)
        here.submit("/app", "/app/install")
        here.submit(CONFIGURE, f"{CONFIGURE}/permission")
        key = shown_token(here.submit(CONFIGURE, f"{CONFIGURE}/generate", name="mine"))
        here.submit("/", "/projects", project="SHOP")
        here.submit("/browse/SHOP-1", "/browse/SHOP-1/summary", summary="Kept")
    with run_server(data=data, with_credentials=False) as second:
        again = type(browser)(second)
        assert "Kept" in again.get("/browse/SHOP-1").text
        assert again.get(CONFIGURE).count("button", **{"aria-checked": "true"}) == 1
        assert "mine created just now" in again.get(CONFIGURE).text
        assert is_valid_key(second, key)
