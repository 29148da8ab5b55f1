"""Runs the installed `jira-ci` as a CI step: a process in a folder, with an environment of its own."""

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

TIMEOUT = 120.0  # seconds

# Variables that a process needs to run, and coverage to measure it.
INHERITED = "PATH", "SYSTEMROOT", "VIRTUAL_ENV", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"


@dataclass(frozen=True)
class StepResult:
    """The result of a command, and what Jira holds after it."""

    code: int
    """The exit code; `jira_ci_core.ExitCode` names them."""
    out: str
    err: str
    builds: list[dict[str, Any]] = field(default_factory=list)
    """The builds that Jira holds, with the fields of its API."""
    deployments: list[dict[str, Any]] = field(default_factory=list)
    """The deployments that Jira holds, with the fields of its API."""

    @property
    def text(self) -> str:
        """Standard output and standard error."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """The output of `--format json`, parsed."""
        return json.loads(self.out)


class JiraCi:
    """A step of a pipeline. `environ` holds its variables, and may be changed.

    Keyword arguments of its methods are settings, passed as variables `PLUGIN_…`; None means "not set". The environment
    of the tests is not passed on.
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
        """Run `jira-ci` with these arguments; `environ` adds variables for this run."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = subprocess.run(
            [sys.executable, "-P", "-m", "jira_ci_core", *arguments],
            cwd=self.folder,
            env={**inherited, **self.variables(environ, settings)},
            capture_output=True,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return self.result(process.returncode, process.stdout.decode(), process.stderr.decode())

    def variables(self, environ: Mapping[str, str | None] | None, settings: Mapping[str, object]) -> dict[str, str]:
        """Return the variables of a run, without those that every process inherits."""
        given = {f"PLUGIN_{name.upper()}": None if value is None else str(value) for name, value in settings.items()}
        variables = {"HOME": str(self.folder), **self.environ, **(environ or {}), **given}
        return {name: value for name, value in variables.items() if value is not None}

    def result(self, code: int, out: str, err: str) -> StepResult:
        """Return the result of a run, with what Jira holds now."""
        if self._sandbox is None:
            return StepResult(code, out, err)
        return StepResult(code, out, err, self._sandbox.builds(), self._sandbox.deployments())
