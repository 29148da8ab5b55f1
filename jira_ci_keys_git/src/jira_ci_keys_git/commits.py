"""Reads commits as one stream: `git log` with fields that no message can be mistaken for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jira_ci_keys_git.git import Git

# All fields end in NUL, which no message that git prints can hold. `%(trailers)` without options is the block of
# trailers as it stands, so that the body can be told from it.
FIELDS = "%H", "%P", "%D", "%s", "%b", "%(trailers)"
FORMAT = "tformat:" + "%x00".join(FIELDS)

# Also branches and HEAD may stand in `%D`, by git's version.
_TAG = "tag: refs/tags/"
_TRAILER = re.compile(r"([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*)")


class Commit(NamedTuple):
    """One commit, as git prints it."""

    sha: str
    parents: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    subject: str = ""
    body: str = ""
    """All of the message but its subject, and but its trailers."""
    trailers: tuple[tuple[str, str], ...] = ()
    """Names and values, in their order."""

    @property
    def short(self) -> str:
        """What people call it."""
        return self.sha[:7]


def read_commits(git: Git, head: str, without: Iterable[str] | None, *, with_tags: bool = False) -> Iterator[Commit]:
    """The commits that `head` has and `without` have not, each before its parents; None means `head` alone."""
    decoration = ("--decorate=full", "--decorate-refs=refs/tags/") if with_tags else ("--no-decorate",)
    which = ("--max-count=1", head) if without is None else (head, "--not", *without)
    arguments = ("-z", "--topo-order", "--encoding=UTF-8", "--no-patch", "--no-ext-diff", "--no-notes", "--no-mailmap")
    return parse(git.stream("log", *arguments, *decoration, f"--format={FORMAT}", *which, "--"))


def parse(chunks: Iterable[bytes]) -> Iterator[Commit]:
    """The commits in git's output, whatever pieces it comes in."""
    fields = _fields(chunks)
    for sha in fields:
        parents, decoration, subject, body, block = (next(fields) for _ in FIELDS[1:])
        tags = tuple(name.removeprefix(_TAG) for name in decoration.split(", ") if name.startswith(_TAG))
        trailers: tuple[tuple[str, str], ...] = ()
        if block:
            trailers, rest = split_trailers(block)
            body = f"{_without(body, block)}\n{rest}"
        yield Commit(sha, tuple(parents.split()), tags, subject, body, trailers)


def split_trailers(block: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The trailers of a block of them, and the lines of it that are none (git allows some)."""
    trailers: list[list[str]] = []
    rest = []
    for line in block.split("\n"):
        match = _TRAILER.match(line)
        if match:
            trailers.append([match[1], match[2].strip()])
        elif line[:1] in (" ", "\t") and trailers:
            trailers[-1][1] += f"\n{line.strip()}"
        else:
            rest.append(line)
    return tuple((name, value) for name, value in trailers), "\n".join(rest)


def _without(body: str, block: str) -> str:
    """The body without its trailers: they begin a line, and what git ignores may stand after them."""
    before, found, after = f"\n{body}".rpartition(f"\n{block}")
    return f"{before}\n{after}" if found else body


def _fields(chunks: Iterable[bytes]) -> Iterator[str]:
    pending: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\0")
        pending.append(first)
        for other in others:
            yield b"".join(pending).decode(errors="replace")
            pending = [other]
