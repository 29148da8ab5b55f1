"""A CI step: a folder, an environment, and the installed `jira-ci` run in it as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jira_ci_core.testing.sandbox import Sandbox

PATIENCE = 120.0  # seconds

# What a process needs to run at all, and coverage to see what it runs.
KEPT = "PATH", "SYSTEMROOT", "VIRTUAL_ENV", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"


@dataclass(frozen=True)
class StepResult:
    """A command that has ended."""

    code: int
    """The exit code: 0, or as `jira_ci_core.ExitCode` says."""
    out: str
    err: str
    builds: list[dict[str, Any]] = field(default_factory=list)
    """The builds that Jira holds afterwards."""
    deployments: list[dict[str, Any]] = field(default_factory=list)
    """The deployments that Jira holds afterwards."""

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """What it printed for programs, with `--format json`."""
        return json.loads(self.out)


class JiraCi:
    """One step of a pipeline. `environ` holds variables by their own names, and may be changed.

    Keyword arguments of its methods are settings, passed as Harness and Drone pass a step's own (`PLUGIN_…`); one
    that is None is not set. Nothing else of the environment of the tests gets into the step.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], sandbox: Sandbox | None = None) -> None:
        self.folder = folder
        self.environ = dict(environ)
        self._sandbox = sandbox

    def report(
        self, *arguments: str, environ: Mapping[str, str | None] | None = None, **settings: object
    ) -> StepResult:
        """Run `jira-ci report`: `jira_ci.report(PROJECT="MYT", STATE="failed")`."""
        return self.run("report", *arguments, environ=environ, **settings)

    def run(self, *arguments: str, environ: Mapping[str, str | None] | None = None, **settings: object) -> StepResult:
        """Run `jira-ci` with these arguments; `environ` are more variables for this run."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "jira_ci_core", *arguments],
            cwd=self.folder,
            env={**kept, **self.variables(environ, settings)},
            capture_output=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return self.done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def variables(self, environ: Mapping[str, str | None] | None, settings: Mapping[str, object]) -> dict[str, str]:
        """The environment of a run, without what every process has."""
        given = {f"PLUGIN_{name.upper()}": None if value is None else str(value) for name, value in settings.items()}
        all_of_them = {"HOME": str(self.folder), **self.environ, **(environ or {}), **given}
        return {name: value for name, value in all_of_them.items() if value is not None}

    def done(self, code: int, out: str, err: str) -> StepResult:
        """How a run ended, and what Jira holds then."""
        if self._sandbox is None:
            return StepResult(code, out, err)
        return StepResult(code, out, err, self._sandbox.builds(), self._sandbox.deployments())
