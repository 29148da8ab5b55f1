"""A step in a fork is the same as one in a process that was started."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the fork server needs Linux")

FACTS = """
import json, os, signal, sys

facts = {
    "environ": {name: value for name, value in os.environ.items() if name != "MARK"},
    "folder": os.getcwd(),
    "streams": [os.readlink(f"/proc/self/fd/{number}").partition(":")[0] for number in range(3)],
    "files": sorted(os.listdir("/proc/self/fd")),
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE)],
    "group": os.getpgrp(),
    "mask": os.umask(0),
    "arguments": sys.argv,
    "flags": str(sys.flags),
    "encodings": [(file.encoding, file.errors, file.line_buffering) for file in (sys.stdin, sys.stdout, sys.stderr)],
    "path": sys.path,
    "main": sys.modules["__main__"].__spec__.name,
    "added": __import__("added").HERE,
}
with open("facts-" + os.environ["MARK"], "w") as file:
    json.dump(facts, file)
"""
SETTINGS = {
    **{"PROJECT": "MYT", "INSTANCE": "acme", "ISSUEKEYS": "MYT-1", "PIPELINE": "shop", "RUN_NUMBER": "7"},
    **{"LINK": "https://ci.example", "STATE": "successful", "LOCAL_PLUGINS": "mine.py"},
}


@pytest.fixture
def steps(step, started_step):
    """The same step, forked and started."""
    return step, started_step


@pytest.fixture
def run(steps):
    """Runs `jira-ci` with a plugin in both ways, and answers the two results."""

    def run_both(code="", *arguments, environ=None, **settings):
        (steps[0].folder / "mine.py").write_text(code)
        return [
            step.run(*arguments, environ={**(environ or {}), "MARK": mark}, **{**SETTINGS, **settings})
            for step, mark in zip(steps, ("forked", "started"), strict=True)
        ]

    return run_both


def test_it_has_the_same_arguments_environment_folder_streams_and_signals(run, step, tmp_path):
    (tmp_path / "added.py").write_text("HERE = True")
    environ = {"PYTHONPATH": str(tmp_path), "ODD": "\udcff", "LONG": "x" * 100_000}
    forked, started = run(FACTS, "report", "--dry-run", "--format=json", environ=environ)
    assert forked.code == started.code == 0, forked.text
    facts = [json.loads((step.folder / f"facts-{mark}").read_text()) for mark in ("forked", "started")]
    assert facts[0] == facts[1]
    assert facts[0]["environ"].items() >= environ.items()
    assert facts[0]["arguments"][1:] == ["report", "--dry-run", "--format=json"]
    assert forked.json["keys"] == started.json["keys"]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("", ["--version"]),
        ("", ["report", "--no-such-flag"]),
        ("", ["report", "--dry-run", "--state=splendid"]),
        ("1 / 0", ["report", "--dry-run"]),
        ("raise SystemExit(7)", ["report", "--dry-run"]),
        ("import os; os._exit(7)", ["report", "--dry-run"]),
        ("import os; os.kill(os.getpid(), 9)", ["report", "--dry-run"]),
        ("import signal; signal.raise_signal(2)", ["report", "--dry-run"]),
        ("import atexit; atexit.register(print, 'the end')\n1 / 0", ["report", "--dry-run"]),
    ],
)
def test_it_ends_the_same_way(run, code, arguments):
    forked, started = run(code, *arguments)
    assert forked == started


def test_where_python_reads_the_environment_it_is_started(run):
    code = "import sys; print(sys.flags.optimize, sys.flags.utf8_mode)\n1 / 0"
    forked, started = run(code, "report", "--dry-run", environ={"PYTHONOPTIMIZE": "2", "PYTHONUTF8": "1"})
    assert forked == started
    assert "2 1" in forked.text


def test_where_another_module_would_have_been_imported_it_is_started(run, tmp_path):
    (tmp_path / "click.py").write_text("raise ImportError('none here')")
    forked, started = run("", "plugins", environ={"PYTHONPATH": str(tmp_path)})
    assert forked == started
    assert "none here" in forked.text


def test_several_run_at_a_time_and_each_has_its_own_output(step):
    def report(number):
        settings = {**SETTINGS, "ISSUEKEYS": f"MYT-{number}", "LOCAL_PLUGINS": None}
        return step.report("--dry-run", "--format=json", **settings).json["keys"][0]["key"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(report, range(1, 17))) == [f"MYT-{number}" for number in range(1, 17)]


def test_one_that_takes_too_long_is_killed(fork_server, step):
    (step.folder / "mine.py").write_text("import time; time.sleep(60)")
    environ = {"PATH": os.environ["PATH"], **step.variables(None, SETTINGS)}
    with pytest.raises(subprocess.TimeoutExpired):
        fork_server.run(["report"], folder=step.folder, environ=environ, timeout=0.5)
    server = fork_server._process.pid
    end = time.monotonic() + 10
    while Path(f"/proc/{server}/task/{server}/children").read_text():
        assert time.monotonic() < end
    assert step.run("--version").code == 0
