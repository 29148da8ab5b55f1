"""Which commits belong to a change, and whether the checkout has all of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jira_ci_core import Git, GitError, Pipeline, Problem, Settings
from jira_ci_keys_git.deployed import REFS, last_tagged_commit, ref_name
from jira_ci_keys_git.options import Options
from jira_ci_keys_git.revisions import commit_id, merge_bases

log = logging.getLogger(__name__)

# How many more commits each further fetch asks for, until history reaches far enough.
DEEPEN_STEPS = 64, 256, 1024, 4096, 16384

# For four hundred thousand commits.
MAX_SHALLOW_BYTES = 1 << 24

_FULL_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)


class CommitRange(NamedTuple):
    """The commits in the history of `head` that are not in the history of an excluded one."""

    head: str
    excluded: tuple[str, ...] = ()
    has_baseline: bool = True
    """False if nothing says where the change begins. It is then one commit, and what that merges."""

    @property
    def revisions(self) -> tuple[str, ...]:
        """The range as arguments of git."""
        return self.head, "--not", *self.excluded


class _Baseline(NamedTuple):
    """A state of the repository that a change is compared with."""

    name: str
    commits: tuple[str, ...]
    """Empty if the checkout lacks them."""
    why: str
    """Why the checkout may lack them."""
    remedy: str
    fetchable: tuple[str, ...] = ()
    """Ids or refs by which a remote may have it, best first."""


class History:
    """The history of one checkout, as far as it is there. Methods raise GitError if git does not work.

    `report_problem` is called with what makes the answer less than complete.
    """

    def __init__(self, git: Git, options: Options, report_problem: Callable[[Problem], None]) -> None:
        self._git = git
        self._options = options
        self._report_problem = report_problem
        self._shallow_file = git.folder / git.output("rev-parse", "--git-path", "shallow").removesuffix("\n")

    def range_of_change(self, pipeline: Pipeline, settings: Settings) -> CommitRange | None:
        """Return the commits of this change, or None if the checkout lacks even the latest of them."""
        head = self.head(pipeline)
        if head is None:
            return None
        is_incomplete = False
        for baseline in self._baselines(pipeline, settings, head):
            commits = baseline.commits or self._fetch_first(baseline.fetchable)
            if commits and commits != (head,):
                commit_range = CommitRange(head, commits)
                self._deepen(commit_range)
                return commit_range
            if not commits:
                is_incomplete = True
                self._report_problem(Problem(f"{baseline.name} is not known here", baseline.why, baseline.remedy))
        if is_incomplete and self.shallow_commits():
            # The baseline is older than every commit here, so all of them belong to the change.
            return CommitRange(head)
        return CommitRange(head, self._resolve(f"{head}^1"), has_baseline=False)

    def head(self, pipeline: Pipeline) -> str | None:
        """Return the latest commit of the change, or None if neither the checkout nor its remote has it."""
        sha = pipeline.sha or "HEAD"
        if not pipeline.sha and pipeline.unrelated_commit and commit_id(self._git, sha) == pipeline.unrelated_commit:
            log.info("the commit that is checked out is not the one that this run is about; its message is not read")
            return None
        head = commit_id(self._git, sha) or next(iter(self._fetch_first((sha,) if pipeline.sha else ())), None)
        if head is None:
            self._report_problem(
                Problem(
                    "the commits of this change cannot be read",
                    f"{sha} is not in the checkout in {self._git.folder}",
                    "check out with more history (fetch-depth: 0), set KEYS_GIT_DEEPEN=yes, or run this step in the "
                    "repository that holds it",
                )
            )
        return head

    def shallow_commits(self) -> frozenset[str]:
        """Return the commits at which a shallow clone is cut: their parents are not here."""
        try:
            if not self._shallow_file.is_file():  # a pipe or a device may have no end
                return frozenset()
            with self._shallow_file.open("rb") as file:
                return frozenset(file.read(MAX_SHALLOW_BYTES).decode("ascii", "replace").split())
        except OSError:
            return frozenset()

    def touches_paths(self, commit: str) -> bool:
        """Whether a commit changes one of KEYS_GIT_PATHS; a merge, whether it brings a change in.

        Where the clone is cut at the commit, that is not known, and it counts.
        """
        if commit in self.shallow_commits() and (remote := self._default_remote()) and self._options.keys_git_deepen:
            try:
                self._git.fetch(remote, commit, options=("--deepen=1",))
            except GitError as error:
                self._report_failed_fetch(error)
        if commit in self.shallow_commits():
            self._report_problem(
                Problem(
                    f"whether {commit[:12]} touches KEYS_GIT_PATHS is not known",
                    "the clone is shallow: the commit before it is not here",
                    "check out with more history (fetch-depth: 2 or more), or set KEYS_GIT_DEEPEN=yes",
                )
            )
            return True
        parent = self._resolve(f"{commit}^1")
        states = (*parent, commit) if parent else ("--root", "--no-commit-id", commit)
        options = "-r", "--name-only", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"
        return bool(self._git.output("diff-tree", *options, *states, "--", *self._options.keys_git_paths))

    def warn_of_unknown_paths(self, commit: str) -> None:
        """Warn of those of KEYS_GIT_PATHS that neither a commit nor the one before it holds: they may be misspelt."""
        states = [commit, *self._resolve(f"{commit}^1")]
        unknown = [
            path
            for path in self._options.keys_git_paths
            if not any(self._git.output("ls-tree", "--full-tree", state, "--", path) for state in states)
        ]
        if unknown:
            log.warning("KEYS_GIT_PATHS: there is no %s in %s; correct it", ", ".join(unknown), commit[:12])

    def _baselines(self, pipeline: Pipeline, settings: Settings, head: str) -> Iterator[_Baseline]:
        """The revisions that the change can be compared with, best first."""
        since, target, before = self._options.keys_git_since, pipeline.target_branch, pipeline.commit_before
        if since and since.strip("0"):
            yield _Baseline(
                f"KEYS_GIT_SINCE={since}",
                self._resolve(since),
                "no commit in the checkout has that name",
                "correct KEYS_GIT_SINCE, or fetch what it names",
                (since, f"refs/tags/{since}^{{}}", f"refs/tags/{since}", f"refs/heads/{since}"),
            )
        if settings.environment_name:
            yield from self._deployment_baseline(settings.environment_name, head)
        if target:
            remote = self._default_remote() or "origin"
            yield _Baseline(
                f"the target branch {target}",
                self._resolve(f"refs/remotes/{remote}/{target}") or self._resolve(f"refs/heads/{target}"),
                "the checkout holds no branch of that name",
                "check out all branches (fetch-depth: 0), or set KEYS_GIT_DEEPEN=yes",
                (f"refs/heads/{target}",),
            )
        if before and before.strip("0") and before != "null":
            yield _Baseline(
                f"the commit before this change, {before[:12]},",
                self._resolve(before),
                "the clone is shallow, or a force-push has replaced that commit",
                "check out with more history (fetch-depth: 0) or set KEYS_GIT_DEEPEN=yes; "
                "after a force-push, name a commit with KEYS_GIT_SINCE",
                (before,),
            )

    def _deployment_baseline(self, environments: tuple[str, ...], head: str) -> Iterator[_Baseline]:
        """The commits that all of these environments have already, if known for each."""
        if not (self._options.keys_git_remember or self._options.deployed_tag):
            return
        deployed = {environment: self._last_deployed(environment, head) for environment in environments}
        unknown = [environment for environment, commit in deployed.items() if commit is None]
        if unknown:
            log.warning(
                "which commit was deployed to %s last is not known here: this is the first deployment, or the checkout "
                "was made without %s; if it was, fetch them before this step",
                ", ".join(unknown),
                f"{REFS}*" if self._options.keys_git_remember else "tags",
            )
            return
        commits = sorted({commit for commit in deployed.values() if commit})
        yield _Baseline(
            f"the last deployment to {', '.join(environments)}",
            # What only some of the environments have is new to the others.
            tuple(commits) if len(commits) == 1 else merge_bases(self._git, commits),
            "the commits that were deployed to them have no history in common here",
            "check out with more history (fetch-depth: 0), or report each environment in a step of its own",
        )

    def _last_deployed(self, environment: str, head: str) -> str | None:
        commit = None
        if self._options.keys_git_remember:
            commit = commit_id(self._git, ref_name(environment))
        if commit is None and self._options.deployed_tag:
            commit = last_tagged_commit(self._git, self._options.deployed_tag, environment, head)
        return commit

    def _resolve(self, rev: str) -> tuple[str, ...]:
        """The one commit that `rev` names, or none."""
        commit = commit_id(self._git, rev)
        return (commit,) if commit else ()

    def _default_remote(self) -> str | None:
        remotes = self._git.output("remote").split()
        return "origin" if "origin" in remotes else next(iter(remotes), None)

    def _fetch_first(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Fetch the first of these ids or refs that the remote has, if KEYS_GIT_DEEPEN is set; its commit, or none."""
        remote = self._default_remote() if names and self._options.keys_git_deepen else None
        if remote is None:
            return ()
        try:
            ids = {name: name for name in names if _FULL_ID.fullmatch(name)}
            ids = ids or self._git.remote_refs(remote, *names)
            commit = next((ids[name] for name in names if name in ids), None)
            if commit is None:
                return ()
            # With a depth, a fetch makes a complete clone a shallow one.
            self._git.fetch(remote, commit, options=("--depth=1",) if self.shallow_commits() else ())
        except GitError as error:
            self._report_failed_fetch(error)
            return ()
        return self._resolve(commit)

    def _deepen(self, commit_range: CommitRange) -> None:
        """Fetch the missing part of a range, if KEYS_GIT_DEEPEN is set."""
        remote = self._default_remote() if self._options.keys_git_deepen else None
        if remote is None:
            return
        for count in DEEPEN_STEPS:
            if not self._is_cut(commit_range):
                return
            try:
                self._git.fetch(remote, commit_range.head, *commit_range.excluded, options=(f"--deepen={count}",))
            except GitError as error:
                self._report_failed_fetch(error)
                return

    def _is_cut(self, commit_range: CommitRange) -> bool:
        """Whether the clone lacks history of some commit in the range."""
        shallow = self.shallow_commits()
        if not shallow:
            return False
        with self._git.stream("rev-list", *commit_range.revisions, "--") as commits:
            return any(line.decode().strip() in shallow for line in commits)

    def _report_failed_fetch(self, error: GitError) -> None:
        self._report_problem(
            Problem(
                "more history could not be fetched (KEYS_GIT_DEEPEN)",
                error.problem.why,
                "check out with more history (fetch-depth: 0), or let git sign in by itself in this step: "
                "http.extraHeader, .netrc, an ssh key, GIT_ASKPASS",
            )
        )
