"""The file that lists rejected lines, as JSON, one object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from jira_ci_core.backfill.lines import Line, Position
from jira_ci_core.errors import JiraCiError
from jira_ci_core.problem import Problem


class BackfillFileError(JiraCiError):
    """The checkpoint or the list of rejected lines cannot be written."""


@dataclass
class RejectedLines:
    """The lines that were rejected, each with its number, the reason and its text."""

    path: Path
    redact: Callable[[str], str] = str
    """Removes secrets from what is written."""
    count_before: int = field(default=0, init=False)
    """How many lines an earlier run rejected, up to where this one resumes."""
    _file: BinaryIO | None = field(default=None, init=False)

    def open(self, position: Position) -> None:
        """Open the list for lines after a position; what an earlier run wrote stays up to there, and no further.

        Raises BackfillFileError.
        """
        is_resumed = position.line > 0
        try:
            if is_resumed:
                self.count_before = _truncate(self.path, position)
            self._file = self.path.open("ab" if is_resumed else "wb")
        except OSError as error:
            raise unwritable(self.path, error) from None

    def add(self, line: Line, reason: str) -> None:
        """List a line. Raises BackfillFileError."""
        assert self._file is not None
        text = self.redact(line.text.decode(errors="replace").rstrip("\r\n"))
        entry = {"line": line.number, "reason": self.redact(reason), "text": text}
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
        except OSError as error:
            raise unwritable(self.path, error) from None

    def sync(self) -> None:
        """Have everything on the disk that was added. Raises OSError."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file, and remove it where it is empty."""
        if self._file is not None:
            self._file.close()
            if self.path.stat().st_size == 0:
                self.path.unlink()


def _truncate(path: Path, position: Position) -> int:
    """Drop the entries of lines that will be sent again, and an unfinished one; returns how many are left."""
    count = 0
    if not path.exists():
        return count
    unfinished = path.with_name(f"{path.name}.tmp")
    with path.open("rb") as old, unfinished.open("wb") as new:
        for entry in old:
            try:
                if json.loads(entry)["line"] <= position.line:
                    new.write(entry)
                    count += 1
            except (ValueError, KeyError, TypeError):
                continue
    unfinished.replace(path)
    return count


def unwritable(path: Path, error: OSError) -> BackfillFileError:
    return BackfillFileError(
        Problem(
            f"{path} cannot be written",
            error.strerror or str(error),
            "name other files with --checkpoint and --rejected",
        )
    )
