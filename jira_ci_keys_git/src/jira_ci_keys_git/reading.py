"""Reads the commits of a range, one after the other, and keeps no more of them than the keys."""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_keys_git.commits import read_commits
from jira_ci_keys_git.finding import Finder, Reverts
from jira_ci_keys_git.ranges import Range
from jira_ci_keys_git.repository import Repository


class Reading:
    """What was found in a range; also a reading that was stopped half way has found something."""

    def __init__(self, repository: Repository, finder: Finder, *, with_tags: bool, leave_out_reverted: bool) -> None:
        self._repository = repository
        self._finder = finder
        self._with_tags = with_tags
        self._reverts = Reverts(repository.brought_in) if leave_out_reverted else None
        self.keys: dict[str, str] = {}
        """Each key with where it was found, in the latest commit that has it."""
        self.seen = 0
        """How many commits there were."""
        self.is_cut = False
        """Whether history ends among them because the clone is shallow."""

    def read(self, found: Range) -> None:
        """Read it all. Raises GitError where git does not get to the end."""
        tags: list[str] = []
        start = found.start.commits if found.is_known else None
        for commit in read_commits(self._repository.git, found.head, start, with_tags=self._with_tags):
            self.seen += 1
            self.is_cut = self.is_cut or commit.sha in self._repository.shallow
            tags += commit.tags
            keys = self._finder.keys_of(commit)
            self._add(self._reverts.remaining(commit, keys) if self._reverts else keys)
        for keys in self._reverts.rest() if self._reverts else ():
            self._add(keys)
        messages = self._repository.tag_messages(tags)
        self._add(self._finder.keys_in((f"tag {name}", message) for name, message in messages))

    def _add(self, keys: Mapping[str, str]) -> None:
        for key, where in keys.items():
            self.keys.setdefault(key, where)
