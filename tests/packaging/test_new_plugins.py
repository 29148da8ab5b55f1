"""A plugin written by `jira-ci plugins new` installs, and passes its tests, types and lint unchanged."""

from __future__ import annotations

import pytest

from jira_ci_core.plugins.validation import HOOKS

from .conftest import FreshEnvironment

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def environment(wheels, tmp_path_factory):
    """An environment for the new plugins, one after the other; all of them need the same packages for development."""
    made = FreshEnvironment(tmp_path_factory.mktemp("new-plugins") / "environment")
    made.install(*wheels)
    return made


@pytest.mark.parametrize("hook", [hook.removeprefix("jira_ci_") for hook in HOOKS])
def test_a_new_plugin_is_complete(hook, environment, tmp_path):
    # The longest name for some hooks, since ruff checks the length of lines.
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
    state = "idle: it is for a CI" if hook == "read_pipeline" else "on"
    assert f"{name}  {state}" in environment.run("jira-ci", "plugins", folder=tmp_path)
    environment.uninstall(name)
