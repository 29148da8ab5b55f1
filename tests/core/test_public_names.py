"""Examples, core's own plugins and the packages beside core import only public names, as the plugins of others do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jira_ci_core
import jira_ci_core.testing

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for pattern in ("examples/*/src/**/*.py", "examples/*/tests/**/*.py", "jira_ci_*/src/**/*.py")
    for path in ROOT.glob(pattern)
    if "jira_ci_core" not in path.relative_to(ROOT).parts
    # The delivery over HTTP speaks Jira's format, which one module of core knows.
    or path.parent.name == "builtin"
    or (path.parent.name == "ci" and path.stem != "reader")
)
PUBLIC = {
    "jira_ci_core": jira_ci_core.__all__,
    "jira_ci_core.testing": jira_ci_core.testing.__all__,
    # Forgejo and Gitea imitate it.
    "jira_ci_core.ci.github": ["IDENTITY", "TABLE", "variables_of_run"],
    # Imported by itself, since it comes before all that could be imported from a wrong place.
    "jira_ci_core.import_path": ["restrict"],
}


def of_core(name: str) -> bool:
    return name.partition(".")[0] in ("jira_ci_core", "pytest_jira_ci")


def not_public(source: str) -> list[str]:
    """The names of core that a source imports, or reaches for, and that are not public."""
    found, modules = [], {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and of_core(node.module or ""):
            public = PUBLIC.get(node.module, ())
            found += [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in public]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if of_core(alias.name):
                    found += [] if alias.name in PUBLIC else [alias.name]
                    modules[alias.asname or alias.name.partition(".")[0]] = PUBLIC.get(alias.name, ())
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found += [] if node.attr in (*modules[node.value.id], "testing") else [f"{node.value.id}.{node.attr}"]
    return found


def test_there_is_something_to_look_at():
    folders = {path.relative_to(ROOT).parts[0] for path in FILES}
    assert "annotations.py" in {path.name for path in FILES}
    assert {"examples", "jira_ci_auth_oauth", "jira_ci_auth_connect", "jira_ci_keys_git", "jira_ci_sandbox"} <= folders


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_public_names_are_imported(path):
    assert not_public(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from jira_ci_core import hookimpl\nfrom jira_ci_core.testing import JiraCi", []),
        ("import jira_ci_core\njira_ci_core.find_keys", []),
        ("import jira_ci_core.testing as kit\nkit.JiraCi", []),
        ("from jira_ci_core.plugins.manager import Plugins", ["jira_ci_core.plugins.manager.Plugins"]),
        ("from jira_ci_core import _LATER", ["jira_ci_core._LATER"]),
        ("from jira_ci_core import plugins", ["jira_ci_core.plugins"]),
        ("def f():\n    import jira_ci_core.urls", ["jira_ci_core.urls"]),
        ("import jira_ci_core as core\ncore.plugins", ["core.plugins"]),
        ("from pytest_jira_ci import PIPELINE", ["pytest_jira_ci.PIPELINE"]),
    ],
)
def test_a_name_that_is_not_public_is_found(source, found):
    assert not_public(source) == found
