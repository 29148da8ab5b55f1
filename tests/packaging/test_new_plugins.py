"""The package that `jira-ci plugins new` writes can be installed, and passes its tests, types and lint unchanged."""

from __future__ import annotations

import pytest

from jira_ci_core.plugins.manager import HOOKS

pytestmark = pytest.mark.stranger


@pytest.mark.parametrize("hook", [hook.removeprefix("jira_ci_") for hook in HOOKS])
def test_new_plugin_is_complete(hook, wheels, fresh_environment, tmp_path):
    environment = fresh_environment(*wheels)
    # Two hooks get names of the greatest length, since the lint also limits the length of lines.
    name = f"acme-{hook.replace('_', '-')}".ljust(40 if hook in ("extract_issue_keys", "reported") else 0, "x")
    environment.run("jira-ci", "plugins", "new", name, "--hook", hook, folder=tmp_path)
    package = tmp_path / name
    environment.install("-e", f"{package}[dev]")
    shown = environment.run("pytest", "-q", folder=package)
    assert " passed" in shown
    assert " skipped" not in shown
    environment.run("mypy", "--cache-dir", tmp_path.parent / "mypy", folder=package)
    environment.run("ruff", "check", "--no-cache", folder=package)
    environment.run("ruff", "format", "--check", "--diff", "--no-cache", folder=package)
    assert f"{name}  on" in environment.run("jira-ci", "plugins", folder=tmp_path)
