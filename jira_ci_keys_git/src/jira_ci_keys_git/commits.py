"""Reading commits from `git log`, and what the parts of a message are. Nothing here runs git."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

# No message can hold a NUL where git prints it (it ends there), so nothing in one can look like the end of it.
FORMAT = "%H%x00%B"
LOG = "log", "-z", f"--format=tformat:{FORMAT}", "--encoding=UTF-8", "--no-notes", "--no-decorate", "--no-patch"

CHUNK = 1 << 16
# Longer ones are no messages any more; what comes after this much of one is not read.
LONGEST_MESSAGE = 1 << 20

_SPACES = " \t\r"
# Git takes a last paragraph that has one of these for trailers even where other lines stand between them.
_WRITTEN_BY_GIT = "Signed-off-by: ", "(cherry picked from commit "
_TRAILER = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(.*)", re.DOTALL)

_MERGED_BRANCHES = re.compile(r"Merge (?:remote-tracking )?branch(?:es)? ")
_QUOTED = re.compile(r"'([^']+)'")
# GitHub and Azure, Bitbucket Server, Bitbucket Cloud
_MERGED_REQUEST = re.compile(r"Merge pull request #?[0-9]+ (?:in \S+ )?from (\S+)|Merged in (\S+) \(pull request ")

_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)


class Commit(NamedTuple):
    """One commit, as far as keys are concerned."""

    sha: str
    message: str


class Message(NamedTuple):
    """The parts of a message, as git reads them: each line is in one of them."""

    subject: str
    body: str
    trailers: tuple[tuple[str, str], ...]


def read_commits(stream: IO[bytes]) -> Iterator[Commit]:
    """The commits that `git log` with the arguments `LOG` prints, as they come."""
    fields = read_fields(stream)
    for sha, message in zip(fields, fields, strict=False):
        yield Commit(sha.decode(errors="replace"), message.decode(errors="replace"))


def read_fields(stream: IO[bytes], longest: int = LONGEST_MESSAGE) -> Iterator[bytes]:
    """What stands before each NUL in a stream, cut at the longest; only one is held at a time."""
    field = bytearray()
    while chunk := stream.read(CHUNK):
        start = 0
        while (end := chunk.find(b"\0", start)) >= 0:
            field += chunk[start : min(end, start + longest - len(field))]
            yield bytes(field)
            field.clear()
            start = end + 1
        field += chunk[start : start + longest - len(field)]


def read_message(text: str) -> Message:
    """The subject (all of the first paragraph), the trailers, and what stands between them.

    The rules are git's: https://git-scm.com/docs/git-interpret-trailers
    """
    lines = text.split("\n")
    while lines and _is_blank(lines[0]):
        del lines[0]
    end_of_subject = next((number for number, line in enumerate(lines) if _is_blank(line)), len(lines))
    start = _start_of_trailers(lines, end_of_subject)
    trailers, others = _trailers(lines[start:])
    return Message(
        " ".join(line.strip() for line in lines[:end_of_subject]),
        "\n".join([*lines[end_of_subject:start], *others]).strip(),
        trailers,
    )


def merged_branches(subject: str) -> list[str]:
    """The branches that a merge brings in, by the subject that git and the usual hosts write."""
    if match := _MERGED_BRANCHES.match(subject):
        return _QUOTED.findall(subject[match.end() :].partition(" into ")[0])
    match = _MERGED_REQUEST.match(subject)
    return [match[1] or match[2]] if match else []


def reverted(message: str) -> str | None:
    """The commit that this one takes back, by the line that `git revert` writes; it may be shortened."""
    match = _REVERTS.search(message)
    return match[1] if match else None


def _start_of_trailers(lines: list[str], first: int) -> int:
    trailers = others = continuations = 0
    by_git = False
    blank_so_far = True
    for number in range(len(lines) - 1, first - 1, -1):
        line = lines[number]
        if line.startswith("#"):
            others += continuations
            continuations = 0
        elif _is_blank(line):
            if not blank_so_far:
                others += continuations
                some = trailers * 3 >= others if by_git else not others
                return number + 1 if trailers and some else len(lines)
        elif line.startswith(_WRITTEN_BY_GIT):
            trailers += 1
            continuations = 0
            by_git = True
        elif _TRAILER.match(line):
            trailers += 1
            continuations = 0
        elif line[0] in _SPACES:
            continuations += 1
        else:
            others += 1 + continuations
            continuations = 0
        blank_so_far = blank_so_far and _is_blank(line)
    return len(lines)


def _trailers(lines: Iterable[str]) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """The trailers in a last paragraph, and the lines in it that are none."""
    found: list[tuple[str, str]] = []
    others: list[str] = []
    is_trailer = False
    for line in lines:
        match = _TRAILER.match(line)
        if line[:1] in _SPACES and is_trailer and not _is_blank(line):
            name, value = found.pop()
            found.append((name, f"{value} {line.strip()}".strip()))
        elif match:
            found.append((match[1], match[2].strip()))
            is_trailer = True
        else:
            others.append(line)
            # A comment between two lines does not part them.
            is_trailer = is_trailer and (line.startswith("#") or _is_blank(line))
    return tuple(found), others


def _is_blank(line: str) -> bool:
    return not line.strip(_SPACES)
