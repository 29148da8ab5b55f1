"""Prints every line, without secrets and without sequences that a terminal or a CI would act on."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from jira_ci_core.output.redaction import Secrets
from jira_ci_core.problem import Problem

# The control characters of ASCII, the C1 controls, and the marks that change the direction of text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
_SPACE = re.compile(r"\s++")
_LINE_BREAK = re.compile(r"[\r\n\t\u2028\u2029]")
# Commands of Azure Pipelines and TeamCity count anywhere in a line, those of GitHub Actions at its start.
_COMMAND = re.compile(r"##(?=vso\[|\[|teamcity\[)", re.IGNORECASE)
_COMMAND_AT_START = re.compile(r"\A(\s*+)::")

LONGEST_LINE = 30_000

_LEVELS = {logging.DEBUG: "debug: ", logging.INFO: "", logging.WARNING: "warning: ", logging.ERROR: "error: "}


def escape_untrusted(text: str) -> str:
    """Return text as one line in which no terminal and no CI finds a command."""
    line = _SPACE.sub(lambda match: " " if _LINE_BREAK.search(match[0]) else match[0], text)
    line = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", line)
    return _COMMAND_AT_START.sub(r"\1: :", _COMMAND.sub("## ", line))


def escape_untrusted_json(text: str) -> str:
    """Return JSON in which no terminal and no CI finds a command: in strings, such characters are written by number."""
    text = _CONTROL.sub(lambda match: "\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)
    return _COMMAND.sub(r"#\\u0023", text)


class Console(logging.Handler):
    """Prints the log to standard error, and output for programs to standard output."""

    def __init__(self, secrets: Secrets, err: TextIO | None = None, out: TextIO | None = None) -> None:
        super().__init__()
        self._secrets = secrets
        self._err: TextIO | None = err or sys.stderr
        self._out: TextIO | None = out or sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        self.line(f"{_LEVELS.get(record.levelno, '')}{message}")

    def line(self, text: str) -> None:
        write_line(self._err, escape_untrusted(self._secrets.shorten(text, LONGEST_LINE)))

    def text(self, text: str) -> None:
        """Print several lines for people; the line breaks must be this program's own, not those of untrusted text."""
        for line in text.splitlines():
            self.line(line)

    def problems(self, problems: Iterable[Problem], kind: str = "error") -> None:
        """Print what happened, why, and what to do; `kind` is "error", or "warning" if the step goes on."""
        for problem in problems:
            for line in problem.redacted(self._secrets.shorten).lines(kind):
                self.line(line)

    def output(self, text: str) -> None:
        """Print JSON for a program; warn people if it cannot be written."""
        if why := write_line(self._out, escape_untrusted_json(self._secrets.redact(text))):
            self.line(f"warning: standard output cannot be written: {why}")


def set_level(level: str) -> None:
    """Log as much as LOG_LEVEL asks for: info or debug."""
    logging.getLogger().setLevel(logging.DEBUG if level == "debug" else logging.INFO)


def write_line(stream: TextIO | None, text: str) -> str:
    """Write a line; return why that failed, or an empty text. A failure to print never changes the exit code."""
    if stream is None:  # closed by the parent process
        return "it is closed"
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except (OSError, ValueError) as error:
        # Flushing the rest when Python ends would fail again, and change the exit code.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return getattr(error, "strerror", None) or str(error)
    return ""
