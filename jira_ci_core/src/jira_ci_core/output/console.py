"""Prints every line, without secrets and without sequences that a terminal or a CI would act on."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

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
LONGEST_MESSAGE = 2000
MOST_WARNINGS = 50
# How much is printed of what others may make long, in bytes. Together with the lines of a result it is below 64 KiB.
LOG_ROOM = 18_000
DEBUG_ROOM = 18_000
PROBLEMS_ROOM = 14_000
LONGEST_JSON = 60_000
# How many characters of a text and entries of a list are left in JSON that would be longer, until it fits.
_CUTS = (1000, 500), (1000, 100), (500, 50), (200, 20), (100, 10), (50, 3)

_LEVELS = {logging.DEBUG: "debug: ", logging.INFO: "", logging.WARNING: "warning: ", logging.ERROR: "error: "}


def escape_untrusted(text: str, longest: int | None = None) -> str:
    """Return text as one line in which no terminal and no CI finds a command.

    With `longest` it has at most so many characters, and ends in `…` if it had more. Secrets must be masked before.
    """
    if longest is not None and len(text := escape_untrusted(text)) > longest:
        return f"{text[: longest - 2]} …"
    line = _SPACE.sub(lambda match: " " if _LINE_BREAK.search(match[0]) else match[0], text)
    line = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", line)
    return _COMMAND_AT_START.sub(r"\1: :", _COMMAND.sub("## ", line))


def escape_untrusted_json(text: str) -> str:
    """Return JSON in which no terminal and no CI finds a command: in strings, such characters are written by number."""
    text = _CONTROL.sub(lambda match: "\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)
    return _COMMAND.sub(r"#\\u0023", text)


class Warnings(logging.Handler):
    """Keeps what is warned of, without secrets, until it is taken: for plugins that hear how a step ended."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets
        self._kept: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING and len(self._kept) < MOST_WARNINGS:
            self._kept[self._secrets.shorten(_message(record), LONGEST_MESSAGE)] = None

    def take(self) -> tuple[str, ...]:
        """The warnings since the last call, each once."""
        taken, self._kept = tuple(self._kept), {}
        return taken


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        return str(record.msg)


class Console(logging.Handler):
    """Prints the log to standard error, and output for programs to standard output."""

    def __init__(self, secrets: Secrets, err: TextIO | None = None, out: TextIO | None = None) -> None:
        super().__init__()
        self._secrets = secrets
        self._err: TextIO | None = err or sys.stderr
        self._out: TextIO | None = out or sys.stdout
        self._last_warning = ""
        """What was just warned of, which is not said twice in a row."""
        self._rooms = {"log": LOG_ROOM, "debugging log": DEBUG_ROOM, "list of problems": PROBLEMS_ROOM}

    def emit(self, record: logging.LogRecord) -> None:
        kind = "debugging log" if record.levelno <= logging.DEBUG else "log"
        warning = _message(record) if record.levelno == logging.WARNING else ""
        if warning and warning == self._last_warning:
            return
        self._last_warning = warning
        text = f"{_LEVELS.get(record.levelno, '')}{_message(record)}"
        self._bounded(kind, self._secrets.shorten(text, LONGEST_LINE if kind != "log" else LONGEST_MESSAGE))

    def line(self, text: str) -> None:
        write_line(self._err, escape_untrusted(self._secrets.shorten(text, LONGEST_LINE)))

    def _bounded(self, kind: str, text: str) -> None:
        """Print a line without secrets, unless too much of its kind was printed before."""
        if (room := self._rooms[kind]) <= 0:
            return
        data = escape_untrusted(text).encode(errors="backslashreplace")
        write_line(self._err, data[:room].decode(errors="ignore"))
        self._rooms[kind] -= len(data)
        if self._rooms[kind] <= 0:
            write_line(self._err, f"the {kind} is too long: no more of it is shown")

    def text(self, text: str) -> None:
        """Print several lines for people; the line breaks must be this program's own, not those of untrusted text."""
        for line in text.splitlines():
            self.line(line)

    def problems(self, problems: Iterable[Problem], kind: str = "error") -> None:
        """Print what happened, why, and what to do; `kind` is "error", or "warning" if the step goes on."""
        for problem in problems:
            for line in problem.redacted(self._secrets.shorten).lines(kind):
                self._bounded("list of problems", line)

    def json(self, value: Mapping[str, Any], aside: str = "", **style: Any) -> None:
        """Print JSON for a program. Texts and lists are cut until it fits, except for what is named `aside`.

        `style` is how to write it, as for `json.dumps`.
        """
        # Each text by itself: in all of the JSON there may be more escapes than are looked through.
        value = _cut(value, self._secrets.redact, None, "")
        for longest, most in _CUTS:
            if len(json.dumps(_without(value, aside), **style).encode(errors="replace")) <= LONGEST_JSON:
                break
            shorten = functools.partial(self._secrets.shorten, limit=longest)
            value = _cut(value, shorten, most, aside)
        self.output(json.dumps(value, **style))

    def output(self, text: str) -> None:
        """Print JSON for a program; warn people if it cannot be written."""
        if why := write_line(self._out, escape_untrusted_json(self._secrets.redact(text))):
            self.line(f"warning: standard output cannot be written: {why}")


def _cut(value: Any, shorten: Callable[[str], str], most: int | None, aside: str) -> Any:
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, dict):
        entries = list(value.items())[:most]
        return {shorten(name): one if name == aside else _cut(one, shorten, most, aside) for name, one in entries}
    return [_cut(one, shorten, most, aside) for one in value[:most]] if isinstance(value, (list, tuple)) else value


def _without(value: Any, aside: str) -> Any:
    if isinstance(value, dict):
        return {name: _without(one, aside) for name, one in value.items() if name != aside}
    return [_without(one, aside) for one in value] if isinstance(value, (list, tuple)) else value


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
