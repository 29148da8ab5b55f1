"""What all pages share: no resources of other hosts, no markup from reports, and forms of their own pages only."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import given, settings as hypothesis_settings, strategies as st

from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.pages.context import is_web_address, with_query
from jira_ci_sandbox.pages.sessions import MAX_FLASHES, Session, Sessions

PATHS = ["/", "/browse/DEMO-1", "/projects/DEMO/deployments", "/app", "/app/configure", "/app/links", "/requests"]
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}"


# Resources


@pytest.mark.parametrize("path", [*PATHS, "/browse/NO-1", "/?search=FOO-1"])
def test_pages_load_nothing_from_elsewhere(browser: Any, path: str) -> None:
    shown = browser.get(path)
    policy = shown.answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert shown.answer.headers["x-content-type-options"] == "nosniff"
    assert shown.answer.headers["cache-control"] == "no-store"
    for tag, attributes in shown.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag in ("script", "link"):
            assert (attributes.get("src") or attributes.get("href") or "").startswith("/")


@pytest.mark.parametrize(
    ("name", "kind"), [("style.css", "text/css"), ("script.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
)
def test_files_have_their_types(browser: Any, name: str, kind: str) -> None:
    answer = browser.get(f"/{name}").answer
    assert answer.headers["content-type"].startswith(kind)
    assert "https://" not in answer.text


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read_on_its_background(browser: Any, scheme: int) -> None:
    style = browser.get("/style.css").answer.text
    block = style.split(":root {")[scheme + 1].partition("}")[0]
    colors = dict(line.strip().removeprefix("--").split(": ") for line in block.split(";") if line.strip())
    states = ("good", "bad", "busy", "idle", "back")
    pairs = [(text, back) for text in ("text", "quiet", "link") for back in ("page", "card", "code")]
    pairs += [(state, f"{state}-soft") for state in states] + [(state, "card") for state in states]
    pairs += [("on-accent", "accent")]
    assert [(one, other) for one, other in pairs if contrast(colors[one], colors[other]) < 4.5] == []


# Markup


def report_everywhere(client: Any, build: Any, deployment: Any, text: str, url: str) -> None:
    """Report builds and deployments with a text in every field that takes one."""
    name = text[:255]
    reference = {"commit": {"id": text, "repositoryUri": url}, "ref": {"name": text, "uri": url}}
    texts = {"displayName": name, "label": name, "description": name}
    answer = client.bulk(
        "builds",
        build(pipelineId=name, url=url, references=[reference], **texts),
        providerMetadata={"product": text},
        properties={"name": text},
    )
    assert answer.json()["rejectedBuilds"] == []
    named = {"id": name, "displayName": name}
    pipeline, environment = named | {"url": url}, named | {"type": "unmapped"}
    answer = client.bulk("deployments", deployment(pipeline=pipeline, environment=environment, url=url, **texts))
    assert answer.json()["rejectedDeployments"] == []
    client.bulk("builds", build(state=text, updateSequenceNumber=9))
    client.call("GET", f"{client.sandbox.url}/rest/{requests.utils.quote(text)}?{requests.utils.quote(text)}")


def page_structure(browser: Any) -> dict[str, list[tuple[str, list[str]]]]:
    """The elements of all pages, with the names of their attributes; once with each drawer open."""
    shown = {path: browser.get(path) for path in PATHS}
    drawers = [link for link in shown["/browse/DEMO-1"].links if link and "show=" in link]
    for index, link in enumerate(drawers):
        shown[f"drawer {index}"] = browser.get(link.partition("#")[0])
    for page in shown.values():
        assert page.answer.status_code == 200
        assert not [link for link in page.links if not link.startswith(("/", "#", "http://", "https://"))]
    return {name: [(tag, sorted(given)) for tag, given in page.elements] for name, page in shown.items()}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300) | st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "&",
            '"',
            "'",
            "`",
            "<script>",
            "</script>",
            "<img src=x onerror=x>",
            "{{",
            "{%",
            "]]>",
            "\n",
            "data: ",
        ]
        + ["<!--", "</li></ul>", "javascript:", "&lt;", "\u2028", "\x00", "%3Cscript%3E", "x"]
    ),
    min_size=1,
    max_size=12,
).map("".join)


@hypothesis_settings(max_examples=40)
@given(text=TEXTS)
def test_hostile_text_stays_text(browser: Any, oauth: Any, build: Any, deployment: Any, text: str) -> None:
    seen = []
    for content in ("harmless", text):
        oauth.sandbox.reset()
        client = type(oauth)(oauth.sandbox)
        report_everywhere(client, build, deployment, content, "https://ci.example.com/run/1")
        browser.submit("/browse/DEMO-1", "/browse/DEMO-1/summary", summary=content)
        oauth.sandbox.configure()
        seen.append(page_structure(browser))
    assert seen[0].keys() == seen[1].keys()
    for name in seen[0]:
        tags = [{tag for tag, _ in one[name]} for one in seen]
        assert tags[1] <= tags[0], name
        attributes = [{(tag, *given) for tag, given in one[name]} for one in seen]
        assert attributes[1] <= attributes[0], name


def test_hostile_text_is_shown_escaped(browser: Any, oauth: Any, build: Any, deployment: Any) -> None:
    report_everywhere(oauth, build, deployment, HOSTILE, "https://ci.example.com/run/1")
    for path in ("/browse/DEMO-1", "/projects/DEMO/deployments", "/requests"):
        shown = browser.get(path)
        assert HOSTILE in shown.text, path
        assert shown.count("script") == 1
        assert shown.count("img") == 0


def test_names_of_credentials_stay_text(browser: Any) -> None:
    browser.submit("/app/links", "/app/links/create", name=HOSTILE)
    assert HOSTILE in browser.get("/app/links").text
    browser.submit("/app/links", "/app/links/revoke", name=HOSTILE)
    assert [one["revoked"] for one in browser.sandbox.credentials() if one["name"] == HOSTILE] == [True]


@hypothesis_settings(max_examples=40)
@given(
    scheme=st.sampled_from(["javascript", "JavaScript", "data", "vbscript", "file", "ftp", "blob"]),
    rest=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
)
def test_only_web_addresses_become_links(
    browser: Any, oauth: Any, build: Any, deployment: Any, scheme: str, rest: str
) -> None:
    url = f"{scheme}://x.example/{rest}"
    oauth.sandbox.reset()
    client = type(oauth)(oauth.sandbox)
    if client.bulk("builds", build(url=url)).json()["acceptedBuilds"] == []:
        return
    oauth.sandbox.reset()
    report_everywhere(type(oauth)(oauth.sandbox), build, deployment, "harmless", url)
    page_structure(browser)
    assert url in browser.get("/browse/DEMO-1").text


@pytest.mark.parametrize("text", ["http://[", "//x", "/x", "", "javascript:alert(1)"])
def test_other_addresses_are_no_web_addresses(text: str) -> None:
    assert not is_web_address(text)


def test_address_cannot_leave_its_attribute(browser: Any, oauth: Any, build: Any) -> None:
    url = 'https://ci.example.com/"onmouseover="alert(1)'
    oauth.bulk("builds", build(url=url))
    assert url in browser.get("/browse/DEMO-1").links


# Forms


def test_form_without_the_token_of_its_page_is_refused(browser: Any) -> None:
    browser.get()
    for fields in ({}, {"token": "x"}, {"token": "é"}):
        refused = browser.post("/app/links/create", name="mine", **fields)
        assert refused.answer.status_code == 403
        assert "Load the page again" in refused.text
    assert "mine" not in [one["name"] for one in browser.sandbox.credentials()]


def test_token_of_one_browser_is_invalid_in_another(browser: Any) -> None:
    fields = browser.get("/app/links").forms[-1][1]
    other = type(browser)(browser.sandbox)
    other.get()
    assert other.post("/app/links/create", **fields | {"name": "mine"}).answer.status_code == 403


def test_form_from_another_site_is_refused_even_with_a_token(browser: Any) -> None:
    fields = dict(browser.get("/app/links").forms)["/app/links/create"] | {"name": "mine"}
    for origin in ("https://evil.example", "null", f"{browser.sandbox.url}0"):
        assert browser.post("/app/links/create", {"Origin": origin}, **fields).answer.status_code == 403
    own = {"Origin": browser.sandbox.url}
    assert browser.post("/app/links/create", own, **fields).answer.status_code == 200


def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites(browser: Any) -> None:
    cookie = browser.get().answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "set-cookie" not in browser.get().answer.headers


def test_cookies_are_secure_over_https(run_server: Any) -> None:
    with run_server(tls=True) as sandbox:
        answer = requests.get(sandbox.url, verify=sandbox.ca_file, timeout=20)
        assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/\n/evil", "evil"])
def test_redirects_stay_on_this_site(browser: Any, back: str) -> None:
    fields = dict(browser.get().forms)["/person"] | {"back": back, "person": "member"}
    answer = browser.http.post(f"{browser.sandbox.url}/person", data=fields, allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_role_lasts_until_the_next_choice(browser: Any) -> None:
    browser.choose_role("member")
    assert browser.get().count("button", value="member", **{"aria-pressed": "true"}) == 1
    browser.choose_role("unknown")
    assert browser.get().count("button", value="member", **{"aria-pressed": "true"}) == 1
    browser.choose_role("administrator")
    assert browser.get().count("button", value="administrator", **{"aria-pressed": "true"}) == 1


@pytest.mark.parametrize(
    "action",
    ["/projects", "/app/install", "/app/uninstall", "/app/configure/permission", "/app/links/create"]
    + ["/app/links/revoke", "/requests/faults", "/requests/faults/clear", "/requests/limit", "/requests/clear"],
)
def test_changes_to_the_site_are_for_administrators(browser: Any, action: str) -> None:
    browser.choose_role("member")
    assert action not in [where for path in PATHS for where, _ in browser.get(path).forms if "links/" not in where]
    token = browser.get().forms[0][1]["token"]
    refused = browser.post(action, token=token, name="oauth-1")
    assert refused.answer.status_code == 403
    assert "Only an administrator" in refused.text


def test_form_that_is_too_large_changes_nothing(browser: Any, sandbox: Sandbox) -> None:
    fields = browser.get("/browse/DEMO-1").forms[-1][1]
    sandbox.configure(max_bytes=100)
    refused = browser.post("/browse/DEMO-1/summary", **fields | {"summary": "x" * 200})
    assert refused.answer.status_code == 403


def test_secrets_that_were_not_shown_are_dropped() -> None:
    sessions = Sessions()
    visitors = [Session(str(number), "member", "") for number in range(MAX_FLASHES + 1)]
    for visitor in visitors:
        sessions.flash(visitor, "connect", visitor.id)
    assert [sessions.take_flash(visitor, "connect") for visitor in visitors[:2]] == [None, "1"]
    assert sessions.take_flash(visitors[1], "connect") is None


def test_query_has_no_empty_values() -> None:
    assert with_query("/", a=None, b="", c="x y", d=2) == "/?c=x+y&d=2"
    assert with_query("/", a=None) == "/"
