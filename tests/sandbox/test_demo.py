"""`jira-ci demo`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from jira_ci_sandbox import demo
from jira_ci_sandbox.commands import demo as command
from jira_ci_sandbox.demo import STEPS, DemoStep


def test_demo_has_a_line_for_each_step_with_a_link_to_the_page_that_shows_it() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "jira_ci_core", "demo"], capture_output=True, text=True, timeout=120, check=True
    )
    steps = [line.split() for line in done.stdout.partition("\n\n")[0].splitlines()]
    assert {step[0] for step in steps} == {"ok"}
    assert [step[1] for step in steps] == [
        *("sandbox", "install", "credential", "credential", "commit"),
        *(one.title for one in STEPS),
    ]
    assert [step[-1].split("/", 3)[-1] for step in steps if step[-1].startswith("http")][1:] == [
        "app",
        "app/configure",
        "app/links",
        *(one.page.removeprefix("/") for one in STEPS),
    ]
    assert "\x1b" not in done.stdout
    for words in (
        "accepted build 42 of checkout (in_progress) for DEMO-1",
        "accepted build 42 of checkout (successful) for DEMO-1",
        "accepted deployment 42 of checkout to staging (successful) for DEMO-1",
        "accepted deployment 43 of checkout to production (failed) for DEMO-1",
        "accepted deployment 43 of checkout to production (rolled_back) for DEMO-1",
        "#43 to production: rolled_back",
    ):
        assert words in done.stdout


@pytest.fixture
def empty_demo(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A demo without reports."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(demo, "STEPS", ())
    return monkeypatch


def run(*arguments: str, **options: Any) -> Any:
    return CliRunner().invoke(command, arguments, **options)


def test_demo_is_in_colour_on_a_terminal_unless_no_color_is_set(empty_demo: pytest.MonkeyPatch) -> None:
    assert "\x1b[32mok" in run(color=True).stdout
    assert "\x1b" not in run().stdout
    empty_demo.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(color=True).stdout


def test_secret_is_shortened(empty_demo: pytest.MonkeyPatch) -> None:
    text = run().stdout
    assert "demo-token, a token of the app: connec…" in text
    assert "demo-client, an OAuth client: client…" in text


def test_browser_is_opened_at_the_issue_while_jira_is_running(empty_demo: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    empty_demo.setattr("click.launch", seen.append)
    empty_demo.setattr(demo, "_wait_for_interrupt", lambda jira: seen.append(str(jira.builds())))
    assert "Ctrl+C stops it" in run("--open").stdout
    assert seen[0].endswith("/browse/DEMO-1")
    assert seen[1] == "[]"


def test_failed_step_ends_the_demo_with_its_output(empty_demo: pytest.MonkeyPatch) -> None:
    broken = DemoStep("broken", 1, settings={"STATE": "splendid"})
    empty_demo.setattr(demo, "STEPS", (broken, DemoStep("never", 2)))
    result = run()
    assert result.exit_code == 2
    assert "no broken      failed" in result.stdout
    assert "PLUGIN_STATE=splendid" in result.stdout
    assert "error: " in result.stdout
    assert "never" not in result.stdout


def test_verbose_shows_settings_and_output_of_each_step(empty_demo: pytest.MonkeyPatch) -> None:
    empty_demo.setattr(demo, "STEPS", STEPS[:1])
    text = run("--verbose").stdout
    assert "PLUGIN_STATE=in_progress" in text
    assert "accepted build 42" in text
    assert "PLUGIN_CLIENT_SECRET=client…" in text
