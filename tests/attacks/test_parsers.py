"""Files and answers that strangers write: any bytes at all end a step in words, soon, and in little memory.

`tests/faults/test_fuzz.py` looks for bytes that end it otherwise; here are those that are large, deep or long.
"""

from __future__ import annotations

import pytest

from jira_ci_delivery_celery.message import RefusedMessageError, verify

from ..conftest import inherited

MIB = 1 << 20
LIMITS = {"DATA": 256 * MIB, "CPU": 10}


@pytest.fixture
def limited(step, fork_server):
    """Runs `jira-ci` with at most 256 MiB of memory and ten seconds of a processor."""
    if fork_server is None:
        pytest.skip("the limits need Linux")

    def run(*arguments, **environ):
        least = {
            "PLUGIN_PROJECT": "MYT",
            "PLUGIN_INSTANCE": "acme",
            "PLUGIN_ISSUEKEYS": "MYT-1",
            "PLUGIN_STATE": "failed",
        }
        least |= {"PLUGIN_RUN_NUMBER": "7", "PLUGIN_LINK": "https://ci.example", "PLUGIN_PIPELINE": "x"}
        variables = {**inherited(), **step.variables(least, {}), **environ}
        process = fork_server.run(arguments, folder=step.folder, environ=variables, timeout=60, limits=LIMITS)
        done = step.result(process.returncode, process.stdout.decode(), process.stderr.decode())
        assert done.code in (0, 1, 2, 3), done
        assert "Traceback" not in done.text
        assert "itself failed" not in done.err
        assert len(done.err) < 64 * 1024
        return done

    return run


DEEP = 100_000
HOSTILE_JSON = {
    "deep": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "a long number": b"[" + b"9" * 5_000_000 + b"]",
    "a long text": b'"' + b"a" * (20 * MIB) + b'"',
    "not a number": b'{"a": NaN, "b": Infinity}',
    "half a character": b'{"a": "\\ud800"}',
    "many keys": b"{" + b",".join(b'"k%d": 1' % number for number in range(200_000)) + b"}",
    "zeros": bytes(5 * MIB),
    "no UTF-8": b"\xff\xfe" * 1000,
    "nothing": b"",
}
json_files = pytest.mark.parametrize("content", HOSTILE_JSON.values(), ids=HOSTILE_JSON)


@json_files
def test_an_event_file(limited, step, content):
    event = step.folder / "event.json"
    event.write_bytes(content)
    limited("report", "--dry-run", GITHUB_ACTIONS="true", GITHUB_EVENT_PATH=str(event))


def test_an_event_file_that_has_no_end(limited):
    done = limited("report", "--dry-run", GITHUB_ACTIONS="true", GITHUB_EVENT_PATH="/dev/zero")
    assert "GITHUB_EVENT_PATH" in done.err


@json_files
def test_a_file_in_the_outbox(limited, step, content):
    outbox = step.folder / "outbox"
    outbox.mkdir()
    (outbox / "00000000-0000-4000-8000-000000000000.json").write_bytes(content)
    done = limited("outbox", "list", "--outbox", "outbox")
    assert "00000000" in done.err


@json_files
def test_a_message_in_the_queue(content):
    with pytest.raises(RefusedMessageError):
        verify(content, [b"a key of at least 16 bytes"])


TOML = {
    "a dotted key": b"a" + b".a" * 30_000 + b" = 1",
    "a dotted table": b"[a" + b".a" * 30_000 + b"]",
    "deep lists": b"a = " + b"[" * 60_000,
    "deep tables": b"a = " + b"{a = " * 12_000,
    "many names": b"\n".join(b"name-%d = 1" % number for number in range(4_000)),
    "a long text": b'label = "' + b"a" * 60_000 + b'"',
    "a long number": b"label = " + b"9" * 60_000,
    "large": b"# " + b"a" * (20 * MIB),
    "zeros": bytes(60_000),
    "no UTF-8": b"\xff\xfe" * 1000,
    "nothing": b"",
}


@pytest.mark.parametrize("name", ["jira-ci.toml", "pyproject.toml"])
@pytest.mark.parametrize("content", TOML.values(), ids=TOML)
def test_the_projects_own_file(limited, step, name, content):
    (step.folder / name).write_bytes((b"[tool.jira-ci]\n" if name == "pyproject.toml" else b"") + content)
    limited("report", "--dry-run")


XML = {
    "deep": b"<testsuite>" * DEEP,
    "entities": b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1000 + b'">]><testsuite>' + b"&a;" * 1000 + b"</testsuite>",
    "a long attribute": b'<testsuite name="' + b"a" * (20 * MIB) + b'"/>',
    "many attributes": b"<testsuite " + b" ".join(b'a%d="1"' % number for number in range(100_000)) + b"/>",
    "a long comment": b"<testsuite><!--" + b"a" * (50 * MIB) + b"--></testsuite>",
    "many tests": b"<testsuite>" + b"<testcase/>" * 600_000 + b"</testsuite>",
    "many files": None,
    "a long number": b'<testsuite tests="' + b"9" * 1_000_000 + b'"/>',
    "zeros": bytes(5 * MIB),
    "nothing": b"",
}


@pytest.mark.parametrize("content", XML.values(), ids=XML)
def test_test_results(limited, step, content):
    if content is None:
        for number in range(3000):
            (step.folder / f"{number}.xml").write_bytes(b"<testsuite><testcase/></testsuite>")
    else:
        (step.folder / "junit.xml").write_bytes(content)
    limited("report", "--dry-run", PLUGIN_TEST_RESULTS="*.xml")
