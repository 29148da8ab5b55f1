"""Writes text for the CI to read: to a file that it names, or to standard output."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from jira_ci_core.output.console import write_line

log = logging.getLogger(__name__)

STANDARD_OUTPUT = "/dev/stdout"
"""The path that stands for standard output."""


def write_output(text: str, path: str, name: str, *, append: bool = False) -> None:
    """Write whole lines to a file, or to standard output if `path` is /dev/stdout. Secrets in them are not masked here.

    `append` keeps what the file holds. A failure is a warning that uses `name` (mostly a setting's), and never changes
    how the step ends. With `--format json` standard output is for JSON alone: standard error takes its place.
    """
    why = write_line(sys.stdout, text.removesuffix("\n")) if path == STANDARD_OUTPUT else _write(text, path, append)
    if why:
        remedy = "check that the folder exists, that this step may write there, and that there is room"
        log.warning("%s could not be written: %s: %s; %s", name, path, why, remedy)


def _write(text: str, path: str, append: bool) -> str:
    try:
        with Path(path).open("a+b" if append else "wb") as file:
            if append and file.seekable() and file.tell():
                file.seek(-1, os.SEEK_END)
                # Another step may have left its last line open.
                text = text if file.read(1) == b"\n" else f"\n{text}"
            file.write(text.encode(errors="replace"))
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
