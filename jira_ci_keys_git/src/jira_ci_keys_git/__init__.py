"""Issue keys from a range of commits: all that a pull request, a push or a deployment brings."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jira_ci_core import (
    Deployment,
    FoundKey,
    Names,
    Pipeline,
    PluginError,
    PluginSettings,
    Problem,
    Receipt,
    Report,
    Result,
    SettingsError,
    State,
    environment_id,
    hookimpl,
    setting,
)
from jira_ci_core import Settings as RunSettings

from jira_ci_keys_git.deepening import deepened
from jira_ci_keys_git.finding import READERS, SOURCES, TAGS, Finder
from jira_ci_keys_git.git import Git, GitError
from jira_ci_keys_git.memory import KINDS, Memory
from jira_ci_keys_git.ranges import Range, Ranges
from jira_ci_keys_git.reading import Reading
from jira_ci_keys_git.repository import Repository

log = logging.getLogger(__name__)

# Of the time that core gives a plugin's call: what is left is for telling that it was not enough.
SHARE_OF_TIME = 0.8


class GitKeys:
    """Finds the keys in all commits of a change, and remembers what was deployed where."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        keys_git_since: str | None = setting(
            None, help="look at the commits since this one (any revision git knows), whatever else says otherwise"
        )
        deployed_tag: str | None = setting(
            None,
            help="pattern of the tags that say what is deployed, such as deployed/{environment}/*; "
            "a deployment then looks at the commits since the newest of them",
            project_file=True,
        )
        keys_git_remember: Literal["no", "ref", "note"] = setting(
            "no", help="keep in the repository what was deployed where: no, in a ref, or in git notes"
        )
        keys_git_sources: Names = setting(
            tuple(READERS), help=f"where in the commits to look: {', '.join(SOURCES)}", project_file=True
        )
        keys_git_trailers: Names = setting(
            (), help="the trailers to look at, such as Refs,Fixes; all by default", project_file=True
        )
        keys_git_reverted: Literal["keep", "leave-out"] = setting(
            "keep",
            help="what becomes of keys in commits that the same change reverts: keep, or leave-out",
            project_file=True,
        )
        keys_git_deepen: bool = setting(
            False, help="fetch the history that is needed and not there, as in a shallow clone: yes or no"
        )
        keys_git_on_problem: Literal["warn", "fail"] = setting(
            "warn", help="what a repository that cannot be read as needed does: warn, or fail the step"
        )
        keys_git_repository: str | None = setting(
            None, help="the folder of the checkout; where CI checks out, or the working directory, by default"
        )

    def __init__(self, settings: Settings) -> None:
        unknown = [name for name in settings.keys_git_sources if name.lower() not in SOURCES]
        if unknown:
            raise SettingsError(
                f"KEYS_GIT_SOURCES cannot name {', '.join(unknown)}",
                f"commits have these: {', '.join(SOURCES)}",
                "write some of those, separated by commas",
            )
        self._own = settings
        self._sources = frozenset(name.lower() for name in settings.keys_git_sources)

    @hookimpl
    def jira_ci_extract_issue_keys(self, pipeline: Pipeline, settings: RunSettings) -> list[FoundKey]:
        """The keys in the commits of this change."""
        found: dict[str, str] = {}
        try:
            ranges, _ = self._ready(pipeline, settings)
            commits = deepened(ranges) if self._own.keys_git_deepen else ranges.find()
            self._tell(*commits.problems)
            reading = Reading(
                ranges.repository,
                Finder(settings.project, self._sources, self._own.keys_git_trailers),
                with_tags=TAGS in self._sources,
                leave_out_reverted=self._own.keys_git_reverted == "leave-out",
            )
            found = reading.keys
            reading.read(commits)
            self._tell_range(commits, reading)
        except GitError as error:
            self._tell(error.problem)
        return [FoundKey(key=key, source=where) for key, where in found.items()]

    @hookimpl
    def jira_ci_reported(
        self, pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: RunSettings
    ) -> None:
        """Remember what is deployed now, where Jira has accepted it."""
        if self._own.keys_git_remember == "no":
            return
        changed = State.SUCCESSFUL, State.ROLLED_BACK
        told = [
            (report.title, report.entity, outcome.result)
            for report, outcome in zip(reports, receipt.outcomes, strict=False)
            if isinstance(report.entity, Deployment) and report.entity.state in changed
        ]
        try:
            for title, deployment, result in told:
                if result is Result.ACCEPTED:
                    self._remember(title, deployment, pipeline, settings)
                else:
                    log.info("%s is not remembered: Jira has not accepted it", title)
        except GitError as error:
            _warn(error.problem)

    def _ready(self, pipeline: Pipeline, settings: RunSettings) -> tuple[Ranges, Memory | None]:
        folder = Path(self._own.keys_git_repository or _workspace(pipeline))
        git = Git(folder, os.environ, settings.plugin_timeout * SHARE_OF_TIME)
        repository = Repository(git)
        kind = KINDS.get(self._own.keys_git_remember)
        memory = kind(repository) if kind else None
        own = self._own
        ranges = Ranges(
            repository, pipeline, settings, since=own.keys_git_since, deployed_tag=own.deployed_tag, memory=memory
        )
        return ranges, memory

    def _remember(self, title: str, deployment: Deployment, pipeline: Pipeline, settings: RunSettings) -> None:
        ranges, memory = self._ready(pipeline, settings)
        assert memory is not None
        head, missing = ranges.head()
        if missing:
            log.warning("%s is not remembered: %s", title, missing.what)
            return
        # By name, as `map_environment` may give it an id only after the keys were looked for.
        name = deployment.environment.name
        id = settings.environment_id or environment_id(name)
        place = memory.place(id)
        if deployment.state is State.SUCCESSFUL:
            done = memory.remember(id, head, title, deployment.sequence)
            told = f"remembered that {head[:7]} is deployed to {name}, in {place}"
        else:
            forgotten = memory.forget(id, head)
            if forgotten is None:
                return
            done, told = forgotten, f"remembered that {head[:7]} is no longer deployed to {name}, in {place}"
        if done.code:
            log.warning("what is deployed to %s could not be written to %s: %s", name, place, done.reason)
        else:
            log.info("%s", told)

    def _tell_range(self, commits: Range, reading: Reading) -> None:
        if commits.is_known:
            log.info("looked for issue keys in %s since %s", _commits(reading.seen), commits.start.words)
            if reading.is_cut:
                self._tell(
                    Problem(
                        f"history is cut here, and {_commits(reading.seen)} of this change could be seen",
                        "this is a shallow clone; older commits of the change may be missing, and some that are older "
                        "than the change may be among them",
                        "fetch all history when checking out (fetch-depth 0, GIT_DEPTH 0), or set KEYS_GIT_DEEPEN=yes",
                    )
                )
        elif commits.start.problem is None:
            head = commits.head[:7]
            log.info("looked for issue keys in the latest commit only (%s): %s", head, commits.start.words)

    def _tell(self, *problems: Problem) -> None:
        if problems and self._own.keys_git_on_problem == "fail":
            raise PluginError.of(problems)
        for problem in problems:
            _warn(problem)


def _warn(problem: Problem) -> None:
    log.warning("%s: %s. To do: %s", problem.what, problem.why, problem.remedy)


def _commits(count: int) -> str:
    return f"{count} commit{'' if count == 1 else 's'}"


def _workspace(pipeline: Pipeline) -> str:
    return pipeline.workspace if pipeline.workspace and Path(pipeline.workspace).is_dir() else "."
