"""A change brings test results that exhaust the time or the memory of the step that counts them."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from jira_ci_core.reporting import test_results as results
from jira_ci_core.reporting.test_results import count_tests

CASE = b"<testcase name='a'/>"
SECONDS = results.MOST_SECONDS + 5


@pytest.fixture
def count(tmp_path, monkeypatch, caplog):
    """Counts the tests in files with these contents; tells how many there are, and what was said of others."""
    monkeypatch.chdir(tmp_path)

    def write_and_count(*contents, patterns=("*.xml",)):
        for number, content in enumerate(contents):
            (tmp_path / f"{number}.xml").write_bytes(content)
        started = time.monotonic()
        tests = count_tests(patterns, tmp_path)
        assert time.monotonic() - started < SECONDS
        return tests.total if tests else 0, caplog.text

    return write_and_count


class TestInOneFile:
    # Made when they are needed: all workers import this file.
    LARGE = {
        "comment": lambda: b"<testsuite><!--" + b"x" * 30_000_000 + b"-->" + CASE + b"</testsuite>",
        "text": lambda: (
            b"<testsuite><system-out>" + b"x&amp;\n" * 2_000_000 + b"</system-out>" + CASE + b"</testsuite>"
        ),
        "CDATA": lambda: (
            b"<testsuite><system-out><![CDATA[" + b"x" * 20_000_000 + b"]]></system-out>" + CASE + b"</testsuite>"
        ),
        "spaces": lambda: b" " * 20_000_000 + b"<testsuite>" + CASE + b"</testsuite>",
    }

    @pytest.mark.parametrize("kind", LARGE)
    def test_what_is_large_and_no_tag_is_read_once(self, count, kind):
        started = time.process_time()
        assert count(self.LARGE[kind]())[0] == 1
        assert time.process_time() - started < 5

    TAGS = {
        "an attribute": lambda: b"<testsuite a='" + b"x" * 7_000_000 + b"'/>",
        "attributes": lambda: b"<testsuite " + b"".join(b"a%x='' " % number for number in range(700_000)) + b"/>",
        "a name": lambda: b"<testsuite><" + b"x" * 7_000_000 + b"/></testsuite>",
        "spaces": lambda: b"<testsuite" + b" " * 7_000_000 + b"/>",
        "a reference": lambda: b"<testsuite>&#" + b"0" * 7_000_000 + b"65;</testsuite>",
        "in UTF-16": lambda: f"<testsuite a='{'x' * 3_000_000}'/>".encode("utf-16"),
    }

    @pytest.mark.parametrize("kind", TAGS)
    def test_a_tag_of_megabytes_is_refused(self, count, kind):
        total, said = count(self.TAGS[kind](), b"<testsuite>" + CASE + b"</testsuite>")
        assert (total, "0.xml is not counted among the test results: it has a tag of more than 4 MiB" in said) == (
            1,
            True,
        )

    def test_many_names_are_refused(self, count):
        names = b"".join(b"<a b%x=''/>" % number for number in range(100_000))
        total, said = count(b"<testsuite>" + names + CASE + b"</testsuite>")
        assert (total, "it has more than 10000 different names" in said) == (0, True)

    def test_a_long_namespace_of_many_attributes_takes_no_memory(self, tmp_path):
        """As expat would write it before each of them: 100 KB would become gigabytes."""
        attributes = b"".join(b"p:a%x='' " % number for number in range(9_000))
        text = b"<testsuite xmlns:p='" + b"u" * 1_000_000 + b"' " + attributes + b">" + CASE + b"</testsuite>"
        (tmp_path / "0.xml").write_bytes(text)
        code = (
            "import pathlib; from jira_ci_core.reporting.test_results import count_tests;"
            "assert count_tests(['*.xml'], pathlib.Path()).total == 1"
        )
        done = subprocess.run(
            ["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", sys.executable, "-P", "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


class TestInAllFiles:
    def test_the_elements_have_one_limit(self, count):
        """What is not counted uses it up as well."""
        file = b"<testsuite>" + b"<a/>" * 130_000 + CASE + b"</testsuite>"
        total, said = count(b"<no-junit>" + b"<a/>" * 130_000 + b"</no-junit>", file, file, file)
        assert total == 1
        assert "3.xml is not counted among the test results: all files together have more than 500000 elements" in said

    def test_the_bytes_have_one_limit(self, count, monkeypatch):
        monkeypatch.setattr(results, "LARGEST_TOTAL", 3_000_000)
        junk = b"<testsuite>" + b" " * 1_000_000 + b"<"
        total, said = count(junk, junk, b"<testsuite>" + CASE + b" " * 900_000 + b"</testsuite>", junk)
        assert total == 1
        assert "3.xml is not counted among the test results: all files together are larger than" in said

    def test_the_time_has_one_limit(self, count, monkeypatch):
        monkeypatch.setattr(results, "MOST_SECONDS", 0.3)
        file = b"<testsuite><!--" + b"x" * 30_000_000 + b"-->" + CASE + b"</testsuite>"
        _, said = count(*[file] * 4)
        assert "3.xml is not counted among the test results: counting takes longer than" in said

    def test_so_has_the_search_for_them(self, count, tmp_path, monkeypatch):
        monkeypatch.setattr(results, "MOST_SECONDS", 0.3)
        for number in range(30):
            (tmp_path / "/".join("abcdefghij"[: number % 10 + 1]) / str(number)).mkdir(parents=True)
        started = time.monotonic()
        _, said = count(b"<testsuite/>", patterns=["**/[a-z]*/**/x*.xml"] * 5_000)
        assert time.monotonic() - started < 5
        assert "TEST_RESULTS: not all files are found: counting takes longer than" in said

    def test_not_each_of_thousands_is_a_warning(self, count):
        _, said = count(*[b"junk"] * 200)
        assert "TEST_RESULTS: there are 190 more such warnings" in said
        assert len(said) < 5_000

    def test_sixty_thousand_tests_in_14_mb_are_counted(self, count):
        cases = (
            b"<testcase classname='tests.package.module.TestClass%d' name='test_something_%d[%s]' time='0.001'/>"
            % (number, number, b"x" * 130)
            for number in range(60_000)
        )
        assert count(b"<testsuites><testsuite>" + b"".join(cases) + b"</testsuite></testsuites>")[0] == 60_000


def test_a_folder_that_turns_into_a_link_is_not_followed(count, tmp_path, monkeypatch):
    """Between the search and the reading."""
    outside = tmp_path.with_name("outside")
    outside.mkdir()
    (outside / "x.xml").write_bytes(b"<testsuite>" + CASE + b"</testsuite>")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "x.xml").write_bytes(b"")
    find = results._files

    def find_and_exchange(*arguments):
        found = find(*arguments)
        (tmp_path / "reports").rename(tmp_path / "moved")
        (tmp_path / "reports").symlink_to(outside)
        return found

    monkeypatch.setattr(results, "_files", find_and_exchange)
    total, said = count(patterns=["reports/*.xml"])
    assert (total, "reports is a link, and none in the checkout is followed" in said) == (0, True)
