"""Every page, narrow and wide, light and dark: it is accessible, and no wider than the screen."""

from __future__ import annotations

from typing import Any

import pytest

from jira_ci_sandbox.client import Sandbox

PAGES = {
    "issues": "/",
    "issue": "/browse/DEMO-1",
    "nothing-found": "/?search=FOO-1",
    "no-news": "/browse/DEMO-99",
    "unknown": "/browse/FOO-1",
    "timeline": "/projects/DEMO/deployments",
    "no-deployments": "/projects/MYT/deployments",
    "app": "/app",
    "configure": "/app/configure",
    "links": "/app/links",
    "requests": "/requests",
}
WIDTHS = {"wide": 1440, "narrow": 360}
LONG_NAME = "An-environment-whose-name-has-no-place-for-a-line-break-" * 3


@pytest.fixture
def filled_site(site: Sandbox, client: Any) -> Sandbox:
    """A site with every state and environment type, long names, and stale and rejected updates."""
    fill_site(site, client)
    return site


def fill_site(site: Sandbox, client: Any) -> None:
    states = ["pending", "in_progress", "successful", "failed", "cancelled", "unknown", "rolled_back"]
    types = ["production", "staging", "testing", "development", "unmapped"]
    common = {"updateSequenceNumber": 5, "url": "https://ci.example.com/run", "lastUpdated": "2026-01-01T12:00:00Z"}
    for number, state in enumerate(states[:-1]):
        counts = {"totalNumber": 9, "numberPassed": 6, "numberFailed": 2, "numberSkipped": 1}
        build = {"pipelineId": "shop", "buildNumber": number, "displayName": f"shop #{number}", "state": state}
        build |= {
            "description": "[DEMO-1] Let people pay",
            "testInfo": counts,
            "issueKeys": ["DEMO-1", "DEMO-2", "NO-1"],
        }
        assert client.bulk("builds", common | build).json()["rejectedBuilds"] == []
        client.bulk("builds", common | build | {"updateSequenceNumber": 1})
    pipeline = {"id": "shop", "displayName": "shop", "url": "https://ci.example.com/shop"}
    for number, state in enumerate(states):
        type = types[number % len(types)]
        environment = {"id": f"{type}", "displayName": LONG_NAME if type == "unmapped" else type, "type": type}
        deployment = {
            "deploymentSequenceNumber": number,
            "displayName": f"shop #{number}",
            "state": state,
            "label": "1.2",
        }
        deployment |= {"description": "", "pipeline": pipeline, "environment": environment, "issueKeys": ["DEMO-1"]}
        assert client.bulk("deployments", common | deployment).json()["rejectedDeployments"] == []
    client.bulk("builds", {"state": "done"})
    site.fault("answer", match="tenant")
    client.call("GET", f"{site.url}/_edge/tenant_info")
    client.call("GET", f"{site.url}/token")
    site.fault("answer", status=429, count=3)
    site.configure(rate_limit=100)
    site.mint("connect", "old")
    site.revoke("old")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS)
def test_every_page_is_accessible_and_fits_the_screen(
    open_page: Any, axe_violations: Any, save_picture: Any, filled_site: Sandbox, size: str, scheme: str
) -> None:
    page = open_page(size=size, scheme=scheme)
    found: list[str] = []

    def check(name: str) -> None:
        save_picture(page, name)
        found.extend(axe_violations(page))
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > WIDTHS[size]:
            found.append(f"{name} is {width} pixels wide")

    for name, path in PAGES.items():
        page.goto(filled_site.url + path)
        check(name)
    page.goto(f"{filled_site.url}/browse/DEMO-1")
    page.get_by_role("link", name="Data of build shop #3").click()
    page.locator("#drawer").wait_for()
    check("drawer")
    page.goto(f"{filled_site.url}/requests")
    page.locator(".call summary").first.click()
    check("request")
    page.goto(f"{filled_site.url}/app/configure")
    page.get_by_label("Name of the token").fill("new")
    page.keyboard.press("Enter")
    page.locator("#made").wait_for()
    check("made")
    page.get_by_label("Name of the token").fill("new")
    page.keyboard.press("Enter")
    page.locator("#name-problem").wait_for()
    check("problem")
    page.get_by_role("button", name="Team member").click()
    for name in ("app", "configure", "links", "requests"):
        page.goto(filled_site.url + PAGES[name])
        check(f"member-{name}")
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_empty_pages_are_accessible(
    open_page: Any, axe_violations: Any, save_picture: Any, site: Sandbox, scheme: str
) -> None:
    page = open_page(scheme=scheme)
    page.goto(f"{site.url}/app")
    page.get_by_text("Uninstall the app").click()
    page.get_by_role("button", name="Uninstall").click()
    found = axe_violations(page)
    for name in ("issues", "timeline", "links", "requests"):
        page.goto(site.url + PAGES[name])
        save_picture(page, name)
        found += axe_violations(page)
    assert found == []


def test_scheme_follows_the_system(open_page: Any) -> None:
    def brightness(scheme: str) -> float:
        page = open_page(scheme=scheme)
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))

    assert brightness("light") > 3 * 200
    assert brightness("dark") < 3 * 60


def test_script_in_a_name_never_runs(open_page: Any, site: Sandbox, client: Any) -> None:
    hostile = "<img src=/x onerror=document.title='owned'><script>document.title='owned'</script>"
    build = {
        "pipelineId": hostile,
        "buildNumber": 1,
        "displayName": hostile,
        "state": "successful",
        "issueKeys": ["DEMO-1"],
    }
    build |= {
        "updateSequenceNumber": 1,
        "url": "javascript://x/%0adocument.title='owned'",
        "lastUpdated": "2026-01-01T12:00:00Z",
    }
    page = open_page("/requests")
    page.get_by_text("Live.").wait_for()
    assert client.bulk("builds", build, {"displayName": hostile}).json()["acceptedBuilds"]
    page.locator(".call", has_text="rejected 1 build").wait_for()
    for path in ("/requests", "/browse/DEMO-1", "/"):
        assert "owned" not in page.title()
        page.goto(site.url + path)
    assert page.locator("a[href^='javascript:']").count() == 0
