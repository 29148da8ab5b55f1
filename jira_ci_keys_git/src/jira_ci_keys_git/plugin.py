"""Issue keys from all commits of a change: since the target branch, the previous run or the last deployment."""

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
    Pipeline,
    PluginError,
    Problem,
    Receipt,
    Report,
    Result,
    State,
    hookimpl,
    work_tree,
)
from jira_ci_core import Settings as StepSettings
from jira_ci_keys_git.collector import MOST_KEYS, Search
from jira_ci_keys_git.commits import LOG, read_commits, read_fields
from jira_ci_keys_git.deployed import ref_of, remember
from jira_ci_keys_git.history import History, Span
from jira_ci_keys_git.options import Options

log = logging.getLogger(__name__)

# Core ends a plugin that takes longer than PLUGIN_TIMEOUT: git must have given up before.
SHARE_OF_TIME = 0.8


class GitKeys:
    """Reads the commits of this change with git."""

    CONTRACT = 1
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings
        # `jira_ci_reported` is given no environment, and where ISSUEKEYS names the keys, no extractor is called before.
        self._environ: Mapping[str, str] = os.environ

    @hookimpl
    def jira_ci_extract_issue_keys(
        self, pipeline: Pipeline, environ: Mapping[str, str], settings: StepSettings
    ) -> list[FoundKey]:
        """The keys in the commits of this change, those of newer commits first."""
        self._environ = environ
        search = Search(self._options, settings.projects_to_find)
        try:
            git = self._git(pipeline, settings)
            history = History(git, self._options, self._tell)
            span = history.span(pipeline, settings)
            if span is not None:
                self._read(git, history, span, search)
        except GitError as error:
            self._tell(_problem_of(error))
        return search.found

    @hookimpl
    def jira_ci_reported(
        self, pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: StepSettings
    ) -> None:
        """Remember what is deployed now, where Jira has accepted that it is."""
        if self._options.keys_git_remember is None:
            return
        deployed = [
            report.entity.environment.name
            for report, outcome in zip(reports, receipt.outcomes, strict=False)
            if isinstance(report.entity, Deployment)
            and report.entity.state is State.SUCCESSFUL
            and outcome.result is Result.ACCEPTED
        ]
        if not deployed:
            return
        try:
            git = self._git(pipeline, settings)
            commit = History(git, self._options, self._tell).head(pipeline)
            for environment in deployed if commit else ():
                assert commit is not None
                remember(git, environment, commit)
                log.info("%s is remembered as deployed to %s, in %s", commit[:12], environment, ref_of(environment))
        except GitError as error:
            problem = _problem_of(error)
            log.warning("what is deployed now could not be remembered: %s; %s", problem.why, problem.remedy)

    def _git(self, pipeline: Pipeline, settings: StepSettings) -> Git:
        return Git(work_tree(pipeline), self._environ, settings.plugin_timeout * SHARE_OF_TIME)

    def _read(self, git: Git, history: History, span: Span, search: Search) -> None:
        cuts = history.cuts()
        is_cut = False
        with git.stream(*LOG, "--topo-order", *span.revs, "--") as stream:
            for commit in read_commits(stream):
                search.read(commit)
                is_cut = is_cut or commit.sha in cuts
                if search.is_full:
                    break
        search.end()
        if "tags" in self._options.keys_git_sources:
            self._read_tags(git, span, search)
        if is_cut and (span.is_known or search.seen > 1):
            self._tell(
                Problem(
                    "issue keys of older commits may be missing",
                    f"the clone is shallow: history is cut, and {search.seen} commits of this change could be seen",
                    "check out with more history (fetch-depth: 0), or set KEYS_GIT_DEEPEN=yes",
                )
            )
        if search.is_full:
            log.warning("there are %d issue keys and more in this change; the older ones are left out", MOST_KEYS)

    def _read_tags(self, git: Git, span: Span, search: Search) -> None:
        without = [word for commit in span.before for word in ("--no-merged", commit)]
        fields = "%(objecttype) %(refname:strip=2)%00%(contents)%00"
        with git.stream(
            "for-each-ref", "--sort=-creatordate", "--merged", span.head, *without, f"--format={fields}", "refs/tags/"
        ) as stream:
            fields_of = (field.decode(errors="replace") for field in read_fields(stream))
            for head, message in zip(fields_of, fields_of, strict=False):
                kind, _, name = head.lstrip("\n").partition(" ")
                if kind == "tag":
                    search.read_tag(name, message)

    def _tell(self, problem: Problem) -> None:
        if self._options.keys_git_strict:
            raise PluginError(
                Problem(problem.what, problem.why, f"{problem.remedy}; without KEYS_GIT_STRICT it is a warning")
            )
        log.warning("%s: %s; %s", problem.what, problem.why, problem.remedy)


def _problem_of(error: GitError) -> Problem:
    """What to tell the user, with the settings that help."""
    why, remedy = error.problem.why, error.problem.remedy
    if error.failure is GitFailure.TIMED_OUT:
        what = "the commits of this change cannot all be read"
        return Problem(what, why, "allow it more with PLUGIN_TIMEOUT, or name a later commit with KEYS_GIT_SINCE")
    if error.failure in (GitFailure.NOT_INSTALLED, GitFailure.NOT_STARTED, GitFailure.NO_REPOSITORY):
        remedy = f"{remedy}, or leave this out with DISABLE_PLUGINS=git"
    return Problem("the commits of this change cannot be read", why, remedy)
