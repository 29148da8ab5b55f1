"""Counting tests: the JUnit XML files that TEST_RESULTS names, merged, each test counted once.

Files and patterns may come from the change under test, so that no link is followed, no document type is read, and what
is too large is left out. Nothing of junitparser is imported unless there is something to count.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jira_ci_core.errors import SettingsError
from jira_ci_core.models import CountedTests
from jira_ci_core.problem import Problem

if TYPE_CHECKING:
    from junitparser import TestCase

log = logging.getLogger(__name__)

MOST_FILES = 10_000
LARGEST_FILE = 64 * 2**20
LARGEST_IN_ALL = 4 * LARGEST_FILE
MOST_ELEMENTS = 500_000
DEEPEST = 100
_CHUNK = 2**16
# Whoever wrote the files may have put a link or a pipe in the place of one.
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class _Refused(Exception):  # noqa: N818
    """Why a file is left out."""


class _Run(NamedTuple):
    """One run of one test."""

    test: tuple[str | None, ...]
    """Its suites, its class, its own name and its file."""
    began: str
    """When its suite began, as the file says it; empty where it does not."""
    verdict: str
    """`passed`, `failed` or `skipped`."""


def count_tests(patterns: Sequence[str], folder: Path) -> CountedTests | None:
    """The tests in all files below `folder` that match; None where no file holds any.

    A test that is there more than once (the same suites, class, name and file) was run again, and its last run counts:
    by the time of its suite, else by its place. A file that cannot be counted is a warning. Raises SettingsError where
    junitparser is not installed.
    """
    require_junitparser()
    runs: list[_Run] = []
    left = LARGEST_IN_ALL
    files = 0
    for path in _files(patterns, folder):
        try:
            data = _content(folder / path, left)
            runs += _runs(data)
        except _Refused as refused:
            log.warning("%s is not counted among the test results: %s", path, refused)
            continue
        left -= len(data)
        files += 1
    verdicts = {run.test: run.verdict for run in sorted(runs, key=lambda run: run.began)}
    if not verdicts:
        if files:
            log.warning("the files that TEST_RESULTS names hold no test; no tests are reported")
        return None
    found = list(verdicts.values())
    tests = CountedTests(passed=found.count("passed"), failed=found.count("failed"), skipped=found.count("skipped"))
    again = f" ({len(runs) - tests.total} more runs of them were reruns)" if len(runs) > tests.total else ""
    log.info(
        "%d tests in %d files: %d passed, %d failed, %d skipped%s",
        *(tests.total, files, tests.passed, tests.failed, tests.skipped, again),
    )
    return tests


def require_junitparser() -> None:
    """Raise SettingsError where it is not installed."""
    try:
        import junitparser  # noqa: F401
    except ImportError:
        raise SettingsError(
            Problem(
                "TEST_RESULTS cannot be used",
                "the package that reads test results is not installed",
                "pip install 'jira-ci-core[junit]', or leave TEST_RESULTS out",
            )
        ) from None


def _files(patterns: Iterable[str], folder: Path) -> list[Path]:
    """What the patterns match, in the order of their names, each once; relative to the folder."""
    found: set[Path] = set()
    for pattern in patterns:
        matching = set(islice(_matching(folder, Path(pattern).parts), MOST_FILES + 1))
        if not matching:
            log.warning("TEST_RESULTS: no file matches %s (links are not followed)", pattern)
        found |= matching
    if len(found) > MOST_FILES:
        log.warning("TEST_RESULTS names more than %d files; the others are not counted", MOST_FILES)
    return sorted(found)[:MOST_FILES]


def _matching(folder: Path, pattern: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder; as in a shell, `**` is any folders, and a dot at the beginning must be written."""
    if pattern[-1] == "**":
        pattern = (*pattern, "*")
    waiting = [(Path(), pattern)]
    while waiting:
        below, (first, *rest) = waiting.pop()
        if first == "**":
            waiting.append((below, tuple(rest)))
        for entry in _entries(folder / below, first):
            path, is_folder = below / entry.name, entry.is_dir(follow_symlinks=False)
            if rest and is_folder:
                waiting.append((path, (first, *rest) if first == "**" else tuple(rest)))
            elif not rest and not is_folder:
                yield path


def _entries(folder: Path, pattern: str) -> list[os.DirEntry[str]]:
    """What in a folder matches one part of a pattern; nothing where it cannot be read."""
    pattern = "*" if pattern == "**" else pattern
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    return [one for one in entries if fnmatchcase(one.name, pattern) and (one.name[0] != "." or pattern[0] == ".")]


def _content(path: Path, left: int) -> bytes:
    """What a file holds, of which at most `left` bytes are still to be read in all."""
    if path.is_symlink():
        raise _Refused("it is a link, and none is followed")
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, _READING)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _Refused("it is no file")
            data = file.read(min(LARGEST_FILE, left) + 1)
    except OSError as error:
        raise _Refused(error.strerror or str(error)) from None
    if len(data) > LARGEST_FILE:
        raise _Refused(f"it is larger than {LARGEST_FILE // 2**20} MiB")
    if len(data) > left:
        raise _Refused(f"all files together are larger than {LARGEST_IN_ALL // 2**20} MiB")
    return data


def _runs(data: bytes) -> list[_Run]:
    """The runs of tests in one file, in their order."""
    from junitparser import Attr, JUnitXml, JUnitXmlError, TestCase, TestSuite

    class Case(TestCase):
        file = Attr()

    try:
        results = JUnitXml.fromroot(_parse(data))
    except JUnitXmlError:
        raise _Refused("it is no JUnit XML: it begins with neither testsuites nor testsuite") from None

    def runs_in(place: Any, around: tuple[str | None, ...], began: str) -> Iterator[_Run]:
        for case in place.iterchildren(Case):
            yield _Run((*around, case.classname, case.name, case.file), began, _verdict(case))
        for suite in place.iterchildren(TestSuite):
            yield from runs_in(suite, (*around, suite.name), suite.timestamp or began)

    return list(runs_in(results, (), ""))


def _verdict(case: TestCase) -> str:
    """How a run ended: Surefire's `flakyFailure` is of a test that passed, its `rerunFailure` of one that failed."""
    from junitparser import Skipped

    results = case.result
    return "passed" if not results else "skipped" if all(isinstance(one, Skipped) for one in results) else "failed"


def _parse(data: bytes) -> Any:
    """The elements of a document, without any text; JUnit XML says all that counts in elements and attributes."""
    from xml.etree.ElementTree import ParseError, TreeBuilder, XMLParser

    class Elements(TreeBuilder):
        count = depth = 0

        def doctype(self, name: str, public: str | None, system: str | None) -> None:
            # Before any entity is declared: neither a laugh of a billion nor a file of this machine gets in.
            raise _Refused("it declares a document type, which JUnit XML has no need of and attacks have")

        def start(self, tag: Any, attributes: Any) -> Any:
            self.count, self.depth = self.count + 1, self.depth + 1
            if self.count > MOST_ELEMENTS:
                raise _Refused(f"it has more than {MOST_ELEMENTS} elements")
            if self.depth > DEEPEST:
                raise _Refused(f"its elements are nested more than {DEEPEST} deep")
            return super().start(tag, attributes)

        def end(self, tag: Any) -> Any:
            self.depth -= 1
            return super().end(tag)

        def data(self, text: Any) -> None:
            """Leave it out: what tests print may be large."""

    parser = XMLParser(target=Elements())  # noqa: S314
    try:
        for place in range(0, len(data), _CHUNK):
            parser.feed(data[place : place + _CHUNK])
        return parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise _Refused(f"it is not well-formed XML: {error}") from None
