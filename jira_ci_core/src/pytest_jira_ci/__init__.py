"""The fixtures of `jira_ci_core.testing`, for pytest.

pytest imports this wherever jira-ci-core is installed, whatever is tested there. So it is no part of `jira_ci_core`,
whose import takes a while, and imports that only for the tests that ask for one of its fixtures.
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
    """The local Jira that all tests of this session share; ask for `jira_ci_sandbox`."""
    from jira_ci_core.testing.sandbox import running_sandbox

    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def jira_ci_sandbox(jira_ci_running_sandbox: Sandbox) -> Sandbox:
    """A local Jira with nothing in it, that knows the projects MYT and DEMO; a process of its own."""
    jira_ci_running_sandbox.reset()
    return jira_ci_running_sandbox


@pytest.fixture
def jira_ci(tmp_path: Path, jira_ci_sandbox: Sandbox) -> JiraCi:
    """The step of a Harness run whose commit names MYT-1, in an empty folder, signed in at the local Jira."""
    from jira_ci_core.testing import RECORDED, JiraCi

    folder = tmp_path / "step"
    folder.mkdir()
    settings = {f"PLUGIN_{name}": value for name, value in jira_ci_sandbox.settings.items()}
    # A repository that happens to lie above the temporary folder is none of this step's business.
    outside = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    return JiraCi(folder, {**outside, **RECORDED["Harness"], **settings}, jira_ci_sandbox)


@pytest.fixture
def jira_ci_plugins() -> Callable[..., Plugins]:
    """Makes the plugins of a run that has just one: `jira_ci_plugins(MyPlugin, my_setting="x")`."""
    from jira_ci_core.testing import load_plugin

    return load_plugin


@pytest.fixture
def jira_ci_pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """A recorded run; the test runs once for each CI that core reads."""
    from jira_ci_core.testing import recorded_pipeline

    return recorded_pipeline(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that wants a recorded run once for each CI, unless it chooses some itself."""
    if PIPELINE in metafunc.fixturenames:
        chosen = [name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark.args[0])]
        if PIPELINE not in chosen:
            from jira_ci_core.testing import RECORDED

            metafunc.parametrize(PIPELINE, list(RECORDED), indirect=True)


def _names(names: str | tuple[str, ...] | list[str]) -> list[str]:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
