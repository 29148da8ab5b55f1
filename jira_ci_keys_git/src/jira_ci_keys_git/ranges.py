"""Says which commits belong to a change: what a pull request, a push or a deployment has that was not there before."""

from __future__ import annotations

from dataclasses import dataclass

from jira_ci_core import Pipeline, Problem, Settings, environment_id

from jira_ci_keys_git.git import GitError
from jira_ci_keys_git.memory import Memory
from jira_ci_keys_git.repository import Repository

_ONLY_LATEST = "only the latest commit is looked at"


@dataclass(frozen=True)
class Start:
    """Where a range begins: nothing that these commits have is in it. Without any, it is not known."""

    commits: tuple[str, ...] = ()
    words: str = ""
    """What these commits are; or, where they are not known, why not."""
    problem: Problem | None = None
    """What was to be found and is not here."""


@dataclass(frozen=True)
class Range:
    """The commits of a change: what `head` has and `start` has not; `head` alone where the start is not known."""

    head: str
    start: Start
    problems: tuple[Problem, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether it is known where the change begins."""
        return bool(self.start.commits)


class Ranges:
    """Finds the range of a run, from what CI, the settings and the repository say."""

    def __init__(
        self,
        repository: Repository,
        pipeline: Pipeline,
        settings: Settings,
        *,
        since: str | None = None,
        deployed_tag: str | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.repository = repository
        self.pipeline = pipeline
        self._settings = settings
        self._since = since
        self._deployed_tag = deployed_tag
        self._memory = memory

    @property
    def target_branch(self) -> str | None:
        """The branch that a pull request wants to go to."""
        return self.pipeline.target_branch

    @property
    def wants_tags(self) -> bool:
        """Whether tags say where the range begins."""
        return bool(self._since or (self._deployed_tag and self._settings.environment_name))

    @property
    def looks_back(self) -> bool:
        """Whether the range may begin at a commit that only more history shows."""
        return bool(self._settings.environment_name and (self._deployed_tag or self._memory))

    def find(self) -> Range:
        """Find it in what is in the repository now. Raises GitError where there is no commit at all."""
        head, missing = self.head()
        start = self._start(head)
        if start.commits and any(self.repository.holds(commit, head) for commit in start.commits):
            start = Start(words=f"{start.words} already has the commit of this run, {head[:7]}", problem=start.problem)
        return Range(head, start, tuple(problem for problem in (missing, start.problem) if problem))

    def head(self) -> tuple[str, Problem | None]:
        """The commit of this run, or else the one that is checked out, and then the problem."""
        sha = self.pipeline.sha
        head = self.repository.commit(sha)
        if head:
            return head, None
        head = self.repository.commit("HEAD")
        if head is None:
            raise GitError(
                f"there is no commit in {self.repository.git.folder}, so none can be looked at",
                "the repository is empty, or nothing is checked out",
                "check out the commit of this run before this step",
            )
        if not sha:
            return head, None
        return head, Problem(
            f"the commit of this run, {sha[:40]}, is not in the repository; {head[:7]}, which is checked out, stands for it",
            self._why_missing(head),
            self._remedy(),
        )

    def _start(self, head: str) -> Start:
        if self._since:
            return self._named(head, self._since, f"{self._since} (KEYS_GIT_SINCE)", "check KEYS_GIT_SINCE")
        if self._settings.environment_name:
            start = self._of_deployment(head)
            # What a preview of a pull request shows is the pull request.
            return start if start.commits or not self.target_branch else self._of_pull_request(head)
        return self._of_pull_request(head) if self.target_branch else self._of_push(head)

    def _of_pull_request(self, head: str) -> Start:
        branch = self.target_branch
        remote = self.repository.remote()
        refs = ([f"refs/remotes/{remote}/{branch}"] if remote else []) + [f"refs/heads/{branch}"]
        target = next((commit for commit in map(self.repository.commit, refs) if commit), None)
        bases = self.repository.merge_bases(target, head) if target else ()
        if bases:
            return Start(bases, f"the merge base with {branch} ({_short(bases)})")
        # GitLab says which commit a merge request leaves the target branch at.
        before = self.pipeline.commit_before
        if "BASE" in self.pipeline.origins.get("commit_before", ""):
            base = self.repository.commit(before)
            if base:
                return Start((base,), f"the merge base with {branch} ({base[:7]})")
        if target is None:
            what = f"the target branch {branch} is not in the repository, so {_ONLY_LATEST}"
        else:
            what = f"the change and its target branch {branch} have no commit in common here, so {_ONLY_LATEST}"
        return Start(problem=Problem(what, self._why_missing(head), self._remedy()))

    def _of_push(self, head: str) -> Start:
        before = self.pipeline.commit_before
        if not before:
            return Start(words=f"{self.pipeline.ci} does not say which commit the previous run was of")
        remedy = "set KEYS_GIT_SINCE for this run where its keys are wanted"
        return self._named(head, before, f"the previous run's commit {before[:7]}", remedy)

    def _named(self, head: str, name: str, words: str, remedy: str) -> Start:
        commit = self.repository.commit(name)
        if commit:
            return Start((commit,), words)
        what = f"{words} is not in the repository, so {_ONLY_LATEST}"
        return Start(problem=Problem(what, self._why_missing(head), self._remedy(remedy)))

    def _of_deployment(self, head: str) -> Start:
        found: dict[str, str] = {}
        unknown = []
        for name in self._settings.environment_name:
            commit, words = self._deployed(name, head)
            if commit:
                found.setdefault(commit, words)
            else:
                unknown.append(name)
        nothing = f"nothing says which commit was deployed to {', '.join(unknown)} before this one"
        if not found:
            how = "" if self._deployed_tag or self._memory else " (DEPLOYED_TAG or KEYS_GIT_REMEMBER makes it known)"
            return Start(words=f"{nothing}{how}")
        words = ", and ".join(found.values()) + (f" ({nothing})" if unknown else "")
        if len(found) == 1:
            return Start(tuple(found), words)
        # What any of the environments lacks: only what all of them have is left out.
        earliest = self.repository.common_ancestors(found)
        return Start(earliest, words if earliest else f"{words}: they have no commit in common")

    def _deployed(self, name: str, head: str) -> tuple[str | None, str]:
        """The commit that was last deployed to an environment, other than this one."""
        if self._memory:
            commit = self._memory.recall(self._settings.environment_id or environment_id(name), head)
            if commit:
                return commit, f"{commit[:7]}, remembered as deployed to {name}"
        if self._deployed_tag:
            tag = self.repository.newest_tag(self._deployed_tag.replace("{environment}", _literal(name)), head)
            if tag:
                return tag[1], f"the tag {tag[0]} of {name}"
        return None, ""

    def _why_missing(self, head: str) -> str:
        if self.repository.shallow:
            return (
                f"history is cut here: this is a shallow clone, and {self.repository.count(head)} commit(s) can be seen"
            )
        return "it was not fetched, or it was lost when someone pushed with force"

    def _remedy(self, other: str = "") -> str:
        remedy = "fetch all history when checking out (fetch-depth 0, GIT_DEPTH 0), or set KEYS_GIT_DEEPEN=yes"
        return f"{remedy}; {other}" if other else remedy


def _short(commits: tuple[str, ...]) -> str:
    return ", ".join(commit[:7] for commit in commits)


def _literal(text: str) -> str:
    """A text in which git sees no pattern."""
    return "".join(f"\\{character}" if character in "*?[\\" else character for character in text)
