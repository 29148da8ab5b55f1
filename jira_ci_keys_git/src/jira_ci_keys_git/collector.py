"""Looking for keys in commits, one after the other, keeping no more than is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from jira_ci_core import FoundKey, find_keys
from jira_ci_keys_git.commits import Commit, Message, merged_branches, read_message, reverted
from jira_ci_keys_git.options import Options

# Jira takes 500, core cuts to that; some more, so that it can say that it does.
MOST_KEYS = 1000
# How many reverts are kept in mind while what they take back has not come by.
MOST_REVERTS = 1000
LONGEST_NAME = 100
SHORTEST_ID = 7
# Of one revert; nobody takes back more in one commit.
MOST_REVERTED = 50


@dataclass
class _Revert:
    sha: str
    keys: dict[str, str] = field(default_factory=dict)


class Search:
    """What was found so far: the newest place of each key, up to a limit."""

    def __init__(self, options: Options, projects: Iterable[str]) -> None:
        self._options = options
        self._projects = tuple(projects)
        self._trailers = frozenset(name.lower() for name in options.keys_git_trailers)
        self._found: dict[str, FoundKey] = {}
        self._reverts: dict[str, _Revert] = {}
        self.seen = 0
        """How many commits were read."""

    @property
    def is_full(self) -> bool:
        """Whether no more keys are taken."""
        return len(self._found) >= MOST_KEYS

    @property
    def found(self) -> list[FoundKey]:
        """The keys, those of newer commits first."""
        return list(self._found.values())

    def read(self, commit: Commit) -> None:
        """Look at one commit; a revert has to come before what it takes back."""
        self.seen += 1
        undone = self._reverts.get(commit.sha[:SHORTEST_ID])
        if undone and commit.sha.startswith(undone.sha):
            # Neither of the two changes anything.
            del self._reverts[commit.sha[:SHORTEST_ID]]
            return
        keys = self._keys(commit)
        target = reverted(commit.message) if self._options.keys_git_skip_reverted else None
        if target and target[:SHORTEST_ID] not in self._reverts and len(self._reverts) < MOST_REVERTS:
            self._reverts[target[:SHORTEST_ID]] = _Revert(target, dict(islice(keys, MOST_REVERTED)))
        else:
            self._take(keys)

    def read_tag(self, name: str, message: str) -> None:
        """Look at the message of an annotated tag."""
        self._take((key, f"tag {_short(name)}") for key in find_keys(message, self._projects))

    def end(self) -> None:
        """Take the keys of those reverts whose commits belong to an earlier change."""
        for revert in self._reverts.values():
            self._take(revert.keys.items())

    def _take(self, keys: Iterable[tuple[str, str]]) -> None:
        for key, source in keys:
            if self.is_full:
                return
            if key not in self._found:
                self._found[key] = FoundKey(key=key, source=source)

    def _keys(self, commit: Commit) -> Iterator[tuple[str, str]]:
        if not any(key not in self._found for key in find_keys(commit.message, self._projects)):
            return
        name = f"commit {commit.sha[:SHORTEST_ID]}"
        for where, text in self._places(read_message(commit.message)):
            for key in find_keys(text, self._projects):
                yield key, f"{name} {where}"

    def _places(self, message: Message) -> Iterator[tuple[str, str]]:
        sources = self._options.keys_git_sources
        if "branches" in sources:
            for branch in merged_branches(message.subject):
                yield f"merged branch {_short(branch)}", branch
        if "subjects" in sources:
            yield "subject", message.subject
        if "trailers" in sources:
            for name, value in message.trailers:
                if not self._trailers or name.lower() in self._trailers:
                    yield f"trailer {_short(name)}", value
        if "bodies" in sources:
            yield "body", message.body


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
