"""Counting tests: the flavours of JUnit XML, reruns, several files, and malicious files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import CountedTests, SettingsError
from jira_ci_core.reporting import test_results as results
from jira_ci_core.reporting.test_results import count_tests

# As `pytest --junit-xml` writes it (docs.pytest.org, "Creating JUnitXML format files").
PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="5" time="0.04"
 timestamp="2024-05-01T12:30:00.123456+00:00" hostname="runner">
<testcase classname="tests.test_pay.TestCards" name="test_charge[visa]" time="0.001" />
<testcase classname="tests.test_pay.TestCards" name="test_charge[amex]" time="0.001">
 <failure message="assert 1 == 2">def test_charge(): &lt;...&gt;</failure></testcase>
<testcase classname="tests.test_pay" name="test_later" time="0.0">
 <skipped type="pytest.skip" message="later">tests/test_pay.py:9: later</skipped></testcase>
<testcase classname="tests.test_pay" name="test_known" time="0.0"><skipped type="pytest.xfail" message="" /></testcase>
<testcase classname="tests.test_pay" name="test_broken" time="0.0">
 <error message="failed on setup with &quot;KeyError&quot;">Traceback</error></testcase>
</testsuite></testsuites>"""

# As Maven Surefire 3 writes it with rerunFailingTestsCount (maven.apache.org/surefire, "Rerun failing tests", and its
# surefire-test-report.xsd): the root is one suite.
SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0.2"
 xsi:noNamespaceSchemaLocation="https://maven.apache.org/surefire/maven-surefire-plugin/xsd/surefire-test-report.xsd"
 name="shop.PayTest" time="0.2" tests="4" errors="0" skipped="1" failures="1" flakes="1">
<properties><property name="java.version" value="21"/></properties>
<testcase name="charges" classname="shop.PayTest" time="0.01"/>
<testcase name="isFlaky" classname="shop.PayTest" time="0.01">
 <flakyFailure message="once" type="java.lang.AssertionError"><stackTrace><![CDATA[at shop.PayTest]]></stackTrace>
 <system-out><![CDATA[<failure/> is only text here]]></system-out></flakyFailure></testcase>
<testcase name="isBroken" classname="shop.PayTest" time="0.01">
 <failure message="first" type="java.lang.AssertionError"><![CDATA[at shop]]></failure>
 <rerunFailure message="second" type="java.lang.AssertionError"><stackTrace>at shop</stackTrace></rerunFailure>
 <rerunError message="third" type="java.io.IOException"><stackTrace>at shop</stackTrace></rerunError></testcase>
<testcase name="isOff" classname="shop.PayTest" time="0"><skipped message="off"/></testcase>
</testsuite>"""

# As `gotestsum --junitfile --rerun-fails` writes it (github.com/gotestyourself/gotestsum, internal/junitxml): failed
# ones first, and a test that was run again once more.
GO = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5" failures="2" errors="0" time="1.2">
 <testsuite tests="3" failures="1" time="0.5" name="example.com/shop/pay" timestamp="2024-05-01T12:30:00Z">
  <properties><property name="go.version" value="go1.22"></property></properties>
  <testcase classname="example.com/shop/pay" name="TestFlaky" time="0.01"><failure message="Failed" type=""></failure></testcase>
  <testcase classname="example.com/shop/pay" name="TestOff" time="0.0"><skipped message="off"></skipped></testcase>
  <testcase classname="example.com/shop/pay" name="TestFlaky" time="0.01"></testcase>
 </testsuite>
 <testsuite tests="2" failures="1" time="0.5" name="example.com/shop/cart" timestamp="2024-05-01T12:30:01Z">
  <testcase classname="example.com/shop/cart" name="TestFlaky" time="0.01"></testcase>
  <testcase classname="example.com/shop/cart" name="TestAdd/empty" time="0.01"><failure message="Failed" type=""></failure></testcase>
 </testsuite>
</testsuites>"""

# As jest-junit writes it (github.com/jest-community/jest-junit, README).
JEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="3" failures="1" errors="0" time="2.3">
 <testsuite name="pay" errors="0" failures="1" skipped="1" timestamp="2024-05-01T12:30:00" time="1" tests="3">
  <testcase classname="pay charges a card" name="pay charges a card" time="0.02"></testcase>
  <testcase classname="pay refuses" name="pay refuses" time="0.02"><failure>Error: expect(received)</failure></testcase>
  <testcase classname="pay later" name="pay later" time="0"><skipped/></testcase>
 </testsuite>
</testsuites>"""

# As `node --test --test-reporter=junit` writes it (nodejs.org, "Test runner"): tests outside of any suite, suites in
# suites.
NODE = """<?xml version="1.0" encoding="utf-8"?>
<testsuites>
 <testcase name="adds" time="0.001" classname="test"/>
 <testsuite name="cart" time="0.1" tests="1"><testsuite name="empty" time="0.1" tests="1">
  <testcase name="adds" time="0.001" classname="test"><failure type="testCodeFailure" message="no">no</failure></testcase>
 </testsuite></testsuite>
</testsuites>"""

FLAVOURS = {
    "pytest": (PYTEST, (1, 2, 2)),
    "surefire": (SUREFIRE, (2, 1, 1)),
    "go": (GO, (2, 1, 1)),
    "jest": (JEST, (1, 1, 1)),
    "node": (NODE, (1, 1, 0)),
}

NESTED = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
LAUGHS = f'<!DOCTYPE t [<!ENTITY lol0 "lol">{NESTED}]><testsuite name="&lol9;"><testcase name="a"/></testsuite>'
EXTERNAL = '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>'
BY_PARAMETER = '<!DOCTYPE t [<!ENTITY %% x SYSTEM "%s"> %%x;]><testsuite><testcase name="a"/></testsuite>'


def counted(tests):
    assert tests is not None
    return tests.passed, tests.failed, tests.skipped


@pytest.fixture
def count(folder):
    """Writes files below the working directory, and counts the tests in those that match patterns."""

    def write_and_count(files, *patterns):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return count_tests(patterns or ("**/*.xml",), folder)

    return write_and_count


def suite(*cases, name="s", **attributes):
    """A suite of (name, verdict)."""
    inner = "".join(
        f"<testcase name={quoteattr(case)}>{'' if verdict == 'passed' else f'<{verdict}/>'}</testcase>"
        for case, verdict in cases
    )
    more = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<testsuite name={quoteattr(name)}{more}>{inner}</testsuite>"


class TestFlavours:
    @pytest.mark.parametrize("flavour", FLAVOURS)
    def test_is_counted(self, count, flavour, caplog):
        text, expected = FLAVOURS[flavour]
        assert counted(count({"reports/x.xml": text}, "reports/*.xml")) == expected
        assert [record for record in caplog.records if record.levelname == "WARNING"] == []

    def test_all_of_them_are_merged(self, count):
        files = {f"{name}/x.xml": text for name, (text, _) in FLAVOURS.items()}
        assert counted(count(files)) == tuple(map(sum, zip(*(sums for _, sums in FLAVOURS.values()), strict=True)))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
    def test_in_another_encoding(self, count, encoding):
        text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{suite(("é", "passed"))}'
        assert counted(count({"x.xml": text.encode(encoding)})) == (1, 0, 0)


class TestReruns:
    def test_the_same_test_twice_in_a_file_is_one_and_its_last_run_counts(self, count):
        assert counted(count({"x.xml": suite(("a", "failure"), ("a", "passed"), ("b", "passed"))})) == (2, 0, 0)
        assert counted(count({"x.xml": suite(("a", "passed"), ("a", "error"))})) == (0, 1, 0)

    def test_the_same_test_in_two_files_is_one_and_the_later_suite_counts(self, count):
        first = suite(("a", "failure"), ("b", "passed"), timestamp="2024-05-01T12:30:00")
        again = suite(("a", "passed"), timestamp="2024-05-01T12:31:00")
        assert counted(count({"1.xml": first, "2.xml": again})) == (2, 0, 0)
        assert counted(count({"1.xml": again, "2.xml": first})) == (2, 0, 0)

    def test_a_test_of_the_same_name_elsewhere_is_another_one(self, count):
        assert counted(count({"1.xml": suite(("a", "passed")), "2.xml": suite(("a", "failure"), name="t")})) == (
            1,
            1,
            0,
        )
        case = '<testcase name="a" classname="{0}" file="{1}"/>'.format
        text = f"<testsuite>{case('x', '1')}{case('y', '1')}{case('x', '2')}</testsuite>"
        assert counted(count({"1.xml": text, "2.xml": "<testsuite/>"})) == (3, 0, 0)

    def test_a_file_that_two_patterns_match_is_read_once(self, count, caplog):
        caplog.set_level("INFO")
        assert counted(count({"a/x.xml": PYTEST}, "**/*.xml", "a/x.xml")) == (1, 2, 2)
        assert "5 tests in 1 files: 1 passed, 2 failed, 2 skipped" in caplog.text


class TestPatterns:
    FILES = {"x.xml": suite(("1", "passed")), "a/x.xml": suite(("2", "passed")), "a/b/c/x.xml": suite(("3", "passed"))}

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("*.xml", 1),
            ("**/*.xml", 3),
            ("a/**/*.xml", 2),
            ("a/**", 2),
            ("**/b/**/x.xml", 1),
            ("a/*/x.xml", 0),
            ("a/b/c/x.xml", 1),
            ("./a/x.xml", 1),
            ("?/x.xml", 1),
            ("[ab]/x.xml", 1),
        ],
    )
    def test_match_as_in_a_shell(self, count, pattern, found):
        tests = count(self.FILES, pattern)
        assert (tests.total if tests else 0) == found

    def test_do_not_enter_hidden_folders_unless_told_to(self, count):
        files = {".cache/x.xml": suite(("1", "passed"))}
        assert count(files, "**/*.xml") is None
        assert count(files, ".cache/*.xml").total == 1

    def test_that_match_nothing_are_a_warning(self, count, caplog):
        assert count({}, "reports/*.xml", "other.xml") is None
        assert "no file matches reports/*.xml" in caplog.text
        assert "no file matches other.xml" in caplog.text

    def test_match_so_many_files_and_no_more(self, count, caplog, monkeypatch):
        monkeypatch.setattr(results, "MOST_FILES", 2)
        assert count(self.FILES, "**/*.xml").total == 2
        assert "more than 2 files" in caplog.text

    @pytest.mark.parametrize(
        "pattern",
        ["/etc/*.xml", "../*.xml", "a/../../*.xml", "C:/x.xml", "\\\\host\\x", "..\\x.xml", ".", "a**/x", "**/**/**/x"],
    )
    def test_that_lead_elsewhere_or_nowhere_are_refused(self, settings_of, pattern):
        with pytest.raises(ValueError, match=r"working directory|beside other"):
            settings_of(test_results=pattern)

    def test_are_separated_by_commas(self, settings_of):
        assert settings_of(test_results="a b/*.xml, c/**/*.xml").test_results == ("a b/*.xml", "c/**/*.xml")


class TestWhatIsRefused:
    """A file that cannot be counted is a warning that names it; the others count."""

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (LAUGHS, "declares a document type"),
            (EXTERNAL, "declares a document type"),
            (BY_PARAMETER % "http://127.0.0.1:9/x", "declares a document type"),
            (LAUGHS.encode("utf-16"), "declares a document type"),
            ("", "not well-formed"),
            ("<testsuite><testcase>", "not well-formed"),
            ("no xml at all", "not well-formed"),
            (b"\x00\xff\xfe\x00", "not well-formed"),
            ('<?xml version="1.0" encoding="no-such-one"?><testsuite/>', "not well-formed"),
            ("<testsuite><testcase name='&undefined;'/></testsuite>", "not well-formed"),
            ("<html><body/></html>", "not JUnit XML"),
            ("<testsuite>" * 101 + "</testsuite>" * 101, "nested more than 100 deep"),
            ("<a>" * 200_000, "nested more than 100 deep"),
        ],
    )
    def test_is_left_out(self, count, caplog, content, why):
        assert counted(count({"bad.xml": content, "good.xml": JEST})) == (1, 1, 1)
        [record] = caplog.records
        assert record.levelname == "WARNING"
        assert "bad.xml is not counted" in record.getMessage()
        assert why in record.getMessage()

    def test_too_large_a_file_or_too_many_of_them(self, count, caplog, monkeypatch):
        monkeypatch.setattr(results, "LARGEST_FILE", len(JEST))
        monkeypatch.setattr(results, "LARGEST_TOTAL", 2 * len(JEST))
        files = {"1.xml": JEST, "2.xml": JEST + " ", "3.xml": suite(("a", "passed")), "4.xml": JEST}
        assert counted(count(files)) == (2, 1, 1)
        assert "2.xml is not counted among the test results: it is larger" in caplog.text
        assert "4.xml is not counted among the test results: all files together" in caplog.text

    def test_too_many_elements(self, count, caplog, monkeypatch):
        monkeypatch.setattr(results, "MOST_ELEMENTS", 10)
        assert count({"1.xml": suite(*((str(n), "passed") for n in range(10)))}) is None
        assert "more than 10 elements" in caplog.text

    def test_a_link_a_pipe_and_what_lies_behind_a_linked_folder(self, count, folder, tmp_path, caplog):
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "x.xml").write_text(PYTEST)
        (folder / "link.xml").symlink_to(outside / "x.xml")
        (folder / "folder").symlink_to(outside)
        os.mkfifo(folder / "pipe.xml")
        assert count({"good.xml": JEST}, "**/*.xml").total == 3
        assert "link.xml is not counted among the test results: it is a link" in caplog.text
        assert "pipe.xml is not counted among the test results: it is not a file" in caplog.text
        assert count({}, "folder/*.xml") is None

    def test_a_file_that_may_not_be_read(self, count, folder, caplog, monkeypatch):
        monkeypatch.setattr(os, "open", lambda *arguments, **more: (_ for _ in ()).throw(PermissionError(13, "No")))
        assert count({"1.xml": JEST}) is None
        assert "1.xml is not counted among the test results: No" in caplog.text

    def test_files_without_a_test_are_a_warning(self, count, caplog):
        assert count({"1.xml": "<testsuites/>"}) is None
        assert "hold no test" in caplog.text


def test_a_missing_package_is_named(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "junitparser", None)
    with pytest.raises(SettingsError) as caught:
        count_tests(("*.xml",), folder)
    assert "pip install 'jira-ci-core[junit]'" in caught.value.problems[0].remedy


def test_nothing_of_junitparser_is_imported_unless_there_are_results():
    code = "import sys, jira_ci_core.cli.main; print('junitparser' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


VERDICTS = st.sampled_from(["passed", "failure", "error", "skipped"])
CASES = st.lists(st.tuples(st.sampled_from("abc"), VERDICTS))
SUITES = st.builds(lambda name, cases: suite(*cases, name=name), st.sampled_from("xyz"), CASES)
CONTENT = st.one_of(
    st.builds(lambda suites: f"<testsuites>{''.join(suites)}</testsuites>", st.lists(SUITES)),
    SUITES,
    st.sampled_from([text for text, _ in FLAVOURS.values()]),
    st.text(),
    st.sampled_from([LAUGHS, EXTERNAL, PYTEST[:300]]),
)


@given(files=st.lists(CONTENT, max_size=4))
def test_the_counts_add_up_whatever_the_files_hold(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    for place, content in enumerate(files):
        (folder / f"{place}.xml").write_bytes(content.encode(errors="replace"))
    tests = count_tests(("*.xml",), folder)
    if tests is not None:
        assert tests.passed + tests.failed + tests.skipped == tests.total > 0


@given(cases=CASES)
def test_each_test_counts_once_by_its_last_run(cases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    (folder / "x.xml").write_text(suite(*cases))
    ended = Counter({"error": "failure"}.get(verdict, verdict) for verdict in dict(cases).values())
    expected = CountedTests(passed=ended["passed"], failed=ended["failure"], skipped=ended["skipped"])
    assert count_tests(("*.xml",), folder) == (expected if cases else None)
