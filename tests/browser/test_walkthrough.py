"""The pages by clicking: installing the app, credentials, a report, the issue, the run, and revoking credentials."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from jira_ci_sandbox.client import Sandbox


def generate(page: Any, name: str, button: str = "Generate") -> None:
    page.get_by_label(re.compile("^Name of the")).fill(name)
    page.get_by_role("button", name=button, exact=True).click()


def revoke(page: Any, name: str) -> None:
    page.get_by_role("button", name=f"Revoke {name}").click()
    page.locator("li.revoked", has_text=name).wait_for()


def test_token_from_the_configure_page_works_until_it_is_revoked(
    open_page: Any, report: Any, shown_settings: Any, save_picture: Any, site: Sandbox
) -> None:
    page = open_page()
    assert "Nothing here yet" in page.inner_text("main")
    save_picture(page, "nothing-yet")

    page.get_by_role("link", name="App", exact=True).click()
    page.get_by_text("Uninstall the app").click()
    page.get_by_role("button", name="Uninstall").click()
    save_picture(page, "not-installed")
    page.get_by_role("button", name="Install the Harness CI Jira app").click()
    generate(page, "The shop's pipeline")
    settings = shown_settings(page)
    assert page.locator(".secret code").inner_text() == settings["JIRA_CI_CONNECT_KEY"]
    save_picture(page, "token")

    done = report(settings)
    assert done.code == 0, done.text
    page.reload()
    assert settings["JIRA_CI_CONNECT_KEY"] not in page.content()
    assert re.search("last used", page.locator("li", has_text="The shop's pipeline").inner_text())

    page.get_by_role("link", name="Issues", exact=True).click()
    page.get_by_role("link", name="DEMO-1").click()
    build = page.get_by_role("region", name="Builds").locator("li")
    assert "successful" in build.inner_text()
    assert "checkout #7" in build.inner_text()
    save_picture(page, "issue")
    page.get_by_role("link", name="Data of build checkout #7").click()
    assert '"pipelineId": "checkout"' in page.locator("#drawer").inner_text()
    assert "The shop's pipeline" in page.locator("#drawer").inner_text()
    page.keyboard.press("Escape")
    page.locator("#drawer").wait_for(state="detached")
    page.get_by_role("region", name="Builds").get_by_role("link", name="checkout #7", exact=True).click()
    assert page.url == f"{site.url}/projects/DEMO/deployments"

    page.get_by_role("link", name="App", exact=True).click()
    page.get_by_role("link", name="Configure").first.click()
    revoke(page, "The shop's pipeline")
    refused = report(settings, run_number=8)
    assert refused.code == 1, refused.text
    assert [build["buildNumber"] for build in site.builds()] == [7]
    page.get_by_role("link", name="Requests").click()
    assert "The shop's pipeline was revoked" in page.inner_text("#calls")


def test_oauth_client_works_until_it_is_revoked(
    open_page: Any, report: Any, shown_settings: Any, save_picture: Any, site: Sandbox
) -> None:
    page = open_page("/app")
    page.get_by_role("link", name="Incoming links").first.click()
    generate(page, "our CI", "Create")
    settings = shown_settings(page)
    save_picture(page, "client")
    done = report(settings, environment_name="production")
    assert done.code == 0, done.text

    page.goto(f"{site.url}/browse/DEMO-1")
    production = page.get_by_role("group", name="production")
    assert "successful" in production.inner_text()
    production.get_by_role("link", name="checkout #7").click()
    assert page.url.endswith("/projects/DEMO/deployments")

    page.goto(f"{site.url}/app/links")
    revoke(page, "our CI")
    assert report(settings, run_number=8, environment_name="production").code == 1
    assert len(site.deployments()) == 1


def test_user_may_generate_a_token_once_an_administrator_allows_it(
    open_page: Any, report: Any, shown_settings: Any, save_picture: Any
) -> None:
    page = open_page("/app/configure")
    page.get_by_role("button", name="Team member").click()
    assert "has not allowed users to generate their own tokens" in page.inner_text("main")
    assert page.get_by_role("button", name="Generate").count() == 0
    assert page.get_by_role("switch").count() == 0
    save_picture(page, "not-allowed")
    page.get_by_role("button", name="Administrator").click()
    switch = page.get_by_role("switch", name="Users may generate their own tokens")
    assert switch.get_attribute("aria-checked") == "false"
    switch.click()
    page.locator("[role=switch][aria-checked=true]").wait_for()
    page.get_by_role("button", name="Team member").click()
    generate(page, "my own")
    assert report(shown_settings(page)).code == 0
    save_picture(page, "allowed")


def test_call_appears_on_the_open_log_with_its_problems(
    open_page: Any, report: Any, save_picture: Any, site: Sandbox
) -> None:
    page = open_page("/requests")
    page.get_by_text("Live.").wait_for()
    assert page.locator("#no-calls").is_visible()
    settings = {"JIRA_CI_INSTANCE": site.url, "JIRA_CI_CONNECT_HOSTNAME": site.url}
    settings |= {"JIRA_CI_CONNECT_KEY": site.connect_key}
    assert report(settings, issuekeys="DEMO-1,NO-9", project="*").code == 0
    page.locator(".call", has_text="NO-9 is not known here").wait_for()
    assert not page.locator("#no-calls").is_visible()
    save_picture(page, "live")


def test_rate_limit_is_switched_on_for_the_next_call(open_page: Any, site: Sandbox, save_picture: Any) -> None:
    page = open_page("/requests")
    page.get_by_label("What happens").select_option(label="503: not available")
    page.get_by_label("To which calls").select_option("token")
    page.get_by_label("For the next so many calls").fill("2")
    page.get_by_role("button", name="Switch on").click()
    assert "2× 503: not available" in page.inner_text("#faults")
    save_picture(page, "faults")
    assert [(fault["status"], fault["match"], fault["count"]) for fault in site.faults()] == [(503, "token", 2)]


def test_site_can_be_used_with_the_keyboard_alone(
    open_page: Any, report: Any, shown_settings: Any, site: Sandbox
) -> None:
    page = open_page("/app/configure")

    def focus_on(words: str) -> None:
        """Press Tab until the focused element has these words."""
        for _ in range(80):
            page.keyboard.press("Tab")
            said = page.evaluate(
                "(e => e.innerText || e.getAttribute('aria-label') || e.labels?.[0]?.innerText || '')(document.activeElement)"
            )
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            if words in said:
                assert outline != "none", words
                return
        pytest.fail(f"Tab never reaches {words}")

    focus_on("Skip to the content")
    page.keyboard.press("Enter")
    focus_on("Name of the token")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    page.locator("#made").wait_for()
    settings = shown_settings(page)
    for environment in ("staging", "production"):
        assert report(settings, environment_name=environment).code == 0
    page.goto(site.url)
    focus_on("DEMO-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/browse/DEMO-1")
    focus_on("Data")
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for()
    page.wait_for_function("document.activeElement.id === 'drawer'")  # the deferred script moves the focus
    focus_on("Close")
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for(state="detached")

    page.goto(f"{site.url}/projects/DEMO/deployments")
    mark = page.locator("a.mark").last
    for _ in range(40):
        page.keyboard.press("Tab")
        if mark.evaluate("mark => mark === document.activeElement"):
            break
    assert mark.locator(".details").evaluate("details => getComputedStyle(details).visibility") == "visible"
    assert "checkout #7 to production" in mark.locator(".details").text_content()
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for()


def test_timeline_shows_details_of_the_mark_under_the_mouse(
    open_page: Any, report: Any, save_picture: Any, site: Sandbox
) -> None:
    settings = {"JIRA_CI_INSTANCE": site.url, "JIRA_CI_CONNECT_HOSTNAME": site.url}
    settings |= {"JIRA_CI_CONNECT_KEY": site.connect_key}
    assert report(settings, environment_name="production").code == 0
    page = open_page("/projects/DEMO/deployments")
    details = page.locator("a.mark .details")
    assert details.evaluate("details => getComputedStyle(details).visibility") == "hidden"
    page.locator("a.mark .target").hover()
    assert details.evaluate("details => getComputedStyle(details).visibility") == "visible"
    save_picture(page, "timeline")


def test_site_works_on_a_narrow_screen_without_scripts(open_page: Any, report: Any, shown_settings: Any) -> None:
    page = open_page("/app/configure", size="narrow", java_script_enabled=False)
    generate(page, "small")
    assert report(shown_settings(page)).code == 0
    page.get_by_role("link", name="Issues", exact=True).click()
    page.get_by_role("link", name="DEMO-1").click()
    page.get_by_role("link", name="Data of build checkout #7").click()
    assert '"buildNumber": 7' in page.locator("#drawer").inner_text()
    page.get_by_role("link", name="Close").click()
    assert page.locator("#drawer").count() == 0


def test_demo_has_the_pages_that_the_readme_shows(open_page: Any, step: Any, save_picture: Any) -> None:
    command = [sys.executable, "-P", "-m", "jira_ci_core", "demo", "--serve"]
    environ = {**os.environ, "HOME": str(step.folder)}
    with subprocess.Popen(command, cwd=step.folder, env=environ, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            lines = iter(demo.stdout.readline, "")
            url = next(found[1] for line in lines if (found := re.search(r"(http\S+)/browse/DEMO-1 \(Ctrl", line)))
            page = open_page("/browse/DEMO-1", at=url)
            page.get_by_role("heading", name="Builds").wait_for()
            save_picture(page, "issue")
            page = open_page("/browse/DEMO-1", at=url, scheme="dark")
            page.get_by_role("link", name="Deployments of DEMO over time").click()
            page.get_by_role("heading", level=1).wait_for()
            save_picture(page, "timeline")
        finally:
            demo.send_signal(signal.SIGINT)
