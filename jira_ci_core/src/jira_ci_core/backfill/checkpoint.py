"""The file that says how far a backfill has come, so that another run can resume it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from jira_ci_core.backfill.lines import LONGEST_LINE, Line, Position
from jira_ci_core.backfill.rejected_lines import RejectedLines, unwritable
from jira_ci_core.errors import SettingsError
from jira_ci_core.problem import Problem

FORMAT = 1
SECONDS_BETWEEN = 1.0
CHUNK = 2**20
"""In bytes."""


@dataclass
class Checkpoint:
    """How far the backfill of one file to one site has come.

    Each line before the saved position was accepted or rejected. It is saved at most once a second, atomically, and
    only after the rejections before it are on the disk. A run that resumes may send some lines again, and misses none.
    """

    path: Path | None
    """None where the backfill cannot be resumed."""
    rejected_lines: RejectedLines
    site: str
    monotonic: Callable[[], float] = time.monotonic
    _first_line_hash: str = field(default="", init=False)
    _saved_at: float = field(default=float("-inf"), init=False)

    def resume(self, file: BinaryIO) -> Position:
        """Move the file to where an earlier run stopped, open the list of rejected lines, and return the position.

        Raises SettingsError where the checkpoint is for another file or site, and BackfillFileError.
        """
        position = self._load(file)
        self.rejected_lines.open(position)
        return position

    def note_first(self, line: Line) -> None:
        """Remember the first line, which tells this file from others; another line is ignored."""
        if line.number == 1:
            self._first_line_hash = hashlib.sha256(line.text).hexdigest()

    def save(self, position: Position, *, now: bool = False) -> None:
        """Save the position, unless one was saved less than a second ago; with `now`, even then.

        Raises BackfillFileError.
        """
        if self.path is None or not position.line:
            return
        if not now and self.monotonic() < self._saved_at + SECONDS_BETWEEN:
            return
        self._saved_at = self.monotonic()
        content = {"format": FORMAT, "site": self.site, "beginning": self._first_line_hash, **vars(position)}
        unfinished = self.path.with_name(f"{self.path.name}.tmp")
        try:
            self.rejected_lines.sync()
            with unfinished.open("wb") as file:
                file.write(json.dumps(content).encode())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def close(self, *, is_done: bool) -> None:
        """Close the list of rejected lines; remove the checkpoint where there is nothing left to resume."""
        self.rejected_lines.close()
        if is_done and self.path is not None:
            self.path.unlink(missing_ok=True)

    def _load(self, file: BinaryIO) -> Position:
        if self.path is None:
            return Position()
        try:
            content: Any = json.loads(self.path.read_bytes())
            if content["format"] != FORMAT:
                raise ValueError
            site, first_line_hash = content["site"], content["beginning"]
            position = Position(int(content["offset"]), int(content["line"]))
        except FileNotFoundError:
            return Position()
        except OSError as error:
            raise unwritable(self.path, error) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._unusable("it is none, or damaged, or of another version of jira-ci") from None
        if site != self.site:
            raise self._unusable(f"it is of a run for {site}, and this one is for {self.site}")
        first = file.readline(LONGEST_LINE)
        is_same = hashlib.sha256(first).hexdigest() == first_line_hash
        if not is_same or not _skip_to(file, len(first), position.offset):
            raise self._unusable("it is of a file with other lines")
        self._first_line_hash = first_line_hash
        return position

    def _unusable(self, why: str) -> SettingsError:
        return SettingsError(
            Problem(
                f"the checkpoint {self.path} cannot be gone on from",
                why,
                "remove it to send all lines (which is harmless), or name another with --checkpoint",
            )
        )


def _skip_to(file: BinaryIO, place: int, offset: int) -> bool:
    """Move a file from `place` to an offset, both in bytes; returns whether a line ends there."""
    last = b"\n"
    if file.seekable() and offset > place:
        place = file.seek(offset - 1)
    while place < offset:
        last = file.read(min(CHUNK, offset - place))
        if not last:
            return False
        place += len(last)
    return last.endswith(b"\n")
