"""Resolving names of commits."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jira_ci_core import Git, GitError, GitFailure

MAX_LENGTH = 4096

_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def commit_id(git: Git, rev: str) -> str | None:
    """Return the full id of the commit that `rev` names, or None if the checkout has none of that name.

    Raises GitError if git does not work.
    """
    # Git would take the first of these for an option, and the second for all commits but one.
    if not rev or rev.startswith(("-", "^")) or "\0" in rev or len(rev) > MAX_LENGTH:
        return None
    id = _output(git, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}").strip()
    return id if _OBJECT_ID.fullmatch(id) else None


def merge_bases(git: Git, commits: Iterable[str]) -> tuple[str, ...]:
    """Return the latest commits that all of these have in their history. Raises GitError if git does not work."""
    return tuple(_output(git, "merge-base", "--octopus", "--all", *commits).split())


def _output(git: Git, *arguments: str) -> str:
    """Return what a command prints, or nothing if it fails: a non-zero exit means "no" here."""
    try:
        return git.output(*arguments)
    except GitError as error:
        if error.failure is GitFailure.FAILED:
            return ""
        raise
