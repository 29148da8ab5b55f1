"""Recorded runs: the variables that each CI sets for a step, by the vendor's documentation."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.models import Pipeline
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting.identity import identified

ENVIRONMENTS = Path(__file__).parent / "environments"


@dataclass(frozen=True)
class RecordedRun:
    """The variables of a step, by the vendor's documentation, and the facts that core should read from them.

    Each CI has a file, `environments/*.toml`. A run has the variables and facts of the whole file, with its own added;
    an empty value removes one.
    """

    reader: str
    """The name of the file and of the built-in plugin: `github`."""
    run: str
    """`push`, `pull_request`, `tag`, `deployment`, `rerun`, `failure`, or a special case of this CI."""
    ci: str
    recognised_by: str
    environ: Mapping[str, str]
    facts: Mapping[str, Any]
    """As the reader says them: `pipeline_id` is the id that Jira gets."""
    event: Mapping[str, Any] = field(default_factory=dict)
    """The content of the event file, if this CI has one."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Variable to the content of the file that it names; in it, `{folder}` is where such files are."""
    shown_as: str | None = None
    """The state that its status maps to; None if this CI publishes no status."""
    new_run: bool = False
    """Whether this CI counts a rerun as a new run."""

    @property
    def pipeline_id(self) -> str:
        """The id of its pipeline in Jira."""
        return f"{self.reader}/{self.facts.get('id') or self.facts['repository']}"

    def variables(self, folder: Path) -> dict[str, str]:
        """Return the environment, and write the files that it names into `folder`."""
        event = {"GITHUB_EVENT_PATH": json.dumps(self.event)} if self.event else {}
        contents = {**event, **self.files}
        for variable, content in contents.items():
            (folder / variable).write_text(content.replace("{folder}", str(folder)), encoding="utf-8")
        return {**self.environ, **{variable: str(folder / variable) for variable in contents}}

    def other(self, run: str) -> RecordedRun:
        """Return another run of the same CI."""
        return next(other for other in recorded_runs() if (other.reader, other.run) == (self.reader, run))


@functools.cache
def recorded_runs() -> list[RecordedRun]:
    runs = []
    for file in sorted(ENVIRONMENTS.glob("*.toml")):
        recorded = tomllib.loads(file.read_text(encoding="utf-8"))
        for name, run in recorded["runs"].items():
            merged: dict[str, Any] = {
                part: {key: value for key, value in {**recorded[part], **run.pop(part, {})}.items() if value != ""}
                for part in ("environ", "facts")
            }
            runs.append(RecordedRun(file.stem, name, recorded["ci"], recorded["recognised_by"], **merged, **run))
    return runs


def _push(run: RecordedRun) -> Mapping[str, str]:
    event = {"GITHUB_EVENT_PATH": str(ENVIRONMENTS / f"{run.reader}_push.json")} if run.event else {}
    return {**run.environ, **event}


RECORDED: Mapping[str, Mapping[str, str]] = {run.ci: _push(run) for run in recorded_runs() if run.run == "push"}
"""The variables of a push to `main`, by the CI's name: `RECORDED["GitLab"]`.

The commit message names MYT-1, in those CIs that have a variable for it.
"""


def recorded_pipeline(ci: str) -> Pipeline:
    """Return the recorded push as core hands it to hooks: `recorded_pipeline("GitLab")`."""
    core_only = Plugins(PluginChoice(plugins=()))
    core_only.start(Sources({}))
    pipeline = core_only.read_pipeline(RECORDED[ci])
    assert pipeline is not None
    return identified(pipeline, core_only.answered["read_pipeline"])
