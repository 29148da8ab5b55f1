"""What a run leaves on the disk: how far it came, and the lines that were rejected."""

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
from jira_ci_core.errors import JiraCiError, SettingsError
from jira_ci_core.problem import Problem

FORMAT = 1
SECONDS_BETWEEN = 1.0
PIECE = 2**20


class CheckpointError(JiraCiError):
    """A file of the journal cannot be written."""


@dataclass
class Checkpoint:
    """The checkpoint and the list of rejected lines of one file for one site.

    Whatever is before the checkpoint was answered for. It is written at most once a second, whole or not at all, and
    only after the rejections that are before it. Who goes on from it sends again what was answered for since, and loses
    nothing.
    """

    checkpoint: Path | None
    """None where the run cannot be gone on with."""
    rejected: Path
    site: str
    redact: Callable[[str], str] = str
    monotonic: Callable[[], float] = time.monotonic
    rejected_before: int = field(default=0, init=False)
    """How many of the lines before its beginning an earlier run rejected."""
    _beginning: str = field(default="", init=False)
    _rejections: BinaryIO | None = field(default=None, init=False)
    _written: float = field(default=float("-inf"), init=False)

    def begin(self, file: BinaryIO) -> Position:
        """Take the file to where an earlier run stopped, and answer where that is.

        Raises SettingsError where the checkpoint is of another file or site, and JournalError.
        """
        position = self._found(file)
        try:
            if position.line:
                self.rejected_before = _keep_those_before(self.rejected, position)
            self._rejections = self.rejected.open("ab" if position.line else "wb")
        except OSError as error:
            raise _unusable(self.rejected, error) from None
        return position

    def reject(self, line: Line, reason: str) -> None:
        """Keep a line that was rejected. Raises JournalError."""
        assert self._rejections is not None
        text = self.redact(line.text.decode(errors="replace").rstrip("\r\n"))
        entry = {"line": line.number, "reason": self.redact(reason), "text": text}
        try:
            self._rejections.write(json.dumps(entry).encode() + b"\n")
        except OSError as error:
            raise _unusable(self.rejected, error) from None

    def saw(self, line: Line) -> None:
        """Know the file by its first line."""
        if line.number == 1:
            self._beginning = hashlib.sha256(line.text).hexdigest()

    def settle(self, position: Position, *, now: bool = False) -> None:
        """Everything before this position was answered for. Raises JournalError."""
        if self.checkpoint is None or not position.line:
            return
        if not now and self.monotonic() < self._written + SECONDS_BETWEEN:
            return
        self._written = self.monotonic()
        assert self._rejections is not None
        content = {"format": FORMAT, "site": self.site, "beginning": self._beginning, **vars(position)}
        unfinished = self.checkpoint.with_name(f"{self.checkpoint.name}.tmp")
        try:
            self._rejections.flush()
            os.fsync(self._rejections.fileno())
            with unfinished.open("wb") as file:
                file.write(json.dumps(content).encode())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.checkpoint)
        except OSError as error:
            raise _unusable(self.checkpoint, error) from None

    def end(self, *, is_done: bool) -> None:
        """Close the files; once all is done there is nothing to go on with, and no empty list is left."""
        if self._rejections is not None:
            self._rejections.close()
            if self.rejected.stat().st_size == 0:
                self.rejected.unlink()
        if is_done and self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)

    def _found(self, file: BinaryIO) -> Position:
        if self.checkpoint is None:
            return Position()
        try:
            content: Any = json.loads(self.checkpoint.read_bytes())
            if content["format"] != FORMAT:
                raise ValueError
            site, beginning = content["site"], content["beginning"]
            position = Position(int(content["offset"]), int(content["line"]))
        except FileNotFoundError:
            return Position()
        except OSError as error:
            raise _unusable(self.checkpoint, error) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._no_use("it is none, or damaged, or of another version of jira-ci") from None
        if site != self.site:
            raise self._no_use(f"it is of a run for {site}, and this one is for {self.site}")
        first = file.readline(LONGEST_LINE)
        if hashlib.sha256(first).hexdigest() != beginning or not _went_to(file, len(first), position.offset):
            raise self._no_use("it is of a file with other lines")
        self._beginning = beginning
        return position

    def _no_use(self, why: str) -> SettingsError:
        return SettingsError(
            Problem(
                f"the checkpoint {self.checkpoint} cannot be gone on from",
                why,
                "remove it to send all lines (which is harmless), or name another with --checkpoint",
            )
        )


def _went_to(file: BinaryIO, place: int, offset: int) -> bool:
    """Read on from `place` to an offset; whether a line ends there."""
    last = b"\n"
    if file.seekable() and offset > place:
        place = file.seek(offset - 1)
    while place < offset:
        last = file.read(min(PIECE, offset - place))
        if not last:
            return False
        place += len(last)
    return last.endswith(b"\n")


def _keep_those_before(rejected: Path, position: Position) -> int:
    """Drop the rejections of lines that will be sent again, and the half of one; answers how many are left."""
    count = 0
    if not rejected.exists():
        return count
    unfinished = rejected.with_name(f"{rejected.name}.tmp")
    with rejected.open("rb") as old, unfinished.open("wb") as new:
        for entry in old:
            try:
                if json.loads(entry)["line"] <= position.line:
                    new.write(entry)
                    count += 1
            except (ValueError, KeyError, TypeError):
                continue
    unfinished.replace(rejected)
    return count


def _unusable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        Problem(
            f"{path} cannot be written",
            error.strerror or str(error),
            "name other files with --checkpoint and --rejected",
        )
    )
