"""The plugin: finds issue keys in the commits of a change, and remembers what is deployed."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

from jira_ci_core import (
    Deployment,
    FoundKey,
    Git,
    GitError,
    GitFailure,
    KeyPlace,
    Pipeline,
    PluginError,
    Problem,
    Receipt,
    Report,
    Result,
    Retraction,
    Settings as StepSettings,
    State,
    hookimpl,
    work_tree,
)
from jira_ci_keys_git.collector import MAX_KEYS, SHORT_ID_LENGTH, KeyCollector
from jira_ci_keys_git.commits import LOG_ARGUMENTS, OF_PATHS, read_commits, read_fields
from jira_ci_keys_git.deployed import record_deployed, ref_name
from jira_ci_keys_git.history import CommitRange, History
from jira_ci_keys_git.options import Options

log = logging.getLogger(__name__)

# Core stops a plugin after PLUGIN_TIMEOUT, so git has to give up earlier.
TIMEOUT_SHARE = 0.8


class GitKeys:
    CONTRACT = 1
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings
        # `jira_ci_reported` is given no environment. It runs git in the one that keys were searched for in, or in the
        # environment of the process if ISSUEKEYS named the keys, as then there was no search.
        self._environ: Mapping[str, str] = os.environ

    @hookimpl
    def jira_ci_extract_issue_keys(
        self, pipeline: Pipeline, environ: Mapping[str, str], settings: StepSettings
    ) -> list[FoundKey | Retraction]:
        """Find the keys in the commits of this change. Those of newer commits come first.

        Core searches the latest message as well, so what it may not count is taken back: the keys of reverted commits,
        and with KEYS_GIT_PATHS those of a latest commit that touches none of them.
        """
        self._environ = environ
        collector = KeyCollector(self._options, settings.projects_to_find)
        elsewhere: list[Retraction] = []
        try:
            git = self._git(pipeline, settings)
            history = History(git, self._options, self._warn_or_fail)
            commits = history.range_of_change(pipeline, settings)
            if commits is not None and self._options.keys_git_paths and not history.touches_paths(commits.head):
                history.warn_of_unknown_paths(commits.head)
                why = f"commit {commits.head[:SHORT_ID_LENGTH]} touches none of KEYS_GIT_PATHS"
                elsewhere = [Retraction(place=KeyPlace.MESSAGE, source=why)]
            if commits is not None:
                self._collect_keys(git, history, commits, collector)
        except GitError as error:
            self._warn_or_fail(_problem_of(error))
        return [*collector.keys, *collector.retractions, *elsewhere]

    @hookimpl
    def jira_ci_reported(
        self, pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: StepSettings
    ) -> None:
        """Remember the commit of each successful deployment that Jira has accepted."""
        if self._options.keys_git_remember is None:
            return
        environments = [
            report.entity.environment.name
            for report, outcome in zip(reports, receipt.outcomes, strict=False)
            if isinstance(report.entity, Deployment)
            and report.entity.state is State.SUCCESSFUL
            and outcome.result is Result.ACCEPTED
        ]
        if not environments:
            return
        try:
            git = self._git(pipeline, settings)
            commit = History(git, self._options, self._warn_or_fail).head(pipeline)
            if commit is None:
                return
            for environment in environments:
                record_deployed(git, environment, commit)
                log.info("%s is remembered as deployed to %s, in %s", commit[:12], environment, ref_name(environment))
        except GitError as error:
            problem = _problem_of(error)
            log.warning("what is deployed now could not be remembered: %s; %s", problem.why, problem.remedy)

    def _git(self, pipeline: Pipeline, settings: StepSettings) -> Git:
        return Git(work_tree(pipeline, self._environ), self._environ, settings.plugin_timeout * TIMEOUT_SHARE)

    def _collect_keys(self, git: Git, history: History, commits: CommitRange, collector: KeyCollector) -> None:
        shallow = history.shallow_commits()
        is_cut = False
        paths = self._options.keys_git_paths
        touching = OF_PATHS if paths else ()
        with git.stream(*LOG_ARGUMENTS, "--topo-order", *touching, *commits.revisions, "--", *paths) as stream:
            for commit in read_commits(stream):
                collector.add_commit(commit)
                is_cut = is_cut or commit.sha in shallow
                if collector.is_full:
                    break
        collector.finish(has_baseline=commits.has_baseline)
        if "tags" in self._options.keys_git_sources:
            _collect_keys_of_tags(git, commits, collector)
        seen = collector.commits_seen
        if is_cut and (commits.has_baseline or seen > 1):
            self._warn_or_fail(
                Problem(
                    "issue keys of older commits may be missing",
                    f"the clone is shallow: history is cut, and {seen} commits of this change could be seen",
                    "check out with more history (fetch-depth: 0), or set KEYS_GIT_DEEPEN=yes",
                )
            )
        if collector.is_full:
            log.warning("there are %d issue keys and more in this change; the older ones are left out", MAX_KEYS)

    def _warn_or_fail(self, problem: Problem) -> None:
        if self._options.keys_git_strict:
            raise PluginError(
                Problem(problem.what, problem.why, f"{problem.remedy}; without KEYS_GIT_STRICT it is a warning")
            )
        log.warning("%s; %s", problem, problem.remedy)


def _collect_keys_of_tags(git: Git, commits: CommitRange, collector: KeyCollector) -> None:
    excluded = [word for commit in commits.excluded for word in ("--no-merged", commit)]
    fields = "%(objecttype) %(refname:strip=2)%00%(contents)%00"
    with git.stream(
        "for-each-ref", "--sort=-creatordate", "--merged", commits.head, *excluded, f"--format={fields}", "refs/tags/"
    ) as stream:
        texts = (field.decode(errors="replace") for field in read_fields(stream))
        for type_and_name, message in zip(texts, texts, strict=False):
            type, _, name = type_and_name.lstrip("\n").partition(" ")
            if type == "tag":
                collector.add_tag(name, message)


def _problem_of(error: GitError) -> Problem:
    """The problem as a user of this plugin sees it, with the settings that help."""
    why, remedy = error.problem.why, error.problem.remedy
    if error.failure is GitFailure.TIMED_OUT:
        what = "the commits of this change cannot all be read"
        return Problem(what, why, "name a later commit with KEYS_GIT_SINCE; PLUGIN_TIMEOUT limits a fetch")
    if error.failure in (GitFailure.NOT_INSTALLED, GitFailure.NOT_STARTED, GitFailure.NO_REPOSITORY):
        remedy = f"{remedy}, or leave this out with DISABLE_PLUGINS=git"
    return Problem("the commits of this change cannot be read", why, remedy)
