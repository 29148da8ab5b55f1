"""A real Chromium at a local Jira of its own, and what every test of it keeps: a picture of each page."""

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
# Where pictures are kept; `tox -e browser` names a folder that stays.
ARTEFACTS = "BROWSER_ARTEFACTS"


def missing() -> str | None:
    """What is missing to run a browser, in words."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: tox -e browser brings it"
    return None if chromium() else "there is no Chromium: apt-get install chromium"


def chromium() -> str | None:
    """The Chromium of the system's packages."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip loudly where there is no browser; never in CI, where that would hide that nothing was tested."""
    reason = missing()
    if reason is None or os.environ.get("CI", "").lower() in ("true", "1"):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"NOTHING WAS TESTED IN A BROWSER, {reason}"))


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    reason = missing()
    if reason is not None:
        pytest.fail(f"no test in a browser can run: {reason}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # playwright makes a new, empty profile for each start, and throws it away.
        browser = playwright.chromium.launch(executable_path=chromium(), args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def one_site() -> Iterator[Sandbox]:
    with Sandbox.start("DEMO,MYT") as sandbox:
        yield sandbox


@pytest.fixture
def site(one_site: Sandbox) -> Sandbox:
    """A local Jira in which nothing has happened, with credentials of both kinds."""
    one_site.reset()
    return one_site


@pytest.fixture
def caller(site: Sandbox) -> Any:
    """A client of Jira, signed in: the one of the sandbox's own tests, which are no package to import from."""
    path = Path(__file__).parents[1] / "sandbox" / "conftest.py"
    spec = importlib.util.spec_from_file_location("sandbox_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Caller(site)


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get(ARTEFACTS) or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def keep(artefacts: Path, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps a picture of a page: `keep(page, "issue")`."""

    def keep_picture(page: Any, name: str) -> None:
        test = re.sub(r"[^\w-]+", "-", request.node.name)
        page.screenshot(path=artefacts / f"{test}-{name}.png", full_page=True)

    return keep_picture


@pytest.fixture
def open_page(chrome: Any, site: Sandbox) -> Iterator[Callable[..., Any]]:
    """Opens a page with a profile of its own, and fails where it logs an error or asks for anything from elsewhere."""
    contexts, troubles = [], []

    def make(path: str = "/", *, size: str = "wide", scheme: str = "light", at: str = "", **more: Any) -> Any:
        context = chrome.new_context(viewport=SIZES[size], color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        origin = at or site.url
        page.on("request", lambda request: request.url.startswith(origin) or troubles.append(request.url))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type == "error" and "status of 40" not in message.text and troubles.append(message.text)
            ),
        )
        page.goto(origin + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def settings_in(step: Any) -> Callable[[Any], dict[str, str]]:
    """Reads the settings from the command that a page shows to be copied."""

    def read(page: Any) -> dict[str, str]:
        command = page.locator(".made .command code").inner_text()
        return dict(re.findall(r"(JIRA_CI_\w+)=(\S+)", command))

    return read


@pytest.fixture
def report(step: Any, site: Sandbox) -> Callable[..., Any]:
    """Runs `jira-ci report` as a process: a build of DEMO-1 whose run is the page of its timeline."""

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
def violations() -> Callable[[Any], list[str]]:
    """Tells what axe-core has against a page."""
    from importlib import resources

    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def check(page: Any) -> list[str]:
        page.evaluate(axe)  # through the debugger: the page's own policy lets no script in
        found = page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{page.url}: {one['id']}: {json.dumps([node['html'] for node in one['nodes']])[:600]}" for one in found
        ]

    return check
