"""The pytest plugin with the fixtures of `jira_ci_core.testing`.

pytest imports it wherever jira-ci-core is installed, whatever is tested there. So it is a package of its own, which
imports `jira_ci_core` only for tests that use one of its fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jira_ci_core import Pipeline
    from jira_ci_core.testing import JiraCi, Plugins, Sandbox

pytest.register_assert_rewrite("jira_ci_core.testing")

PIPELINE = "jira_ci_pipeline"


@pytest.fixture(scope="session")
def jira_ci_running_sandbox() -> Iterator[Sandbox]:
    """The local Jira that all tests share; tests use `jira_ci_sandbox`."""
    from jira_ci_core.testing.sandbox import running_sandbox

    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def jira_ci_sandbox(jira_ci_running_sandbox: Sandbox) -> Sandbox:
    """An empty local Jira with the projects MYT and DEMO, in a process of its own."""
    jira_ci_running_sandbox.reset()
    return jira_ci_running_sandbox


@pytest.fixture
def jira_ci(tmp_path: Path, jira_ci_sandbox: Sandbox) -> JiraCi:
    """A step of a Harness run whose commit names MYT-1, in an empty folder, with credentials for the local Jira."""
    from jira_ci_core.testing import RECORDED, JiraCi

    folder = tmp_path / "step"
    folder.mkdir()
    settings = {f"PLUGIN_{name}": value for name, value in jira_ci_sandbox.settings.items()}
    # Otherwise git would find a repository that the temporary folder happens to be in.
    ceiling = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    return JiraCi(folder, {**ceiling, **RECORDED["Harness"], **settings}, jira_ci_sandbox)


@pytest.fixture
def jira_ci_plugins() -> Callable[..., Plugins]:
    """Loads and starts a plugin without any other: `jira_ci_plugins(MyPlugin, my_setting="x")`."""
    from jira_ci_core.testing import load_plugin

    return load_plugin


@pytest.fixture
def jira_ci_pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """A recorded run, as core reads it; the test runs once for each CI."""
    from jira_ci_core.testing import recorded_pipeline

    return recorded_pipeline(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a recorded run once for each CI, unless it is parametrized itself."""
    if PIPELINE in metafunc.fixturenames:
        marks = metafunc.definition.iter_markers("parametrize")
        if PIPELINE not in [name for mark in marks for name in _names(mark.args[0])]:
            from jira_ci_core.testing import RECORDED

            metafunc.parametrize(PIPELINE, list(RECORDED), indirect=True)


def _names(names: str | tuple[str, ...] | list[str]) -> list[str]:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
