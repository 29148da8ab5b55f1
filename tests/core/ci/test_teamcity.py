"""TeamCity's files of properties, which hold what strangers write: branches, titles."""

from __future__ import annotations

import os
import time

import pytest

from jira_ci_core.ci.teamcity import LARGEST_FILE, jira_ci_read_pipeline, parse_properties

RUN = {"TEAMCITY_VERSION": "2025.07", "BUILD_NUMBER": "42"}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (rb"a=1", {"a": "1"}),
        (b"  a = 1 \r\nb:2\rc 3\nd\n=5", {"a": "1 ", "b": "2", "c": "3", "d": "", "": "5"}),
        (b"# a=1 \\\n! b=2\n  #c\nd==4", {"d": "=4"}),
        (rb"a\ b\:c\=d = \:\=\#\!\ \t\n\r\f\\", {"a b:c=d": ":=#! \t\n\r\f\\"}),
        (b"a=one \\\n   two\\\\\nb\\\r\n c=3", {"a": "one two\\", "bc": "3"}),
        (rb"a=\u00e9 \uD83D\uDE00 \ud83d \u12 \q", {"a": "é 😀 \ufffd u12 q"}),
        ("a=é😀".encode(), {"a": "é😀"}),
        ("a=é".encode("latin-1"), {"a": "é"}),
        (b"a=1\na=2\\", {"a": "2\\"}),
        (b"", {}),
    ],
)
def test_a_file_is_read_as_java_reads_it(content, found):
    assert dict(parse_properties(content)) == found


@pytest.mark.parametrize("part", [b"\\", b"a", b"a=\\\n", b"#", b" ", b"=", b"\\u0041", b"\r", b"a "])
def test_the_time_grows_linearly(part):
    began = time.process_time()
    list(parse_properties(part * (100_000 // len(part))))
    assert time.process_time() - began < 1


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large", "null"])
def test_one_that_cannot_be_used_is_a_warning_and_the_variables_are_read(tmp_path, caplog, kind):
    path = tmp_path / "properties"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "large":
        path.write_bytes(b"teamcity.build.id=1\n" + b"#" * LARGEST_FILE)
    run = jira_ci_read_pipeline({**RUN, "TEAMCITY_BUILD_PROPERTIES_FILE": f"{path}\0" if kind == "null" else str(path)})
    assert run.number == "42"
    assert "properties cannot be read" in caplog.text


def test_no_other_property_is_kept(tmp_path):
    path = tmp_path / "properties"
    path.write_text("teamcity.build.id=1\nteamcity.auth.password=s3cr3t\nenv.X=s3cr3t\nBUILD_URL=https://evil.example")
    run = jira_ci_read_pipeline({**RUN, "TEAMCITY_BUILD_PROPERTIES_FILE": str(path)})
    assert (run.number, run.url) == ("1", None)
    assert "s3cr3t" not in run.model_dump_json()
