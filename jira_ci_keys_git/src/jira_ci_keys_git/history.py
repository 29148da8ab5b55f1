"""Which commits are those of this change: from which one on, and whether all of them are here."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jira_ci_core import Git, GitError, Pipeline, Problem, Settings
from jira_ci_keys_git.deployed import REFS, last_tagged, ref_of
from jira_ci_keys_git.options import Options
from jira_ci_keys_git.revisions import commit_id, merge_bases

log = logging.getLogger(__name__)

# How many more commits to ask for, one time after the other, until history reaches far enough.
DEEPEN = 64, 256, 1024, 4096, 16384

_FULL_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """The commits in the history of `head` that are not in the history of any of `before`."""

    head: str
    before: tuple[str, ...] = ()
    is_known: bool = True
    """Whether something says where the change begins; else it is one commit, and what that merges."""

    @property
    def revs(self) -> tuple[str, ...]:
        """The span as git takes it."""
        return self.head, "--not", *self.before


@dataclass(frozen=True)
class _Start:
    """One thing that says where a change begins."""

    words: str
    before: tuple[str, ...]
    """The commits that do not belong to it any more; empty where they are not here."""
    why: str
    """Why they may be missing."""
    remedy: str
    at_remote: tuple[str, ...] = ()
    """What to ask the remote for, where they are missing: ids or names of refs."""


class History:
    """The history of one checkout, as far as it is there. Methods raise GitError where git does not work."""

    def __init__(self, git: Git, options: Options, tell: Callable[[Problem], None]) -> None:
        self._git = git
        self._options = options
        self._tell = tell
        self._shallow = git.folder / git.output("rev-parse", "--git-path", "shallow").removesuffix("\n")

    def span(self, pipeline: Pipeline, settings: Settings) -> Span | None:
        """The commits of this change; None where not even its latest one is here."""
        head = self.head(pipeline)
        if head is None:
            return None
        lost = False
        for start in self._starts(pipeline, settings, head):
            before = start.before or self._fetched(start.at_remote)
            if before and before != (head,):
                return self._deepened(Span(head, before))
            if not before:
                lost = True
                self._tell(Problem(f"{start.words} is not known here", start.why, start.remedy))
        if lost and self.cuts():
            # What is missing is older than all that can be seen.
            return Span(head)
        parent = commit_id(self._git, f"{head}^1")
        return Span(head, (parent,) if parent else (), is_known=False)

    def head(self, pipeline: Pipeline) -> str | None:
        """The latest commit of the change."""
        sha = pipeline.sha or "HEAD"
        head = commit_id(self._git, sha) or next(iter(self._fetched((sha,) if pipeline.sha else ())), None)
        if head is None:
            self._tell(
                Problem(
                    "the commits of this change cannot be read",
                    f"{sha} is not in the checkout",
                    "check out with more history (fetch-depth: 0), or set KEYS_GIT_DEEPEN=yes",
                )
            )
        return head

    def cuts(self) -> frozenset[str]:
        """The commits whose parents are not here, because the clone is shallow."""
        try:
            return frozenset(self._shallow.read_text(encoding="ascii", errors="replace").split())
        except OSError:
            return frozenset()

    def _starts(self, pipeline: Pipeline, settings: Settings, head: str) -> Iterator[_Start]:
        since, target, before = self._options.keys_git_since, pipeline.target_branch, pipeline.commit_before
        if since and since.strip("0"):
            yield _Start(
                f"KEYS_GIT_SINCE={since}",
                self._known(since),
                "no commit in the checkout has that name",
                "correct KEYS_GIT_SINCE, or fetch what it names",
                (since, f"refs/tags/{since}^{{}}", f"refs/tags/{since}", f"refs/heads/{since}"),
            )
        if settings.environment_name:
            yield from self._deployments(settings.environment_name, head)
        if target:
            remote = self._remote() or "origin"
            yield _Start(
                f"the target branch {target}",
                self._known(f"refs/remotes/{remote}/{target}") or self._known(f"refs/heads/{target}"),
                "the checkout holds no branch of that name",
                "check out all branches (fetch-depth: 0), or set KEYS_GIT_DEEPEN=yes",
                (f"refs/heads/{target}",),
            )
        if before and before.strip("0") and before != "null":
            yield _Start(
                f"the commit before this change, {before[:12]},",
                self._known(before),
                "the clone is shallow, or a force-push has replaced that commit",
                "check out with more history (fetch-depth: 0) or set KEYS_GIT_DEEPEN=yes; "
                "after a force-push, name a commit with KEYS_GIT_SINCE",
                (before,),
            )

    def _deployments(self, environments: tuple[str, ...], head: str) -> Iterator[_Start]:
        if not (self._options.keys_git_remember or self._options.deployed_tag):
            return
        deployed = {environment: self._deployed(environment, head) for environment in environments}
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
        yield _Start(
            f"the last deployment to {', '.join(environments)}",
            # What one of the environments lacks is new to it.
            tuple(commits) if len(commits) == 1 else merge_bases(self._git, commits),
            "the commits that were deployed to them have no history in common here",
            "check out with more history (fetch-depth: 0), or report each environment in a step of its own",
        )

    def _deployed(self, environment: str, head: str) -> str | None:
        commit = None
        if self._options.keys_git_remember:
            commit = commit_id(self._git, ref_of(environment))
        if commit is None and self._options.deployed_tag:
            commit = last_tagged(self._git, self._options.deployed_tag, environment, head)
        return commit

    def _known(self, rev: str) -> tuple[str, ...]:
        commit = commit_id(self._git, rev)
        return (commit,) if commit else ()

    def _remote(self) -> str | None:
        remotes = self._git.output("remote").split()
        return "origin" if "origin" in remotes else next(iter(remotes), None)

    def _fetched(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The first of these that the remote has, fetched, where that is wanted."""
        remote = self._remote() if names and self._options.keys_git_deepen else None
        if remote is None:
            return ()
        try:
            at_remote = {name: name for name in names if _FULL_ID.fullmatch(name)}
            at_remote = at_remote or self._git.remote_refs(remote, *names)
            commit = next((at_remote[name] for name in names if name in at_remote), None)
            if commit is None:
                return ()
            # Of a clone that is whole, a fetch with a depth would make a shallow one.
            self._git.fetch(remote, commit, options=("--depth=1",) if self.cuts() else ())
        except GitError as error:
            self._tell_of_fetch(error)
            return ()
        return self._known(commit)

    def _deepened(self, span: Span) -> Span:
        remote = self._remote() if self._options.keys_git_deepen else None
        for more in DEEPEN if remote else ():
            assert remote is not None
            if not self._is_cut(span):
                break
            try:
                self._git.fetch(remote, span.head, *span.before, options=(f"--deepen={more}",))
            except GitError as error:
                self._tell_of_fetch(error)
                break
        return span

    def _is_cut(self, span: Span) -> bool:
        cuts = self.cuts()
        if not cuts:
            return False
        with self._git.stream("rev-list", *span.revs, "--") as commits:
            return any(line.decode().strip() in cuts for line in commits)

    def _tell_of_fetch(self, error: GitError) -> None:
        self._tell(
            Problem(
                "more history could not be fetched (KEYS_GIT_DEEPEN)",
                error.problem.why,
                "check out with more history (fetch-depth: 0), or let git sign in by itself in this step: "
                "http.extraHeader, .netrc, an ssh key, GIT_ASKPASS",
            )
        )
