"""Handing a text to the CI: in the file that it names for that, or on standard output."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from jira_ci_core.output.console import write_line

log = logging.getLogger(__name__)

STANDARD_OUTPUT = "/dev/stdout"


def write_output(text: str, place: str, what: str, *, append: bool = False) -> None:
    """Write whole lines to a file, or to standard output where `place` is /dev/stdout; nothing in them is masked here.

    `append` keeps what the file holds. Where it cannot be written, a warning names `what` (a setting, in most cases),
    and that is all: who is told of an end never changes it. With `--format json`, where standard output is for JSON,
    it is standard error instead.
    """
    why = write_line(sys.stdout, text.removesuffix("\n")) if place == STANDARD_OUTPUT else _write(text, place, append)
    if why:
        log.warning(
            "%s could not be written: %s: %s; check that the folder exists, that this step may write there, "
            "and that there is room",
            what,
            place,
            why,
        )


def _write(text: str, place: str, append: bool) -> str:
    """Write, and answer why that failed."""
    try:
        with Path(place).open("a+b" if append else "wb") as file:
            if append and file.seekable() and file.tell():
                file.seek(-1, os.SEEK_END)
                # Whoever wrote before left a line open, and ours would be part of it.
                text = text if file.read(1) == b"\n" else f"\n{text}"
            file.write(text.encode(errors="replace"))
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
