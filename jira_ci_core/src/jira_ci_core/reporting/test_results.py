"""Counts the tests in the JUnit XML files that TEST_RESULTS names, merged, each test once.

Files and patterns may come from the change under test: links are not followed, a file with a document type is not read,
and one that is too large is left out. junitparser is imported only if there is something to count.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from jira_ci_core.errors import SettingsError
from jira_ci_core.models import CountedTests
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

MOST_FILES = 10_000
LARGEST_FILE = 64 * 2**20
LARGEST_TOTAL = 4 * LARGEST_FILE
MOST_ELEMENTS = 500_000
DEEPEST_NESTING = 100
_CHUNK = 2**16
# In place of a file there may be a link or a pipe.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class _UnusableFileError(Exception):
    """The reason for leaving a file out."""


class _TestRun(NamedTuple):
    test: tuple[str | None, ...]
    """The identity of the test: its suites, class, name and file."""
    timestamp: str
    """The start of its suite, as the file has it; empty if it has none."""
    verdict: str
    """`passed`, `failed` or `skipped`."""


def count_tests(patterns: Sequence[str], folder: Path) -> CountedTests | None:
    """Count the tests in all files below `folder` that match; None if there are none.

    A test with several runs (the same suites, class, name and file) counts once, by its last run: the one in the latest
    suite, or else the last in the files. A file that cannot be counted is a warning.

    Raises SettingsError if junitparser is not installed.
    """
    require_junitparser()
    runs: list[_TestRun] = []
    remaining = LARGEST_TOTAL
    files = 0
    for path in _files(patterns, folder):
        try:
            data = _read(folder / path, remaining)
            runs += _test_runs(data)
        except _UnusableFileError as reason:
            log.warning("%s is not counted among the test results: %s", path, reason)
        else:
            remaining -= len(data)
            files += 1
    verdicts = {run.test: run.verdict for run in sorted(runs, key=lambda run: run.timestamp)}
    if not verdicts:
        if files:
            log.warning("the files that TEST_RESULTS names hold no test; no tests are reported")
        return None
    counts = Counter(verdicts.values())
    tests = CountedTests(passed=counts["passed"], failed=counts["failed"], skipped=counts["skipped"])
    reruns = f" ({len(runs) - tests.total} more runs of them were reruns)" if len(runs) > tests.total else ""
    log.info(
        "%d tests in %d files: %d passed, %d failed, %d skipped%s",
        *(tests.total, files, tests.passed, tests.failed, tests.skipped, reruns),
    )
    return tests


def require_junitparser() -> None:
    """Raise SettingsError if junitparser is not installed."""
    try:
        import junitparser  # noqa: F401
    except ImportError:
        why = "the package that reads test results is not installed"
        remedy = "pip install 'jira-ci-core[junit]', or leave TEST_RESULTS out"
        raise SettingsError(Problem("TEST_RESULTS cannot be used", why, remedy)) from None


def _files(patterns: Iterable[str], folder: Path) -> list[Path]:
    found: set[Path] = set()
    for pattern in patterns:
        matching = set(islice(_glob(folder, Path(pattern).parts), MOST_FILES + 1))
        if not matching:
            log.warning("TEST_RESULTS: no file matches %s (links are not followed)", pattern)
        found |= matching
    if len(found) > MOST_FILES:
        log.warning("TEST_RESULTS names more than %d files; the others are not counted", MOST_FILES)
    return sorted(found)[:MOST_FILES]


def _glob(folder: Path, pattern: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files below a folder that match, without following links (as `Path.glob` does).

    As in a shell, `**` stands for any folders, and wildcards match no leading dot.
    """
    if pattern[-1] == "**":
        pattern = (*pattern, "*")
    pending = [(Path(), pattern)]
    while pending:
        below, (first, *rest) = pending.pop()
        if first == "**":
            pending.append((below, tuple(rest)))
        for entry in _matching_entries(folder / below, first):
            path, is_folder = below / entry.name, entry.is_dir(follow_symlinks=False)
            if rest and is_folder:
                pending.append((path, (first, *rest) if first == "**" else tuple(rest)))
            elif not rest and not is_folder:
                yield path


def _matching_entries(folder: Path, pattern: str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder that match one part of a pattern; none if the folder cannot be read."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    entries = [entry for entry in entries if fnmatchcase(entry.name, pattern)]
    return [entry for entry in entries if entry.name[0] != "." or pattern[0] == "."]


def _read(path: Path, remaining: int) -> bytes:
    """Return the content of a file; all files together may have `remaining` more bytes."""
    if path.is_symlink():
        raise _UnusableFileError("it is a link, and none is followed")
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, _OPEN_FLAGS)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _UnusableFileError("it is not a file")
            data = file.read(min(LARGEST_FILE, remaining) + 1)
    except OSError as error:
        raise _UnusableFileError(error.strerror or str(error)) from None
    if len(data) > LARGEST_FILE:
        raise _UnusableFileError(f"it is larger than {LARGEST_FILE // 2**20} MiB")
    if len(data) > remaining:
        raise _UnusableFileError(f"all files together are larger than {LARGEST_TOTAL // 2**20} MiB")
    return data


def _test_runs(data: bytes) -> list[_TestRun]:
    from junitparser import Attr, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

    class Case(TestCase):
        file = Attr()

    try:
        results = JUnitXml.fromroot(_parse(data))
    except JUnitXmlError:
        raise _UnusableFileError("it is not JUnit XML: it begins with neither testsuites nor testsuite") from None

    def runs_in(element: Any, suites: tuple[str | None, ...], timestamp: str) -> Iterator[_TestRun]:
        for case in element.iterchildren(Case):
            # Surefire's `flakyFailure` is not a result in junitparser: the test passed in the end.
            is_skipped = all(isinstance(result, Skipped) for result in case.result)
            verdict = "passed" if not case.result else "skipped" if is_skipped else "failed"
            yield _TestRun((*suites, case.classname, case.name, case.file), timestamp, verdict)
        for suite in element.iterchildren(TestSuite):
            yield from runs_in(suite, (*suites, suite.name), suite.timestamp or timestamp)

    return list(runs_in(results, (), ""))


def _parse(data: bytes) -> Any:
    """Parse a document without its text: in JUnit XML all that counts is in elements and attributes."""
    from xml.etree.ElementTree import ParseError, TreeBuilder, XMLParser

    class Elements(TreeBuilder):
        count = depth = 0

        def doctype(self, name: str, public: str | None, system: str | None) -> None:
            # Called before any entity is declared, so no entity can expand without end or read a local file.
            raise _UnusableFileError("it declares a document type, which JUnit XML has no need of and attacks have")

        def start(self, tag: Any, attributes: Any) -> Any:
            self.count, self.depth = self.count + 1, self.depth + 1
            if self.count > MOST_ELEMENTS:
                raise _UnusableFileError(f"it has more than {MOST_ELEMENTS} elements")
            if self.depth > DEEPEST_NESTING:
                raise _UnusableFileError(f"its elements are nested more than {DEEPEST_NESTING} deep")
            return super().start(tag, attributes)

        def end(self, tag: Any) -> Any:
            self.depth -= 1
            return super().end(tag)

        def data(self, text: Any) -> None:
            """Drop the text, since the output of tests may be large."""

    parser = XMLParser(target=Elements())  # noqa: S314
    try:
        for place in range(0, len(data), _CHUNK):
            parser.feed(data[place : place + _CHUNK])
        return parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise _UnusableFileError(f"it is not well-formed XML: {error}") from None
