"""Built wheels of this project's packages, and fresh environments to install them into, as a user has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = "jira_ci_core", "jira_ci_auth_oauth", "jira_ci_auth_connect", "jira_ci_sandbox"
UV = shutil.which("uv")
# Without the variables of the test run itself.
ENVIRON = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTEST_", "COVERAGE_", "PLUGIN_", "JIRA_CI_"))
    and name not in ("PYTHONPATH", "VIRTUAL_ENV")
}


def run(*command: object, folder: Path = ROOT, environ: dict[str, str] | None = None, code: int = 0) -> str:
    """Run a command, assert its exit code, and return its output."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=folder, env={**ENVIRON, **(environ or {})}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == code, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def build(source: Path, into: Path) -> Path:
    """Build the wheel of a package."""
    into.mkdir(exist_ok=True)
    before = set(into.glob("*.whl"))
    if UV:
        run(UV, "build", "--quiet", "--wheel", "--out-dir", into, source)
    else:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", into, source)
    [wheel] = set(into.glob("*.whl")) - before
    return wheel


class FreshEnvironment:
    """A new virtual environment. Its `programs` are first on the path of its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.programs / "python"
        if UV:
            run(UV, "venv", "--quiet", "--python", sys.executable, folder)
        else:
            run(sys.executable, "-m", "venv", folder)

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a shell in which the environment is activated."""
        return {"PATH": f"{self.programs}{os.pathsep}{ENVIRON['PATH']}", "VIRTUAL_ENV": str(self.folder)}

    def install(self, *what: object) -> None:
        """Install packages, third-party ones in the versions of constraints.txt."""
        installer = [UV, "pip", "install", "--python", self.python] if UV else [self.python, "-m", "pip", "install"]
        run(*installer, "--quiet", "-c", ROOT / "constraints.txt", *what)

    def uninstall(self, name: str) -> None:
        installer = (
            [UV, "pip", "uninstall", "--python", self.python] if UV else [self.python, "-m", "pip", "uninstall", "-y"]
        )
        run(*installer, "--quiet", name)

    def run(self, *command: object, folder: Path, code: int = 0) -> str:
        """Run a command in the activated environment."""
        return run(*command, folder=folder, environ=self.environ, code=code)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest test first, so that no process waits for it alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_tutorial.py")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of the project's packages."""
    into = tmp_path_factory.mktemp("wheels")
    return [build(ROOT / package, into) for package in PACKAGES]


@pytest.fixture
def fresh_environment(tmp_path: Path) -> Callable[..., FreshEnvironment]:
    """Return a function that makes an environment with some packages in it."""

    def make(*what: object) -> FreshEnvironment:
        environment = FreshEnvironment(tmp_path / "environment")
        environment.install(*what)
        return environment

    return make
