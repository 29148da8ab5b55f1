"""Finds issue keys in commits, each with the place it was found in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from jira_ci_core import find_keys

from jira_ci_keys_git.commits import Commit

Place = tuple[str, str]
"""Where, in words for people, and the text that stands there."""

# What forges and git itself write when they merge. Only the branch that comes in counts, not the one it goes into.
MERGES = (
    r"Merge (?:remote-tracking )?branch(?:es)? ((?:'[^']+'(?:, | and )?)+)",  # git, GitLab, Gitea
    r"Merge pull request #\d+ from (\S+)",  # GitHub, Gitea
    r"Merged in (\S+) \(pull request #\d+\)",  # Bitbucket
    r"Merge in \S+ from (\S+) to \S+",  # Bitbucket Data Center, below a title
    r"Merge pull request \d+ from (\S+) into \S+",  # Azure Repos
)
_MERGES = [re.compile(rf"^{pattern}", re.MULTILINE) for pattern in MERGES]
_QUOTED = re.compile(r"'([^']+)'")

_REVERTED = re.compile(
    r"^This reverts commit ([0-9a-f]{7,64})\b(?:, reversing\s+changes made to ([0-9a-f]{7,64}))?", re.M
)


def merged_branches(commit: Commit) -> list[str]:
    """The branches that a commit says it merges."""
    names = []
    for pattern, text in ((pattern, text) for pattern in _MERGES for text in (commit.subject, commit.body)):
        match = pattern.search(text)
        if match:
            names += _QUOTED.findall(match[1]) or [match[1]]
    return names


def _in_merged_branches(commit: Commit, trailers: frozenset[str]) -> Iterable[Place]:
    return [(f"merged branch {name}", name) for name in merged_branches(commit)]


def _in_subject(commit: Commit, trailers: frozenset[str]) -> Iterable[Place]:
    return [(f"commit {commit.short} subject", commit.subject)]


def _in_trailers(commit: Commit, trailers: frozenset[str]) -> Iterable[Place]:
    return [
        (f"commit {commit.short} trailer {name}", value)
        for name, value in commit.trailers
        if not trailers or name.lower() in trailers
    ]


def _in_body(commit: Commit, trailers: frozenset[str]) -> Iterable[Place]:
    return [(f"commit {commit.short} body", commit.body)]


# In their order: a key that stands in several of them is said to be in the first.
READERS: dict[str, Callable[[Commit, frozenset[str]], Iterable[Place]]] = {
    "merged-branches": _in_merged_branches,
    "trailers": _in_trailers,
    "subject": _in_subject,
    "body": _in_body,
}
TAGS = "tags"
SOURCES = (*READERS, TAGS)


class Finder:
    """Finds keys of some projects in some of the sources of a commit."""

    def __init__(self, projects: Iterable[str], sources: Iterable[str], trailers: Iterable[str] = ()) -> None:
        self._projects = tuple(projects)
        self._readers = [READERS[name] for name in READERS if name in frozenset(sources)]
        self._trailers = frozenset(name.lower() for name in trailers)

    def keys_of(self, commit: Commit) -> dict[str, str]:
        """The keys in a commit, each with where it stands."""
        places = (place for reader in self._readers for place in reader(commit, self._trailers))
        return self.keys_in(places)

    def keys_in(self, places: Iterable[Place]) -> dict[str, str]:
        """The keys in texts, each with where it stands first."""
        found: dict[str, str] = {}
        for where, text in places:
            for key in find_keys(text, self._projects):
                found.setdefault(key, where)
        return found


class Reverts:
    """Leaves out what was taken back within a range: a revert, and what it reverts.

    Fed with commits newest first. A revert that was itself reverted takes nothing back. Reverting a merge takes back
    all that the merge brought in.
    """

    def __init__(self, brought_in: Callable[[str, str], Iterable[str]]) -> None:
        self._brought_in = brought_in
        self._reverted: dict[str, tuple[str, str]] = {}
        self._lengths: set[int] = set()
        self._held: dict[str, dict[str, str]] = {}

    def remaining(self, commit: Commit, keys: dict[str, str]) -> dict[str, str]:
        """The keys of this commit that count already: none where it was reverted, or reverts something itself."""
        hashes = (commit.sha[:length] for length in self._lengths)
        found = next((self._reverted[text] for text in hashes if text in self._reverted), None)
        if found is not None:
            revert, mainline = found
            # Now both are in the range.
            self._held.pop(revert, None)
            self._take_back_merge(commit, revert, mainline)
            return {}
        reverted = _REVERTED.findall(commit.body)
        if not reverted:
            return keys
        for sha, mainline in reverted:
            self._note(sha, commit.sha, mainline)
        self._held[commit.sha] = keys
        return {}

    def rest(self) -> Iterator[dict[str, str]]:
        """The keys of those reverts whose commit was not in the range: they are changes of their own."""
        yield from self._held.values()

    def _take_back_merge(self, merge: Commit, revert: str, mainline: str) -> None:
        parent = next((parent for parent in merge.parents if mainline and parent.startswith(mainline)), None)
        if parent is not None:
            for sha in self._brought_in(merge.sha, parent):
                self._note(sha, revert, "")

    def _note(self, sha: str, revert: str, mainline: str) -> None:
        self._reverted[sha] = revert, mainline
        self._lengths.add(len(sha))
