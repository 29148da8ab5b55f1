"""Collects issue keys from commits and tags, one after the other, in limited memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from jira_ci_core import FoundKey, Retraction, find_keys
from jira_ci_keys_git.commits import (
    Commit,
    Message,
    brings_back,
    merged_branches,
    read_message,
    request_of,
    reverted_commit,
)
from jira_ci_keys_git.options import Options

# Core sends 500 keys; with some more, it can tell how many it leaves out.
MAX_KEYS = 1000
# How many reverts wait at the same time for the commit that they revert.
MAX_REVERTS = 1000
MAX_KEYS_OF_REVERT = 50
MAX_NAMED = 10_000
"""How many keys of commits that count are kept to know which are not taken back. With more of them, none is."""
MAX_NAME_LENGTH = 10_000
"""For memory only: core shows less, and masks secrets before it cuts."""
SHORT_ID_LENGTH = 7


@dataclass
class _Revert:
    """A revert whose reverted commit has not come yet."""

    reverted_id: str
    """The id of that commit, perhaps shortened, or its pull request."""
    keys: dict[str, str] = field(default_factory=dict)
    """The sources of the revert's own keys."""
    sha: str = ""
    named: frozenset[str] = frozenset()
    """All keys in its message, wherever KEYS_GIT_SOURCES looks."""
    takes_back_earlier: bool = False
    """Whether it takes its keys back even if the reverted commit is of an earlier change."""


class KeyCollector:
    """The keys found so far, at most MAX_KEYS, each with the newest commit that names it."""

    def __init__(self, options: Options, projects: Iterable[str]) -> None:
        self._options = options
        self._projects = tuple(projects)
        self._trailers = frozenset(name.lower() for name in options.keys_git_trailers)
        self._found: dict[str, FoundKey] = {}
        self._reverts: dict[str, _Revert] = {}
        """By the shortened id of the commit that is reverted."""
        self._reverted: dict[str, str] = {}
        """The keys in messages of reverted commits and their reverts, each with why it does not count."""
        self._named: set[str] = set()
        """The keys in messages of commits that count."""
        self.commits_seen = 0

    @property
    def is_full(self) -> bool:
        """Whether there are MAX_KEYS keys, and no more are added."""
        return len(self._found) >= MAX_KEYS

    @property
    def keys(self) -> list[FoundKey]:
        """The keys, those of newer commits first."""
        return list(self._found.values())

    @property
    def retractions(self) -> list[Retraction]:
        """The keys that the change takes back by reverting all commits that name them."""
        if len(self._named) >= MAX_NAMED:
            return []
        return [Retraction(key=key, source=why) for key, why in self._reverted.items() if key not in self._named]

    def add_commit(self, commit: Commit) -> None:
        """Add the keys of one commit. Commits come newest first, so a revert comes before what it reverts."""
        self.commits_seen += 1
        ids = commit.sha, request_of(commit.message) or ""
        found = (self._reverts.get(id[:SHORT_ID_LENGTH]) for id in ids)
        revert = next((one for one in found if one and any(id.startswith(one.reverted_id) for id in ids)), None)
        if revert:
            # The two cancel each other: the keys of neither count.
            del self._reverts[revert.reverted_id[:SHORT_ID_LENGTH]]
            why = f"commit {revert.sha[:SHORT_ID_LENGTH]} reverts {commit.sha[:SHORT_ID_LENGTH]}"
            for key in (*revert.named, *self._keys_named_by(commit)):
                self._reverted.setdefault(key, why)
            return
        keys = self._keys_of(commit)
        target = reverted_commit(commit.message) if self._options.keys_git_skip_reverted else None
        if target and target[:SHORT_ID_LENGTH] not in self._reverts and len(self._reverts) < MAX_REVERTS:
            first = dict(islice(keys, MAX_KEYS_OF_REVERT))
            is_last = self.commits_seen == 1 and not brings_back(commit.message)
            revert = _Revert(target, first, commit.sha, frozenset(self._keys_named_by(commit)), is_last)
            self._reverts[target[:SHORT_ID_LENGTH]] = revert
        else:
            self._named.update(self._keys_named_by(commit))
            self._add(keys)

    def add_tag(self, name: str, message: str) -> None:
        """Add the keys in the message of an annotated tag."""
        self._add((key, f"tag {_shorten(name)}") for key in find_keys(message, self._projects))

    def finish(self, *, has_baseline: bool = True) -> None:
        """Add the keys of reverts whose reverted commit is not part of this change. Call it after the last commit.

        They are left out of the last commit, as that is all that some CIs tell of a change; and without a baseline, as
        then nothing says that the reverted commit is not part of it. A revert of a revert brings its keys back.
        """
        for revert in self._reverts.values():
            if has_baseline and not revert.takes_back_earlier:
                self._named |= revert.named
                self._add(revert.keys.items())
            else:
                why = f"commit {revert.sha[:SHORT_ID_LENGTH]} reverts {revert.reverted_id[:SHORT_ID_LENGTH]}"
                self._reverted |= dict.fromkeys(revert.named, why) | self._reverted

    def _add(self, keys: Iterable[tuple[str, str]]) -> None:
        for key, source in keys:
            if self.is_full:
                return
            if key not in self._found:
                self._found[key] = FoundKey(key=key, source=source)

    def _keys_named_by(self, commit: Commit) -> Iterator[str]:
        """The first keys in a message, if it matters which are taken back."""
        if not self._options.keys_git_skip_reverted or len(self._named) >= MAX_NAMED:
            return iter(())
        return islice(find_keys(commit.message, self._projects), MAX_NAMED)

    def _keys_of(self, commit: Commit) -> Iterator[tuple[str, str]]:
        """The keys of a commit, each with its source, if at least one of them is new."""
        if not any(key not in self._found for key in find_keys(commit.message, self._projects)):
            return
        name = f"commit {commit.sha[:SHORT_ID_LENGTH]}"
        for place, text in self._searched_texts(read_message(commit.message)):
            for key in find_keys(text, self._projects):
                yield key, f"{name} {place}"

    def _searched_texts(self, message: Message) -> Iterator[tuple[str, str]]:
        """Those parts of a message that KEYS_GIT_SOURCES names, each with what it is called."""
        sources = self._options.keys_git_sources
        if "branches" in sources:
            for branch in merged_branches(message.subject):
                yield f"merged branch {_shorten(branch)}", branch
        if "subjects" in sources:
            yield "subject", message.subject
        if "trailers" in sources:
            for name, value in message.trailers:
                if not self._trailers or name.lower() in self._trailers:
                    yield f"trailer {_shorten(name)}", value
        if "bodies" in sources:
            yield "body", message.body


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}…"
