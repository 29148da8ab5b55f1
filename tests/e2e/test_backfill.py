"""Many builds and deployments from a file: what a line may hold, in which order they arrive, and how a run is resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("in_process")

BUILD = {
    "number": 1,
    "state": "successful",
    "url": "https://ci.example/1",
    "last_updated": "2024-05-01T12:30:00+02:00",
    "issue_keys": ["MYT-1"],
    "pipeline": "acme/shop",
}
DEPLOYMENT = {**BUILD, "environment": "production"}

PLUGIN = """
import json
import threading

from jira_ci_core import Receipt, Result, hookimpl

{more}

@hookimpl
def jira_ci_deliver(reports):
    with open("delivered", "a") as file:
        file.write(json.dumps([threading.current_thread() is threading.main_thread(), len(reports)]) + chr(10))
    return Receipt.for_all(reports, Result.QUEUED)
"""


@pytest.fixture
def lines(step):
    """Writes the file: each line an object, or text as it is."""

    def write(*entries):
        texts = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
        (step.folder / "lines.jsonl").write_text("".join(f"{text}\n" for text in texts))

    return write


@pytest.fixture
def fill(harness_oauth, jira):
    """Runs a backfill of that file; returns how it ended, and the builds and deployments in Jira."""

    def run(*arguments, **keywords):
        done = harness_oauth.run("backfill", "lines.jsonl", *arguments, **keywords)
        return done, {(one["pipelineId"], one["buildNumber"]): one for one in jira.builds()}, jira.deployments()

    return run


@pytest.fixture
def queue(install, step, monkeypatch):
    """Installs a plugin that delivers, with these further lines in it."""

    def make(more):
        install("queue", PLUGIN.format(more=more))
        monkeypatch.syspath_prepend(step.environ["PYTHONPATH"])

    return make


def numbered(*numbers, **more):
    return [{**BUILD, "number": number, **more} for number in numbers]


def files(step):
    return sorted(path.name for path in step.folder.iterdir() if path.name.startswith("lines"))


def rejections(step):
    return [json.loads(line) for line in (step.folder / "lines.jsonl.rejected").read_text().splitlines()]


def bulk_calls(jira):
    return [call for call in jira.requests() if call["path"].endswith("/bulk")]


def test_builds_and_deployments_of_a_file_arrive(lines, fill, step):
    lines(*numbered(1, 2, 3), {**DEPLOYMENT, "number": 7, "description": "Pay by card"})
    done, builds, [deployment] = fill()
    assert done.code == 0, done.text
    assert "4 delivered, 0 rejected" in done.err
    assert set(builds) == {("acme/shop", number) for number in (1, 2, 3)}
    build = builds["acme/shop", 2]
    assert (build["displayName"], build["state"], build["url"]) == ("acme/shop #2", "successful", BUILD["url"])
    assert build["lastUpdated"].startswith("2024-05-01T10:30:00")
    assert deployment["environment"] == {"id": "production", "displayName": "production", "type": "production"}
    assert deployment["description"] == "Pay by card"
    assert files(step) == ["lines.jsonl"]


def test_a_line_may_say_everything_itself(lines, fill):
    whole = {
        "kind": "build",
        "number": 9,
        "sequence": 1714000000000,
        "name": "Nightly",
        "description": "All of it",
        "label": "v1",
        "url": "https://ci.example/9",
        "state": "FAILURE",
        "last_updated": 1714000000,
        "issue_keys": "MYT-1, myt-2",
        "tests": {"passed": 2, "failed": 0},
        "pipeline": {"id": "p", "name": "P", "url": "https://ci.example"},
        "references": [{"commit": "8a7b", "repository_url": "https://git.example/acme/shop"}],
    }
    lines(whole)
    done, builds, _ = fill()
    assert done.code == 0, done.text
    build = builds["p", 9]
    assert (build["displayName"], build["label"], build["state"]) == ("Nightly", "v1", "failed")
    assert (build["updateSequenceNumber"], build["issueKeys"]) == (1714000000000, ["MYT-1", "MYT-2"])


def test_a_deployment_may_be_of_services_commits_and_issue_ids(lines, fill, jira):
    jira.configure(projects=["MYT"], services=["b:shop", "b:web"])
    commit = {"hash": "8a7b", "repository_id": "7"}
    deployment = {**BUILD, "environment": "prod", "issue_keys": [10001, "MYT-2"], "commits": [commit]}
    alone = {name: value for name, value in deployment.items() if name not in ("issue_keys", "commits")}
    lines(deployment | {"repository_ids": "7"}, alone | {"environment": "qa", "service_ids": "b:shop,b:web"})
    done, _, deployments = fill()
    assert done.code == 0, done.text
    # Calls that are made at the same time may end in any order.
    assert sorted((one["associations"] for one in deployments), key=len, reverse=True) == [
        [
            {"associationType": "issueIdOrKeys", "values": ["10001", "MYT-2"]},
            {"associationType": "commit", "values": [{"commitHash": "8a7b", "repositoryId": "7"}]},
            {"associationType": "repository", "values": [{"repositoryId": "7"}]},
        ],
        [{"associationType": "serviceIdOrKeys", "values": ["b:shop", "b:web"]}],
    ]


def test_the_lines_of_the_docs_are_what_they_say(lines, fill):
    page = (Path(__file__).parents[2] / "docs" / "backfill.md").read_text()
    lines(*re.findall(r"^\{.*\}$", page, re.MULTILINE))
    done, builds, deployments = fill()
    assert (done.code, len(builds), len(deployments)) == (0, 1, 1), done.text


BAD = {
    "{": "it is not JSON",
    "[1]": "it is not a JSON object",
    json.dumps({**BUILD, "nmae": "x"}): "nmae: Extra inputs are not permitted",
    json.dumps({**BUILD, "number": -1}): "number: ",
    json.dumps({**BUILD, "kind": "release"}): "kind: it is neither build nor deployment",
    json.dumps({**BUILD, "state": "splendid"}): "state: Input should be 'pending'",
    json.dumps({**BUILD, "state": "rolled_back"}): "a build cannot be rolled_back",
    json.dumps({**BUILD, "issue_keys": ["nonsense"]}): "issue_keys.0: ",
    json.dumps({**BUILD, "issue_keys": []}): "issue_keys: ",
    json.dumps({**BUILD, "environment": "prod", "issue_keys": []}): "neither an issue key nor a service",
    json.dumps({**BUILD, "environment": "prod", "commits": ["8a7b"]}): "commits.0: ",
    json.dumps({**BUILD, "service_ids": ["b:shop"]}): "service_ids: Extra inputs are not permitted",
    json.dumps({**BUILD, "last_updated": "2024-05-01T12:30:00"}): "last_updated: Input should have timezone info",
    json.dumps({name: value for name, value in BUILD.items() if name != "url"}): "url: Field required",
    json.dumps({**BUILD, "environment": 7}): "environment: ",
    json.dumps({**BUILD, "pipeline": None}): "pipeline: ",
    json.dumps({**BUILD, "name": "x" * 2**20}): "it is longer than 1 MiB",
    json.dumps({**BUILD, "issue_keys": ["NOPE-1"]}): "Jira knows none of the issue keys",
}


def test_each_bad_line_is_shown_with_its_reason_and_does_not_affect_others(lines, fill, step):
    lines(*BAD, *numbered(100))
    done, builds, _ = fill()
    assert done.code == 1
    assert set(builds) == {("acme/shop", 100)}
    assert f"1 delivered, {len(BAD)} rejected; the rejected lines are in lines.jsonl.rejected" in done.err
    by_line = {entry["line"]: entry for entry in rejections(step)}
    for number, (text, reason) in enumerate(BAD.items(), start=1):
        assert reason in by_line[number]["reason"]
        if len(text) < 2**20:
            assert by_line[number]["text"] == text
        else:
            assert by_line[number]["text"] == f"{text[: 2**19 - 2]} …"
        assert f"rejected: line {number}: {by_line[number]['reason']}"[:100] in done.err
    assert files(step) == ["lines.jsonl", "lines.jsonl.rejected"]


def test_a_line_of_a_run_that_was_skipped_is_left_out_and_counted(lines, fill):
    lines({**BUILD, "state": "skipped"}, BUILD, {**DEPLOYMENT, "state": "NOT_RUN"})
    done, builds, deployments = fill()
    assert done.code == 0, done.text
    assert "1 delivered, 0 rejected, 2 left out, as they say that nothing happened" in done.err
    assert (len(builds), len(deployments)) == (1, 0)


def test_of_very_many_rejected_lines_the_first_are_shown_and_all_are_in_the_file(lines, fill, step):
    lines(*["no"] * 50)
    done, *_ = fill()
    assert (done.code, done.err.count("rejected: line"), len(rejections(step))) == (1, 20, 50)
    assert "and 30 more" in done.err


def test_one_call_takes_a_hundred_of_one_kind(lines, fill, jira):
    lines(*numbered(*range(250)), *[{**DEPLOYMENT, "number": number} for number in range(10)])
    done, builds, deployments = fill()
    assert (done.code, len(builds), len(deployments)) == (0, 250, 10)
    assert 3 <= len(bulk_calls(jira)) <= 2 * 4 + 2


def test_a_call_is_no_larger_than_half_a_megabyte_of_lines(lines, fill, jira):
    lines(*numbered(*range(30), name="x" * 100_000))
    done, builds, _ = fill()
    assert (done.code, len(builds)) == (0, 30)
    assert len(bulk_calls(jira)) >= 30 * 100_000 // (2**19 + 100_000)


@pytest.mark.parametrize("between", [0, 1, 3, 300])
def test_the_later_line_of_one_build_wins(lines, fill, between):
    entries = []
    for number in range(40):
        entries += numbered(number, state="in_progress") + numbered(*range(1000, 1000 + between), pipeline=f"p{number}")
        entries += numbered(number)
    lines(*entries[: 2 * 40 + 1000])
    done, builds, _ = fill()
    assert done.code == 0, done.text
    whole = entries[: 2 * 40 + 1000]
    last = {(entry["pipeline"], entry["number"]): entry["state"] for entry in whole}
    assert {place: build["state"] for place, build in builds.items()} == last


def test_a_sequence_of_its_own_keeps_what_is_newer_in_jira(lines, fill, harness_oauth):
    harness_oauth.report(PIPELINE="acme/shop", RUN_NUMBER=1, STATE="failed", STATE_POLICY="force")
    lines(*numbered(1, sequence=1))
    done, builds, _ = fill()
    assert (done.code, builds["acme/shop", 1]["state"]) == (0, "failed")


def test_a_rate_limit_slows_all_down_and_loses_nothing(lines, fill, jira):
    jira.fault("answer", status=429, headers={"Retry-After": "1"}, count=3)
    lines(*numbered(*range(400)))
    done, builds, _ = fill()
    assert (done.code, len(builds)) == (0, 400), done.text
    assert "the rate limit is used up; nothing more is sent for 1 s" in done.err


def test_a_rate_limit_beyond_the_deadline_is_waited_for(lines, fill, jira):
    jira.fault("answer", status=429, headers={"Retry-After": "1"})
    lines(*numbered(1))
    done, builds, _ = fill(DEADLINE=0.5)
    assert (done.code, len(builds)) == (0, 1), done.text


def test_what_fails_for_the_moment_is_tried_again(lines, fill, jira):
    jira.fault("answer", status=503, count=2)
    jira.fault("reset", count=1)
    lines(*numbered(*range(300)))
    done, builds, _ = fill()
    assert (done.code, len(builds)) == (0, 300), done.text


def test_it_ends_where_jira_takes_nothing_and_is_resumed_there(lines, fill, jira, step, failed):
    jira.fault("answer", match="bulk", status=403, every=3, count=1)
    lines("bad", *numbered(*range(1000)), "worse")
    done, builds, _ = fill()
    assert "the credential may not report this" in failed(done, 1).what
    assert "run the same command again to resume" in done.err
    assert len(builds) < 1000
    assert files(step) == ["lines.jsonl", "lines.jsonl.checkpoint", "lines.jsonl.rejected"]
    came_to = json.loads((step.folder / "lines.jsonl.checkpoint").read_text())["line"]
    jira.clear_faults()
    before = len(bulk_calls(jira))

    done, builds, _ = fill()
    assert (done.code, len(builds)) == (1, 1000)
    assert [entry["line"] for entry in rejections(step)] == [1, 1002]
    assert (f"since line {came_to}, where an earlier run stopped" in done.err) == (came_to > 0)
    assert len(bulk_calls(jira)) > before
    assert files(step) == ["lines.jsonl", "lines.jsonl.rejected"]


def test_no_line_is_sent_before_one_of_the_same_build_that_failed(lines, fill, jira):
    jira.fault("answer", status=403)
    lines(*numbered(1, state="in_progress"), *numbered(1))
    done, builds, _ = fill()
    assert (done.code, builds) == (1, {})


def test_a_checkpoint_is_for_its_own_file_and_site(lines, fill, jira, step, failed):
    jira.fault("answer", status=403, every=2)
    lines("bad", *numbered(*range(1000)))
    fill()
    checkpoint = step.folder / "lines.jsonl.checkpoint"
    assert checkpoint.exists()
    lines(*numbered(*range(7, 1000)))
    assert "it is of a file with other lines" in failed(fill()[0], 2).why
    checkpoint.write_text(checkpoint.read_text().replace("127.0.0.1", "127.0.0.9"))
    assert "it is of a run for 127.0.0.9" in failed(fill()[0], 2).why
    checkpoint.write_text("{")
    assert "damaged" in failed(fill()[0], 2).why
    checkpoint.unlink()
    assert fill()[0].code == 0


@pytest.mark.parametrize("where", ["lines.jsonl.rejected", "lines.jsonl.checkpoint.tmp"])
def test_a_file_that_cannot_be_written_is_an_error(lines, fill, step, failed, where):
    (step.folder / where).mkdir()
    lines(*numbered(1))
    assert where.removesuffix(".tmp") in failed(fill()[0], 1).what


def test_a_file_that_does_not_exist_is_an_error(fill, failed):
    assert failed(fill()[0], 2).what == "lines.jsonl cannot be read"


def test_without_a_credential_nothing_is_sent(lines, harness, jira, failed):
    lines(*numbered(1))
    assert "there are no credentials" in failed(harness.run("backfill", "lines.jsonl"), 2).what
    assert jira.requests() == []


def test_no_secret_gets_into_the_list_of_rejected_lines(lines, fill, step, jira, clean):
    lines({**BUILD, "nmae": jira.client_secret}, {**BUILD, "state": jira.client_secret})
    clean(fill()[0])
    assert len(rejections(step)) == 2
    assert jira.client_secret not in (step.folder / "lines.jsonl.rejected").read_text()


def test_the_delivery_of_a_plugin_is_called_in_the_main_thread_alone(lines, fill, queue, step):
    queue("")
    lines(*numbered(*range(250)))
    assert fill()[0].code == 0
    calls = [json.loads(line) for line in (step.folder / "delivered").read_text().splitlines()]
    assert calls == [[True, 100], [True, 100], [True, 50]]


def test_one_that_is_thread_safe_is_called_in_several_threads(lines, fill, queue, step):
    queue("THREAD_SAFE = True")
    lines(*numbered(*range(250)))
    assert fill()[0].code == 0
    calls = [json.loads(line) for line in (step.folder / "delivered").read_text().splitlines()]
    assert not any(is_main for is_main, _ in calls)
    assert sum(count for _, count in calls) == 250


class TestProcess:
    """Cases that need a process of their own."""

    @pytest.fixture
    def start(self, harness_oauth):
        """Starts a backfill of `lines.jsonl`, or of what is piped into it."""
        started = []

        def run(*arguments, stdin=subprocess.DEVNULL):
            command = [sys.executable, "-P", "-m", "jira_ci_core", "backfill", *arguments]
            kept = {"PATH": os.environ["PATH"], **harness_oauth.variables({}, {})}
            process = subprocess.Popen(
                command,
                cwd=harness_oauth.folder,
                env=kept,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            started.append(process)
            return process

        yield run
        for process in started:
            process.kill()
            process.communicate()

    def test_standard_input_is_read_to_its_end(self, start, jira, lines, step):
        lines(*numbered(*range(150)), "bad")
        with (step.folder / "lines.jsonl").open() as stdin:
            process = start("-", stdin=stdin)
            out, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert b"150 delivered, 1 rejected; the rejected lines are in backfill.rejected" in out
        assert len(jira.builds()) == 150

    @pytest.mark.parametrize(("how", "piped"), [(signal.SIGKILL, True), (signal.SIGINT, False)])
    def test_one_that_is_interrupted_is_resumed_and_loses_nothing(self, start, jira, lines, step, how, piped):
        # Half the builds arrive, then Jira does not answer any more.
        jira.fault("slow", seconds=3600, every=10, count=100)
        lines("bad", *numbered(*range(3000)))
        arguments = ("-", "--checkpoint", "where", "--rejected", "bad") if piped else ("lines.jsonl",)
        checkpoint = step.folder / ("where" if piped else "lines.jsonl.checkpoint")

        def run():
            with (step.folder / "lines.jsonl").open() as stdin:
                return start(*arguments, stdin=stdin if piped else subprocess.DEVNULL)

        process = run()
        until = time.monotonic() + 60
        while not (checkpoint.exists() and len(jira.builds()) > 500):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        jira.clear_faults()
        process.send_signal(how)
        out, _ = process.communicate(timeout=15)
        assert (b"progress is saved in" in out) == (how == signal.SIGINT), out
        came_to = json.loads(checkpoint.read_text())["line"]

        process = run()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 1, out
        assert f"since line {came_to:,}, where an earlier run stopped, which rejected 1 before".encode() in out
        assert {one["buildNumber"] for one in jira.builds()} == set(range(3000))
        rejected = step.folder / ("bad" if piped else "lines.jsonl.rejected")
        assert [json.loads(line)["line"] for line in rejected.read_text().splitlines()] == [1]
        assert not checkpoint.exists()
