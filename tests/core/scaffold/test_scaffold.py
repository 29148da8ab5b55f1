"""`jira-ci plugins new` writes a complete package."""

from __future__ import annotations

import sys
import tomllib

import pytest

from jira_ci_core.plugins.validation import HOOKS
from jira_ci_core.testing import load_plugin

SHORT = [hook.removeprefix("jira_ci_") for hook in HOOKS]


@pytest.fixture
def importable(monkeypatch):
    """Makes the new plugin in a folder importable, and forgets it afterwards."""
    yield lambda folder: monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("my_idea", None)


@pytest.mark.parametrize("hook", SHORT)
def test_core_loads_a_new_plugin_with_its_hook(jira_ci, folder, importable, hook):
    result = jira_ci("plugins", "new", "my-idea", "--hook", hook)
    assert result.code == 0, result.text
    package = folder / "my-idea"
    assert {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()} == {
        "pyproject.toml",
        "README.md",
        ".gitignore",
        "src/my_idea/__init__.py",
        "src/my_idea/py.typed",
        "tests/test_my_idea.py",
    }
    assert "$" not in "".join(path.read_text() for path in package.rglob("*") if path.is_file())
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    group = "jira_ci.MY_IDEA.true" if hook == "read_pipeline" else "jira_ci"
    assert project["entry-points"] == {group: {"my-idea": "my_idea:MyIdea"}}
    importable(package / "src")
    import my_idea

    plugins = load_plugin(my_idea.MyIdea)
    assert [plugin.hooks for plugin in plugins.installed] == [(f"jira_ci_{hook}",)]


def test_the_hook_may_be_written_in_full(jira_ci, folder):
    assert jira_ci("plugins", "new", "my-idea", "--hook", "jira_ci_map_state").code == 0
    assert "def jira_ci_map_state" in (folder / "my-idea/src/my_idea/__init__.py").read_text()


def test_it_loads_no_plugin(jira_ci, install):
    install("bad", "raise SystemExit(9)")
    assert jira_ci("plugins", "new", "my-idea", "--hook", "map_state").code == 0
    assert jira_ci("plugins").code == 3


@pytest.mark.parametrize(
    "name",
    [
        *("", "My-Idea", "my_idea", "-x", "x-", "1x", "../x", "a/b", "x" * 41, "ä"),
        *("keys", "http", "class", "json", "requests", "jira-ci-core", "tests"),
    ],
)
def test_a_bad_name_is_refused(jira_ci, folder, name):
    result = jira_ci("plugins", "new", "--hook", "map_state", "--", name)
    assert result.code == 2
    assert f"error: a plugin cannot be called {name!r}" in result.err
    assert "  why: " in result.err
    assert "  do:  choose a name such as acme-changelog" in result.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("hook", ["", "extract", "jira_ci_", "jira_ci_extract"])
def test_an_unknown_hook_is_refused_and_the_known_ones_are_named(jira_ci, folder, hook):
    result = jira_ci("plugins", "new", "my-idea", "--hook", hook)
    assert result.code == 2
    assert f"error: there is no hook {hook!r}" in result.err
    assert f"  do:  choose one of: {', '.join(SHORT)}" in result.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_an_existing_file_or_folder_is_not_touched(jira_ci, folder, make):
    getattr(folder / "my-idea", make)()
    result = jira_ci("plugins", "new", "my-idea", "--hook", "map_state")
    assert result.code == 2
    assert "error: my-idea is not written" in result.err
    assert "there is a file or folder of that name here" in result.err
    assert [path for path in folder.rglob("*") if path.name != "my-idea"] == []


def test_a_folder_that_cannot_be_written_is_named(jira_ci, folder, monkeypatch):
    def refuse(path, *arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    result = jira_ci("plugins", "new", "my-idea", "--hook", "map_state")
    assert result.code == 2
    assert "my-idea: Permission denied" in result.err


def test_help_and_usage_errors(jira_ci):
    assert "Missing option '--hook'" in jira_ci("plugins", "new", "my-idea").err
    assert "new" in jira_ci("plugins", "--help").out
    assert "--hook" in jira_ci("plugins", "new", "--help").out
    assert "No such command 'old'" in jira_ci("plugins", "old").err
