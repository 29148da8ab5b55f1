"""Steps that are killed at any moment (`kill -9`): no report is lost, and no file is taken for whole that is not.

`tox -e crash` runs them, with these numbers of runs.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jira_ci_core.delivery.outbox import Entry, Outbox

from ..conftest import inherited

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]

REPORTS = int(os.environ.get("JIRA_CI_TEST_REPORTS", "500"))
BACKFILLS = int(os.environ.get("JIRA_CI_TEST_BACKFILLS", "100"))
AT_A_TIME = 2
# With an even spread, few kills would hit what comes after the libraries are loaded.
SHARE_OF_EARLY_KILLS = 0.2


def start(step, *arguments, **settings):
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "jira_ci_core", *arguments],
        cwd=step.folder,
        env={**inherited(), **step.variables(None, settings)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def whole_run(step, *arguments, **settings):
    """How many seconds a run takes that is not killed."""
    begun = time.monotonic()
    with start(step, *arguments, **settings) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    return time.monotonic() - begun


def killed(process, seconds):
    """Kill a process after so many seconds, unless it has ended; its exit code and what it said."""
    with process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        _, err = process.communicate(timeout=60)
    return process.returncode, err.decode()


def moments(seconds, count) -> Iterator[float]:
    """When to kill each run: mostly in the second half of its time, where it writes and sends."""
    chance = random.Random(6)
    for _ in range(count):
        early = chance.random() < SHARE_OF_EARLY_KILLS
        yield seconds * (chance.uniform(0, 0.5) if early else chance.uniform(0.5, 1.2))


def test_reports_are_in_jira_or_in_the_outbox(harness_oauth, jira, tmp_path, capsys):
    folder = tmp_path / "outbox"
    settings = {"outbox": folder, "on_failure": "keep", "deadline": 5}
    seconds = max(whole_run(harness_oauth, "report", run_number=number, **settings) for number in range(3)) * 1.2
    # Some have to send twice, and some get no answer that they understand.
    jira.fault("answer", status=503, every=7, count=10**6)
    jira.fault("answer", status=403, every=5, count=10**6)
    jira.fault("lost", every=3, count=10**6)

    def report(number, moment):
        return number, *killed(start(harness_oauth, "report", run_number=number, **settings), moment)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        ended = list(pool.map(report, range(1000, 1000 + REPORTS), moments(seconds, REPORTS)))
    for _, code, err in ended:
        assert code in (0, -9), err
    in_jira = {build["buildNumber"] for build in jira.builds()}
    files = list(Outbox(folder).read())
    kept = {file.report.entity.number for file in files if isinstance(file, Entry)}
    unfinished = [file.path.name for file in files if not isinstance(file, Entry)]
    assert all(name.endswith(".tmp") for name in unfinished), "a report is whole before it has its name"
    ended_well = {number for number, code, _ in ended if code == 0}
    assert ended_well <= in_jira | kept
    # A call that was cut off by the kill has no body.
    bodies = [call["body"] for call in jira.requests("/bulk") if call["body"]]
    sent = {build["buildNumber"] for body in bodies for build in body["builds"]}
    assert sent <= in_jira | kept, "it is in the outbox before it is sent, and until Jira has answered"
    for name in unfinished:
        assert harness_oauth.run("outbox", "drop", name, outbox=folder).code == 0
    jira.clear_faults()
    done = harness_oauth.run("outbox", "flush", outbox=folder)
    assert done.code == 0, done.text
    assert {build["buildNumber"] for build in jira.builds()} == in_jira | kept
    assert list(folder.iterdir()) == []
    with capsys.disabled():
        count = sum(code == -9 for _, code, _ in ended)
        print(f"\n{REPORTS} reports, {count} killed: {len(kept)} kept, {len(unfinished)} not written whole")


LINES = 800


def lines(folder, number):
    """A new file for a backfill: its name, and the builds in it."""
    numbers = range(number * LINES, (number + 1) * LINES)
    build = {"state": "successful", "last_updated": 1714000000, "issue_keys": ["MYT-1"], "pipeline": "acme/shop"}
    texts = [json.dumps({**build, "number": one, "url": f"https://ci.example/{one}"}) for one in numbers]
    (folder / f"{number}.jsonl").write_text("".join(f"{text}\n" for text in texts))
    return f"{number}.jsonl", set(numbers)


def test_a_backfill_goes_on_where_it_was_killed(harness_oauth, jira, capsys):
    jira.fault("answer", status=503, every=5, count=10**6)
    jira.fault("lost", every=4, count=10**6)
    name, expected = lines(harness_oauth.folder, 0)
    seconds = whole_run(harness_oauth, "backfill", name)
    number, codes = 1, []
    name, numbers = lines(harness_oauth.folder, number)
    for moment in moments(seconds, BACKFILLS):
        code, err = killed(start(harness_oauth, "backfill", name), moment)
        assert code in (0, -9), err
        codes.append(code)
        if code == 0:
            expected |= numbers
            number += 1
            name, numbers = lines(harness_oauth.folder, number)
    jira.clear_faults()
    whole_run(harness_oauth, "backfill", name)
    # One that had ended by itself was not run again.
    assert {build["buildNumber"] for build in jira.builds()} == expected | numbers
    assert {path.suffix for path in harness_oauth.folder.iterdir()} == {".jsonl"}, "no checkpoint and no rejections"
    with capsys.disabled():
        print(f"\n{BACKFILLS} backfills of {number} files, {codes.count(-9)} killed")
