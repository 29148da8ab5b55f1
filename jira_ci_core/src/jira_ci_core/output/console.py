"""What people see: every line goes through here, without secrets and without what a terminal or a CI would obey."""

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

# Not only ASCII's: also the C1 controls, and the marks that turn the direction of text round.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
_SPACE = re.compile(r"\s++")
_BREAKING = re.compile(r"[\r\n\t\u2028\u2029]")
# Azure Pipelines and TeamCity obey these wherever they stand in a line, GitHub Actions at its beginning.
_COMMAND = re.compile(r"##(?=vso\[|\[|teamcity\[)", re.IGNORECASE)
_COMMAND_AT_BEGINNING = re.compile(r"\A(\s*+)::")

_LEVELS = {logging.DEBUG: "debug: ", logging.INFO: "", logging.WARNING: "warning: ", logging.ERROR: "error: "}


def escape_untrusted(text: str) -> str:
    """One line of text that no terminal and no CI takes for anything but text."""
    line = _SPACE.sub(lambda match: " " if _BREAKING.search(match[0]) else match[0], text)
    line = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", line)
    return _COMMAND_AT_BEGINNING.sub(r"\1: :", _COMMAND.sub("## ", line))


def escape_untrusted_json(text: str) -> str:
    """JSON that no terminal and no CI obeys: what they would obey stands in its strings, and is written by number."""
    text = _CONTROL.sub(lambda match: "\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)
    return _COMMAND.sub(r"#\\u0023", text)


class Console(logging.Handler):
    """Prints the log to standard error, and what programs read to standard output."""

    def __init__(self, secrets: Secrets, err: TextIO | None = None, out: TextIO | None = None) -> None:
        super().__init__()
        self._secrets = secrets
        self._err: TextIO | None = err or sys.stderr
        self._out: TextIO | None = out or sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record of the log, as one line."""
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        self.line(f"{_LEVELS.get(record.levelno, '')}{message}")

    def line(self, text: str) -> None:
        """Print one line for people."""
        write_line(self._err, escape_untrusted(self._secrets.redact(text)))

    def text(self, text: str) -> None:
        """Print several lines for people, made by this program and not by anything from outside."""
        for line in text.splitlines():
            self.line(line)

    def problems(self, problems: Iterable[Problem], kind: str = "error") -> None:
        """Print what happened, why, and what to do; `kind` is "error", or "warning" where the step goes on."""
        for problem in problems:
            for line in problem.lines(kind):
                self.line(line)

    def output(self, text: str) -> None:
        """Print what a program reads, JSON; where that cannot be written, people are told."""
        why = write_line(self._out, escape_untrusted_json(self._secrets.redact(text)))
        if why:
            self.line(f"warning: standard output cannot be written: {why}")


def write_line(stream: TextIO | None, text: str) -> str:
    """Write a line, and answer why that failed: how the step ends is worth its exit code all the same."""
    if stream is None:  # whoever started this process closed it
        return "it is closed"
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except (OSError, ValueError) as error:
        # What is still to be written would fail once more when Python ends, and change the exit code.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return getattr(error, "strerror", None) or str(error)
    return ""
