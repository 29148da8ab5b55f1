"""What there is in a repository: commits by whatever names them, where history is cut, what it could be asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jira_ci_keys_git.git import Git, GitError

# Settings that name a program, or the way to one. `git fetch` would run it.
PROGRAMS = (
    r"^(core\.(sshcommand|gitproxy|askpass|alternaterefscommand)|credential\.(.*\.)?helper"
    r"|remote\..*\.(uploadpack|vcs)|hook\..*\.command)$"
)

# In one command, whose line has a limit.
MOST_NAMES = 200


class Repository:
    """A repository that git is ready to read. Raises GitError where it is not."""

    def __init__(self, git: Git) -> None:
        if not git.folder.is_dir():
            raise GitError(
                f"there is no folder {git.folder}, so no commits can be looked at",
                "the repository was expected there",
                "set KEYS_GIT_REPOSITORY to the folder of the checkout",
            )
        self.git = git
        self.shallow: frozenset[str] = frozenset()
        """The commits at which history is cut; none in a complete clone."""
        self.look_for_cuts()

    def look_for_cuts(self) -> None:
        """Find out at which commits history is cut, now."""
        done = self.git.run("rev-parse", "--is-shallow-repository", "--git-path", "shallow")
        if done.code:
            raise _unusable(self.git.folder, done.err, done.reason)
        is_shallow, path = done.out.splitlines()
        if is_shallow == "true":
            self.shallow = frozenset((self.git.folder / path).read_text().split())
        else:
            self.shallow = frozenset()

    def commit(self, name: str | None) -> str | None:
        """The commit that something names, by its full hash; None where there is no such commit here."""
        if not name or "\0" in name:
            return None
        return self.git.answer("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """The best common ancestors of two commits."""
        return tuple((self.git.answer("merge-base", "--all", one, other) or "").split())

    def common_ancestors(self, commits: Iterable[str]) -> tuple[str, ...]:
        """The best common ancestors of all of these commits."""
        return tuple((self.git.answer("merge-base", "--octopus", "--all", *commits) or "").split())

    def holds(self, commit: str, other: str) -> bool:
        """Whether a commit is another one, or has it in its history."""
        return self.git.run("merge-base", "--is-ancestor", other, commit).code == 0

    def is_cut(self, head: str, without: Iterable[str]) -> bool:
        """Whether history is cut among the commits that `head` has and `without` have not."""
        if not self.shallow:
            return False
        ends = self.git.answer("rev-list", "--max-parents=0", head, "--not", *without, "--") or ""
        return not self.shallow.isdisjoint(ends.split())

    def count(self, head: str) -> int:
        """How many commits can be seen from `head`."""
        return int(self.git.answer("rev-list", "--count", head, "--") or 0)

    def brought_in(self, merge: str, mainline: str) -> list[str]:
        """The commits that a merge brought into its mainline."""
        return (self.git.answer("rev-list", merge, "--not", mainline, "--") or "").split()

    def newest_tag(self, pattern: str, head: str) -> tuple[str, str] | None:
        """The newest tag of a pattern in the history of `head`, but not on it: its name and its commit."""
        done = self.git.run(
            "for-each-ref",
            "--sort=-version:refname",
            "--sort=-creatordate",
            f"--merged={head}",
            "--format=%(refname:lstrip=2) %(objectname) %(*objectname)",
            f"refs/tags/{pattern}",
        )
        for line in done.out.splitlines():
            name, *objects = line.split()
            if objects[-1] != head:
                return name, objects[-1]
        return None

    def tag_messages(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The messages of those tags that have one, without signatures."""
        form = "%(objecttype)%00%(refname:lstrip=2)%00%(contents:subject)%00%(contents:body)%00"
        for place in range(0, len(names), MOST_NAMES):
            refs = [f"refs/tags/{name}" for name in names[place : place + MOST_NAMES]]
            fields = iter((self.git.run("for-each-ref", f"--format={form}", *refs).out).split("\0"))
            for type, name, subject, body in zip(fields, fields, fields, fields, strict=False):
                if type.strip() == "tag":
                    yield name, f"{subject}\n{body}"

    def remote(self) -> str | None:
        """The remote to fetch from: `origin`, or the only one there is."""
        remotes = (self.git.answer("remote") or "").split()
        return "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else None

    def own_program(self) -> str | None:
        """A setting of the repository's own by which it names a program that `git fetch` would run."""
        found = self.git.answer("config", "--show-scope", "--name-only", "--get-regexp", PROGRAMS) or ""
        scopes = (line.split("\t", 1) for line in found.splitlines())
        return next((name for scope, name in scopes if scope in ("local", "worktree")), None)


def is_hash(text: str | None) -> bool:
    """Whether this is the full hash of a commit."""
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text or "") is not None


def _unusable(folder: Path, err: str, reason: str) -> GitError:
    if "dubious ownership" in err or "unsafe repository" in err:
        return GitError(
            f"git does not trust the checkout in {folder}, so no commits can be looked at",
            "it belongs to another user than the one that this step runs as (git calls that dubious ownership)",
            f"run before this step, in its image: git config --global --add safe.directory {folder.absolute()}",
        )
    if "not a git repository" in err:
        return GitError(
            f"{folder.absolute()} is not in a git repository, so no commits can be looked at",
            "git finds no .git there, nor in the folders above",
            "set KEYS_GIT_REPOSITORY to the folder of the checkout, or leave this out with DISABLE_PLUGINS=git",
        )
    return GitError(
        f"git cannot read the repository in {folder}, so no commits can be looked at",
        reason,
        "run `git status` in the checkout, or clone it anew",
    )
