"""Reads commits from the output of `git log`, and the parts of their messages. Nothing here runs git."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

# Git prints a message up to its first NUL, so no message can hold what looks like the end of it.
LOG_ARGUMENTS = (
    *("log", "-z", "--format=tformat:%H%x00%B", "--encoding=UTF-8"),
    *("--no-notes", "--no-decorate", "--no-patch"),
)

# All commits that change one of the paths after `--`; a merge, if it brings a change in. Without these, git leaves out
# what does not explain how the files came to be: https://git-scm.com/docs/git-log#_history_simplification
OF_PATHS = "--full-history", "--diff-merges=first-parent", "--diff-filter=ACDMRTUXB", "--no-renames"

CHUNK = 1 << 16
MAX_MESSAGE_BYTES = 1 << 20

_SPACES = " \t\r"
# A last paragraph with one of these lines counts as trailers even if up to three quarters of its lines are not.
_GIT_TRAILERS = "Signed-off-by: ", "(cherry picked from commit "
_TRAILER = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(.*)", re.DOTALL)

_MERGED_BRANCHES = re.compile(r"Merge (?:remote-tracking )?branch(?:es)? ")
_QUOTED = re.compile(r"'([^']+)'")
# GitHub and Azure, Bitbucket Server, Bitbucket Cloud
_MERGED_REQUEST = re.compile(r"Merge pull request #?[0-9]+ (?:in \S+ )?from (\S+)|Merged in (\S+) \(pull request ")

_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)
# What GitHub's button writes into a pull request, and a squash of it into its commit, whose own number comes last:
# https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request
_REVERTS_REQUEST = re.compile(r"^Reverts (?:[\w.-]+/[\w.-]+)?(#[0-9]+)\b", re.MULTILINE)
_OF_REQUEST = re.compile(r"[^\n]*\((#[0-9]+)\)[ \t\r]*(?:\n|$)")


class Commit(NamedTuple):
    sha: str
    message: str


class Message(NamedTuple):
    """The parts of a message, by git's rules. Each line is in one of them."""

    subject: str
    body: str
    trailers: tuple[tuple[str, str], ...]


def read_commits(stream: IO[bytes]) -> Iterator[Commit]:
    """Yield the commits that git prints with LOG_ARGUMENTS, as they arrive."""
    fields = read_fields(stream)
    for sha, message in zip(fields, fields, strict=False):
        yield Commit(sha.decode(errors="replace"), message.decode(errors="replace"))


def read_fields(stream: IO[bytes], max_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[bytes]:
    """Yield the fields of a stream, each of which ends in a NUL. Of a longer field, only the first bytes are kept."""
    field = bytearray()
    while chunk := stream.read(CHUNK):
        start = 0
        while (end := chunk.find(b"\0", start)) >= 0:
            field += chunk[start : min(end, start + max_bytes - len(field))]
            yield bytes(field)
            field.clear()
            start = end + 1
        field += chunk[start : start + max_bytes - len(field)]


def read_message(text: str) -> Message:
    """Split a message into its subject (all of the first paragraph), its body and its trailers.

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
    """Return the branches that a commit merges, from the subject that git and the usual hosts write."""
    if match := _MERGED_BRANCHES.match(subject):
        return _QUOTED.findall(subject[match.end() :].partition(" into ")[0])
    match = _MERGED_REQUEST.match(subject)
    return [match[1] or match[2]] if match else []


def reverted_commit(message: str) -> str | None:
    """Return the commit that this one reverts: its id, perhaps shortened, or the number of its pull request, `#12`."""
    match = _REVERTS.search(message)
    if match is None and message.startswith("Revert "):
        match = _REVERTS_REQUEST.search(message)
    return match[1] if match else None


def request_of(message: str) -> str | None:
    """Return the pull request whose squash a commit is, `#12`."""
    match = _OF_REQUEST.match(message)
    return match[1] if match else None


def brings_back(message: str) -> bool:
    """Whether a revert reverts another revert, whose subject begins with `Reapply` since git 2.43.

    https://github.com/git/git/blob/v2.43.0/t/t3501-revert-cherry-pick.sh
    """
    reverts = 0
    while message.startswith('Revert "'):
        message, reverts = message.removeprefix('Revert "'), reverts + 1
    return reverts % 2 == 0 and (reverts > 0 or message.startswith('Reapply "'))


def _start_of_trailers(lines: list[str], first: int) -> int:
    """The number of the first trailer line, or of lines if there is none. Reads upwards, as git does (trailer.c)."""
    trailers = others = continuations = 0
    has_git_trailer = False
    only_blank_so_far = True
    for number in range(len(lines) - 1, first - 1, -1):
        line = lines[number]
        if line.startswith("#"):
            others += continuations
            continuations = 0
        elif _is_blank(line):
            if not only_blank_so_far:
                others += continuations
                are_trailers = trailers * 3 >= others if has_git_trailer else not others
                return number + 1 if trailers and are_trailers else len(lines)
        elif line.startswith(_GIT_TRAILERS):
            trailers += 1
            continuations = 0
            has_git_trailer = True
        elif _TRAILER.match(line):
            trailers += 1
            continuations = 0
        elif line[0] in _SPACES:
            continuations += 1
        else:
            others += 1 + continuations
            continuations = 0
        only_blank_so_far = only_blank_so_far and _is_blank(line)
    return len(lines)


def _trailers(lines: Iterable[str]) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """The trailers in the last paragraph, and its other lines."""
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
            # A trailer may go on after a comment.
            is_trailer = is_trailer and (line.startswith("#") or _is_blank(line))
    return tuple(found), others


def _is_blank(line: str) -> bool:
    return not line.strip(_SPACES)
