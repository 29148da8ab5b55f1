"""Chromium, a local Jira of its own, and pictures of the pages that the tests visit."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jira_ci_sandbox.client import Sandbox

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 360, "height": 740}}
PICTURES = "BROWSER_PICTURES"
"""The variable with the folder for pictures of the pages. Taking them needs a third of the time."""


def missing() -> str | None:
    """Return what is missing to run a browser, or None."""
    for name in ("axe_playwright_python", "playwright"):
        if importlib.util.find_spec(name) is None:  # importing them takes long, and all workers ask
            return f"{name} is not installed: `tox -e tests` installs it"
    return None if chromium() else "there is no Chromium: apt-get install chromium"


def chromium() -> str | None:
    """Return the path of the system's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests where there is no browser, but not in CI, where that would go unnoticed."""
    reason = missing()
    if reason is None or os.environ.get("CI", "").lower() in ("true", "1"):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"NOTHING WAS TESTED IN A BROWSER, {reason}"))


# For a module, since playwright's event loop must have ended when other tests of this process run loops of their own.
@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    reason = missing()
    if reason is not None:
        pytest.fail(f"no test in a browser can run: {reason}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # playwright creates an empty profile for each start, and deletes it.
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def session_site() -> Iterator[Sandbox]:
    with Sandbox.start("DEMO,MYT") as sandbox:
        yield sandbox


@pytest.fixture
def site(session_site: Sandbox) -> Sandbox:
    """An empty local Jira with credentials of both kinds."""
    session_site.reset()
    return session_site


@pytest.fixture
def client(site: Sandbox) -> Any:
    """The signed-in client of the sandbox's own tests, whose module is loaded by its path."""
    path = Path(__file__).parents[1] / "sandbox" / "conftest.py"
    spec = importlib.util.spec_from_file_location("sandbox_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.JiraClient(site)


@pytest.fixture
def save_picture(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Saves a picture of a page if there is a folder for it: `save_picture(page, "issue")`."""
    folder = os.environ.get(PICTURES)

    def save(page: Any, name: str) -> None:
        if folder:
            test = re.sub(r"[^\w-]+", "-", request.node.name)
            page.screenshot(path=Path(folder) / f"{test}-{name}.png", full_page=True)

    return save


@pytest.fixture
def open_page(chrome: Any, site: Sandbox) -> Iterator[Callable[..., Any]]:
    """Opens a page with a profile of its own. The test fails where a page logs an error or loads from another host."""
    contexts, errors = [], []

    def make(path: str = "/", *, size: str = "wide", scheme: str = "light", at: str = "", **more: Any) -> Any:
        context = chrome.new_context(viewport=SIZES[size], color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        origin = at or site.url
        page.on("request", lambda request: request.url.startswith(origin) or errors.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type == "error" and "status of 40" not in message.text and errors.append(message.text)
            ),
        )
        page.goto(origin + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def shown_settings(step: Any) -> Callable[[Any], dict[str, str]]:
    """Reads the settings from the command that a page shows for copying."""

    def read(page: Any) -> dict[str, str]:
        command = page.locator(".made .command code").inner_text()
        return dict(re.findall(r"(JIRA_CI_\w+)=(\S+)", command))

    return read


@pytest.fixture
def report(step: Any, site: Sandbox) -> Callable[..., Any]:
    """Runs `jira-ci report` for a build of DEMO-1, whose link leads to the timeline."""

    def run(credentials: dict[str, str], **plugin: object) -> Any:
        about = {
            "project": "DEMO",
            "issuekeys": "DEMO-1",
            "state": "successful",
            "pipeline": "checkout",
            "run_number": 7,
            "link": f"{site.url}/projects/DEMO/deployments",
        }
        return step(environ=credentials, **about | plugin)

    return run


@pytest.fixture(scope="session")
def axe_violations() -> Callable[[Any], list[str]]:
    """Returns the violations that axe-core finds on a page."""
    from importlib import resources

    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def check(page: Any) -> list[str]:
        page.evaluate(axe)  # evaluated by the debugger, since the page's policy forbids foreign scripts
        found = page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{page.url}: {one['id']}: {json.dumps([node['html'] for node in one['nodes']])[:600]}" for one in found
        ]

    return check
