"""What is printed: one line at a time, without secrets and without commands to a terminal or a CI."""

from __future__ import annotations

import errno
import io
import json
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from jira_ci_core.output.console import Console, escape_untrusted, escape_untrusted_json
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.problem import Problem


@pytest.fixture
def console():
    secrets = Secrets()
    secrets.add("hunter2222")
    return Console(secrets, io.StringIO(), io.StringIO())


def shown(console):
    return console._err.getvalue()


@given(st.text(st.characters(codec="utf-8")))
def test_an_escaped_text_is_one_line_without_a_command(text):
    line = escape_untrusted(text)
    assert "\n" not in line
    assert "\r" not in line
    assert "\x1b" not in line
    assert len(line.splitlines()) <= 1
    assert not line.startswith("::")
    assert "##vso[" not in line.lower()


@given(st.text(st.characters(codec="utf-8")))
def test_escaping_twice_is_escaping_once(text):
    assert escape_untrusted(escape_untrusted(text)) == escape_untrusted(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines", "two lines"),
        ("two \r\n\t lines", "two lines"),
        ("two   words", "two   words"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202egnp", "a\\x202egnp"),
        ("::set-output name=a::b", ": :set-output name=a::b"),
        ("\u2003 ::add-mask::x", "\u2003 : :add-mask::x"),
        ("x ::warning::y", "x ::warning::y"),
        ("x ##vso[task.setvariable]", "x ## vso[task.setvariable]"),
        ("##[error]", "## [error]"),
        ("##teamcity[message]", "## teamcity[message]"),
        ("## heading", "## heading"),
        ("zażółć 修复 🎉", "zażółć 修复 🎉"),
    ],
)
def test_an_escaped_text_is(text, line):
    assert escape_untrusted(text) == line


@given(st.text(st.characters(codec="utf-8")))
def test_escaped_json_parses_to_the_same_and_holds_no_command(text):
    for ensure_ascii in (True, False):
        shown = escape_untrusted_json(json.dumps({"text": [text]}, ensure_ascii=ensure_ascii, indent=1))
        assert json.loads(shown) == {"text": [text]}
        assert "##vso[" not in shown.lower()
        assert "##[" not in shown
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)


@pytest.mark.parametrize("text", ["##vso[task.complete]", "\x9b31m", "##[x]", "##TeamCity[x]", "a\u202eb"])
def test_in_json_a_command_is_written_by_number(text):
    shown = escape_untrusted_json(json.dumps(text, ensure_ascii=False))
    assert text not in shown
    assert json.loads(shown) == text


def test_a_long_run_of_spaces_takes_little_time():
    began = time.perf_counter()
    escape_untrusted("x" + " " * 200_000 + "x")
    assert time.perf_counter() - began < 2


def test_a_record_of_the_log_is_a_line_with_its_level(console):
    logger = logging.Logger("x")
    logger.addHandler(console)
    logger.info("told %s", "so")
    logger.warning("odd")
    logger.error("bad")
    logger.debug("small")
    logger.critical("huge")
    assert shown(console).splitlines() == ["told so", "warning: odd", "error: bad", "debug: small", "huge"]


def test_a_warning_is_not_said_twice_in_a_row(console):
    logger = logging.Logger("x")
    logger.addHandler(console)
    for text in ("slow", "slow", "odd", "slow"):
        logger.warning(text)
    logger.info("odd")
    logger.info("odd")
    assert shown(console).splitlines() == ["warning: slow", "warning: odd", "warning: slow", "odd", "odd"]


def test_a_record_that_cannot_be_formatted_is_shown_as_it_is(console):
    console.emit(logging.LogRecord("x", logging.INFO, "x", 1, "%d of %d", ("one",), None))
    assert shown(console) == "%d of %d\n"


def test_no_secret_is_shown_anywhere(console):
    console.line("key hunter2222")
    console.text("a hunter2222\nb hunter2222")
    console.problems([Problem("hunter2222", "hunter2222", "hunter2222")])
    console.output('{"key": "hunter2222"}')
    assert "hunter2222" not in shown(console) + console._out.getvalue()
    assert console._out.getvalue() == '{"key": "[secret]"}\n'


def test_a_problem_has_three_parts(console):
    console.problems([Problem("it broke", "it was old", "buy another")])
    assert shown(console).splitlines() == ["error: it broke", "  why: it was old", "  do:  buy another"]


def test_characters_that_the_terminal_cannot_show_are_written_with_backslashes():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(Secrets(), stream).line("zażółć \udcff")
    assert stream.buffer.getvalue() == b"za\\u017c\\xf3\\u0142\\u0107 \\udcff\n"


def test_a_closed_or_broken_stream_raises_nothing():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    Console(Secrets(), Gone()).line("hello")
    closed = io.StringIO()
    closed.close()
    Console(Secrets(), closed).line("hello")


def test_a_failure_to_write_standard_output_is_a_warning_with_the_reason(console):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    console._out = Full()
    console.output("{}")
    console._out = None
    console.output("{}")
    assert shown(console).splitlines() == [
        "warning: standard output cannot be written: No space left on device",
        "warning: standard output cannot be written: it is closed",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("redirected", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", "| true"])
def test_the_exit_code_does_not_depend_on_whether_output_can_be_written(least, redirected, format):
    command = f"{sys.executable} -P -m jira_ci_core report --dry-run --format {format} {redirected}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=least, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert done.returncode == 0, done.stderr
