"""The files of a backfill: how far it has come, so that another run can resume it, and which lines were rejected."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from jira_ci_core.backfill.lines import LONGEST_LINE, Line, Position
from jira_ci_core.errors import JiraCiError, SettingsError
from jira_ci_core.output.ci_files import open_unlinked
from jira_ci_core.output.redaction import LONGEST_TEXT
from jira_ci_core.problem import Problem

FORMAT = 1
SECONDS_BETWEEN = 1.0
CHUNK = 2**20
"""In bytes."""
LONGEST_LISTED = LONGEST_LINE // 2
"""How much is listed of a line that was not read to its end: less, since a secret may begin where it was cut."""


class BackfillFileError(JiraCiError):
    """The checkpoint or the list of rejected lines cannot be written."""


@dataclass
class RejectedLines:
    """The list of rejected lines: JSON, one object a line, with the line's number, the reason and its text."""

    path: Path
    shorten: Callable[[str, int], str]
    """Removes secrets from what is written, and cuts it: see `Secrets.shorten`."""
    count_before: int = field(default=0, init=False)
    """How many lines an earlier run rejected, up to where this one resumes."""
    file: BinaryIO = field(init=False)

    def open(self, position: Position) -> None:
        """Open the list, without entries of lines after a position: those are sent again. Raises BackfillFileError."""
        with _writing(self.path):
            if position.line and self.path.exists():
                self._truncate(position)
            self.file = open(self.path, "ab" if position.line else "wb", opener=open_unlinked)  # noqa: SIM115

    def add(self, line: Line, reason: str) -> None:
        """List a line. Raises BackfillFileError."""
        limit = LONGEST_LISTED if len(line.text) == LONGEST_LINE else LONGEST_LINE
        text = self.shorten(line.text.decode(errors="replace").rstrip("\r\n"), limit)
        entry = {"line": line.number, "reason": self.shorten(reason, LONGEST_TEXT), "text": text}
        with _writing(self.path):
            self.file.write(json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        """Close the file, and remove it if it is empty."""
        is_empty = self.file.tell() == 0
        self.file.close()
        if is_empty and self.path.is_file():  # it may be /dev/null
            self.path.unlink()

    def _truncate(self, position: Position) -> None:
        unfinished = self.path.with_name(f"{self.path.name}.tmp")
        with (
            open(self.path, "rb", opener=open_unlinked) as old,
            open(unfinished, "wb", opener=open_unlinked) as new,
        ):
            for entry in old:
                with contextlib.suppress(ValueError, KeyError, TypeError):  # an entry may be unfinished
                    if json.loads(entry)["line"] <= position.line:
                        new.write(entry)
                        self.count_before += 1
        unfinished.replace(self.path)


@dataclass
class Checkpoint:
    """How far the backfill of one file to one site has come.

    Each line before the saved position was accepted or rejected. It is saved atomically, and only after the rejections
    before it are on the disk. A run that resumes may send some lines again, and misses none.
    """

    path: Path | None
    """None if the backfill cannot be resumed."""
    rejected_lines: RejectedLines
    site: str
    _first_line_hash: str = field(default="", init=False)
    _saved_at: float = field(default=float("-inf"), init=False)

    def resume(self, file: BinaryIO) -> Position:
        """Move the file to where an earlier run stopped, open the list of rejected lines, and return the position.

        Raises SettingsError if the checkpoint is for another file or site, and BackfillFileError.
        """
        position = self._load(self.path, file) if self.path else Position()
        self.rejected_lines.open(position)
        return position

    def note_first(self, line: Line) -> None:
        """Remember the first line, which tells this file from others; another line is ignored."""
        if line.number == 1:
            self._first_line_hash = hashlib.sha256(line.text).hexdigest()

    def save(self, position: Position, *, now: bool = False) -> None:
        """Save the position; without `now`, at most once a second. Raises BackfillFileError."""
        is_due = now or time.monotonic() >= self._saved_at + SECONDS_BETWEEN
        if self.path is None or not position.line or not is_due:
            return
        self._saved_at = time.monotonic()
        content = {"format": FORMAT, "site": self.site, "beginning": self._first_line_hash, **vars(position)}
        unfinished = self.path.with_name(f"{self.path.name}.tmp")
        with _writing(self.path):
            _sync(self.rejected_lines.file)
            with open(unfinished, "wb", opener=open_unlinked) as file:
                file.write(json.dumps(content).encode())
                _sync(file)
            unfinished.replace(self.path)

    def close(self, *, is_done: bool) -> None:
        """Close the list of rejected lines; remove the checkpoint if there is nothing left to resume."""
        self.rejected_lines.close()
        if is_done and self.path is not None:
            self.path.unlink(missing_ok=True)

    def _load(self, path: Path, file: BinaryIO) -> Position:
        with _writing(path):
            try:
                with open(path, "rb", opener=open_unlinked) as saved:
                    text = saved.read(CHUNK)
            except FileNotFoundError:
                return Position()
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError
            site, first_line_hash = content["site"], content["beginning"]
            position = Position(int(content["offset"]), int(content["line"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _unusable(path, "it is not a checkpoint, is damaged, or is of another version of jira-ci") from None
        if site != self.site:
            raise _unusable(path, f"it is of a run for {site}, and this one is for {self.site}")
        first = file.readline(LONGEST_LINE)
        self._first_line_hash = hashlib.sha256(first).hexdigest()
        if self._first_line_hash != first_line_hash or not _skip_to(file, len(first), position.offset):
            raise _unusable(path, "it is of a file with other lines")
        return position


def _unusable(path: Path, why: str) -> SettingsError:
    remedy = "remove it to send all lines (which is harmless), or name another with --checkpoint"
    return SettingsError(Problem(f"the checkpoint {path} cannot be gone on from", why, remedy))


def _skip_to(file: BinaryIO, place: int, offset: int) -> bool:
    """Move a file from `place` to an offset, both in bytes; returns whether a line ends there."""
    last = b"\n"
    if file.seekable() and offset > place:
        place = file.seek(offset - 1)
    while place < offset and (last := file.read(min(CHUNK, offset - place))):
        place += len(last)
    return last.endswith(b"\n")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "name other files with --checkpoint and --rejected"
        raise BackfillFileError(Problem(f"{path} cannot be written", error.strerror or str(error), remedy)) from None
