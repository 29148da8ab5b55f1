"""What each CI that core reads tells a step, recorded from its vendor's documentation."""

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

ENVIRONMENTS = Path(__file__).parent / "environments"


@dataclass(frozen=True)
class RecordedRun:
    """What a CI tells a step of one run, written down from the vendor's documentation, and what is to be read from it.

    The files are `environments/*.toml`, one a CI. A run's variables and facts are those of the file with its own
    on top; an empty one takes one away.
    """

    reader: str
    """The file, and the built-in plugin: `github`."""
    run: str
    """`push`, `pull_request`, `tag`, `deployment`, `rerun`, `failure`, or what else is worth knowing."""
    ci: str
    recognised_by: str
    environ: Mapping[str, str]
    facts: Mapping[str, Any]
    event: Mapping[str, Any] = field(default_factory=dict)
    """What is in the file of the event, where this CI has one."""
    shown_as: str | None = None
    """The state of its status; None where this CI publishes none."""
    new_run: bool = False
    """Whether a rerun is a run of its own here."""

    def variables(self, folder: Path) -> dict[str, str]:
        """The environment, with the file of the event, where there is one, in this folder."""
        if not self.event:
            return dict(self.environ)
        file = folder / "event.json"
        file.write_text(json.dumps(self.event))
        return {**self.environ, "GITHUB_EVENT_PATH": str(file)}

    def other(self, run: str) -> RecordedRun:
        """Another run of the same CI."""
        return next(one for one in recorded_runs() if (one.reader, one.run) == (self.reader, run))


@functools.cache
def recorded_runs() -> list[RecordedRun]:
    """All of them."""
    runs = []
    for file in sorted(ENVIRONMENTS.glob("*.toml")):
        of_ci = tomllib.loads(file.read_text(encoding="utf-8"))
        for name, run in of_ci["runs"].items():
            both: dict[str, Any] = {
                part: {key: value for key, value in {**of_ci[part], **run.pop(part, {})}.items() if value != ""}
                for part in ("environ", "facts")
            }
            runs.append(RecordedRun(file.stem, name, of_ci["ci"], of_ci["recognised_by"], **both, **run))
    return runs


def _push(run: RecordedRun) -> Mapping[str, str]:
    event = {"GITHUB_EVENT_PATH": str(ENVIRONMENTS / f"{run.reader}_push.json")} if run.event else {}
    return {**run.environ, **event}


RECORDED: Mapping[str, Mapping[str, str]] = {run.ci: _push(run) for run in recorded_runs() if run.run == "push"}
"""The variables of a push to `main`, by the CI's name: `RECORDED["GitLab"]`. Where a CI tells the message, it names
MYT-1."""


def recorded_pipeline(ci: str) -> Pipeline:
    """What core's reader of that CI makes of its recorded run: `recorded_pipeline("GitLab")`."""
    core_only = Plugins(PluginChoice(plugins=()))
    core_only.start(Sources({}))
    pipeline: Pipeline = core_only.first("read_pipeline", environ=RECORDED[ci])
    return pipeline
