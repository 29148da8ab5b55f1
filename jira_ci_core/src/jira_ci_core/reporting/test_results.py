"""Counts the tests in the JUnit XML files that TEST_RESULTS names, merged, each test once.

Files and patterns may come from the change under test: links are not followed, a file with a document type is not read,
and all of them together have a limit of bytes, of elements and of time: what is beyond is left out. junitparser is
imported only if there is something to count.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from jira_ci_core.errors import SettingsError
from jira_ci_core.models import CountedTests
from jira_ci_core.output.ci_files import open_unlinked
from jira_ci_core.problem import Problem

log = logging.getLogger(__name__)

MOST_FILES = 10_000
LARGEST_FILE = 64 * 2**20
LARGEST_TOTAL = 4 * LARGEST_FILE
MOST_ELEMENTS = 500_000
MOST_SECONDS = 10.0
DEEPEST_NESTING = 100
MOST_NAMES = 10_000
"""Different names of elements and attributes in a file: expat keeps each of them."""
LONGEST_TAG = 4 * 2**20
"""In bytes. A tag is read as a whole, with all its attributes, before the time can be looked at again."""
MOST_WARNINGS = 10
# Of the other elements and attributes, only the limits are looked at.
_ELEMENTS = frozenset({"testsuites", "testsuite", "testcase", "failure", "error", "skipped"})
_ATTRIBUTES = "name", "classname", "file", "timestamp"
# A parser that gets a long comment or tag in parts looks at its beginning again with each part (expat before 2.6.0, see
# CVE-2023-52425). pyexpat itself makes parts of this size: MAX_CHUNK_SIZE in CPython's Modules/pyexpat.c.
_CHUNK = 2**20


class _UnusableFileError(Exception):
    """The reason for leaving a file out."""


@dataclass
class _Budget:
    """What may still be used, by all files together."""

    bytes: int
    elements: int
    end: float
    """In the seconds of `time.monotonic`."""

    def read(self, size: int) -> None:
        self.bytes -= size
        if self.bytes < 0:
            raise _UnusableFileError(f"all files together are larger than {LARGEST_TOTAL // 2**20} MiB")
        self.check_time()

    def check_time(self) -> None:
        if time.monotonic() > self.end:
            raise _UnusableFileError(f"counting takes longer than {MOST_SECONDS:.0f} seconds")


class _TestRun(NamedTuple):
    test: int
    """A hash of the test's suites, class, name and file, which may be long."""
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
    budget = _Budget(LARGEST_TOTAL, MOST_ELEMENTS, time.monotonic() + MOST_SECONDS)
    runs: list[_TestRun] = []
    files = 0
    warnings: list[str] = []
    for path in _files(patterns, folder, budget, warnings):
        try:
            runs += _test_runs(_read(folder / path, budget), budget)
            files += 1
        except _UnusableFileError as reason:
            warnings.append(f"{path} is not counted among the test results: {reason}")
    for warning in warnings[:MOST_WARNINGS]:
        log.warning("%s", warning)
    if len(warnings) > MOST_WARNINGS:
        log.warning("TEST_RESULTS: there are %d more such warnings", len(warnings) - MOST_WARNINGS)
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


def _files(patterns: Iterable[str], folder: Path, budget: _Budget, warnings: list[str]) -> list[Path]:
    found: set[Path] = set()
    try:
        for pattern in patterns:
            matching = set(islice(_glob(folder, Path(pattern).parts, budget), MOST_FILES + 1))
            if not matching:
                warnings.append(f"TEST_RESULTS: no file matches {pattern} (links are not followed)")
            found |= matching
    except _UnusableFileError as reason:
        warnings.insert(0, f"TEST_RESULTS: not all files are found: {reason}")
    if len(found) > MOST_FILES:
        warnings.append(f"TEST_RESULTS names more than {MOST_FILES} files; the others are not counted")
    return sorted(found)[:MOST_FILES]


def _glob(folder: Path, pattern: tuple[str, ...], budget: _Budget) -> Iterator[Path]:
    """Yield the files below a folder that match, without following links (as `Path.glob` does).

    As in a shell, `**` stands for any folders, and wildcards match no leading dot.
    """
    if pattern[-1] == "**":
        pattern = (*pattern, "*")
    pending = [(Path(), pattern)]
    while pending:
        budget.check_time()
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


def _read(path: Path, budget: _Budget) -> Iterator[bytes]:
    """Yield the content of a file in parts."""
    if path.is_symlink():
        raise _UnusableFileError("it is a link, and none is followed")
    try:
        with open(path, "rb", opener=open_unlinked) as file:
            if os.fstat(file.fileno()).st_size > LARGEST_FILE:
                raise _UnusableFileError(f"it is larger than {LARGEST_FILE // 2**20} MiB")
            budget.read(0)
            while part := file.read(_CHUNK):
                budget.read(len(part))
                yield part
    except OSError as error:
        raise _UnusableFileError(error.strerror or str(error)) from None


def _test_runs(parts: Iterable[bytes], budget: _Budget) -> list[_TestRun]:
    from junitparser import Attr, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

    class Case(TestCase):
        file = Attr()

    try:
        document = JUnitXml.fromroot(_parse(parts, budget))
    except JUnitXmlError:
        raise _UnusableFileError("it is not JUnit XML: it begins with neither testsuites nor testsuite") from None

    def runs_in(element: Any, suites: tuple[str | None, ...], timestamp: str) -> Iterator[_TestRun]:
        for case in element.iterchildren(Case):
            budget.check_time()
            # Surefire's `flakyFailure` is not a result in junitparser: the test passed in the end.
            results = case.result
            is_skipped = all(isinstance(result, Skipped) for result in results)
            verdict = "passed" if not results else "skipped" if is_skipped else "failed"
            yield _TestRun(hash((*suites, case.classname, case.name, case.file)), timestamp, verdict)
        for suite in element.iterchildren(TestSuite):
            yield from runs_in(suite, (*suites, suite.name), suite.timestamp or timestamp)

    return list(runs_in(document, (), ""))


def _parse(parts: Iterable[bytes], budget: _Budget) -> Any:
    """Parse a document; return its root.

    The parser knows no namespaces, as JUnit XML has none: expat would write a namespace's address, which may be long,
    before each name that belongs to it. ElementTree's own parser cannot do without them.
    """
    from xml.parsers import expat

    names: dict[str, str] = {}
    elements = _Elements(budget, names)
    parser = expat.ParserCreate(intern=names)
    parser.StartDoctypeDeclHandler = elements.doctype
    parser.StartElementHandler = elements.start
    parser.EndElementHandler = elements.end
    try:
        size, head = 0, b""
        for part in parts:
            parser.Parse(part, False)
            # Where the tag or comment begins whose end is in a later part.
            start = parser.CurrentByteIndex - size
            size += len(part)
            if start >= 0:
                head = part[start : start + 4]
            if len(part) - start > LONGEST_TAG and not re.search(b"[!?]", head):
                raise _UnusableFileError(f"it has a tag of more than {LONGEST_TAG // 2**20} MiB, or is not XML")
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _UnusableFileError(f"it is not well-formed XML: {error}") from None
    return elements.tree.close()


class _Elements:
    """Builds a tree of the elements and attributes that count, without their text."""

    def __init__(self, budget: _Budget, names: Sized) -> None:
        """`names` are all that the parser knows so far."""
        from xml.etree.ElementTree import TreeBuilder

        self.tree = TreeBuilder()
        self._budget = budget
        self._names = names
        self._depth = 0
        self._left_out = DEEPEST_NESTING + 1
        """The depth of an element that is left out with all in it."""

    def doctype(self, *declaration: object) -> None:
        # Called before any entity is declared, so no entity can expand without end or read a local file.
        raise _UnusableFileError("it declares a document type, which JUnit XML has no need of and attacks have")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._budget.elements -= 1
        self._depth += 1
        if self._budget.elements < 0:
            raise _UnusableFileError(f"all files together have more than {MOST_ELEMENTS} elements")
        if self._depth > DEEPEST_NESTING:
            raise _UnusableFileError(f"its elements are nested more than {DEEPEST_NESTING} deep")
        if len(self._names) > MOST_NAMES:
            raise _UnusableFileError(f"it has more than {MOST_NAMES} different names of elements and attributes")
        if self._depth < self._left_out:
            if tag in _ELEMENTS or self._depth == 1:
                self.tree.start(tag, {name: attributes[name] for name in _ATTRIBUTES if name in attributes})
            else:
                self._left_out = self._depth

    def end(self, tag: str) -> None:
        if self._depth < self._left_out:
            self.tree.end(tag)
        elif self._depth == self._left_out:
            self._left_out = DEEPEST_NESTING + 1
        self._depth -= 1
