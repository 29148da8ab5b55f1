"""Reports through real brokers: each is accepted, or a dead letter with its reason, whatever dies on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from jira_ci_core import Result, Site, State
from jira_ci_delivery_celery.message import sign


def is_json(line):
    return line.startswith("{")


def test_a_step_without_credentials_queues_its_report_and_a_worker_delivers_it(queue, harness):
    done = harness("--format=json", environ=queue.environ, DELIVERY="celery")
    assert done.code == 0, done.text
    assert [one["result"] for one in done.json["outcomes"]] == ["queued"]
    assert queue.builds() == {}
    queue.worker()
    assert queue.wait_for_builds(1) == {42: "successful"}


def test_many_reports_share_a_call_and_a_superseded_one_is_not_sent(queue):
    reports = [queue.report(number, state=State.PENDING) for number in range(40)]
    reports += [queue.report(number, state=State.SUCCESSFUL, sequence=2) for number in range(40)]
    receipt = queue.publish(*reports)
    assert {outcome.result for outcome in receipt.outcomes} == {Result.QUEUED}
    queue.worker()
    assert set(queue.wait_for_builds(40).values()) == {"successful"}
    assert len(queue.jira.updates()) == 40
    assert len(queue.bulk_calls()) == 1
    assert json.loads(queue.command("status", "--format=json").stdout)["reports"] == 0


def test_poisoned_forged_and_oversized_messages_are_dead_letters_and_stop_nobody(queue, queue_key):
    good = queue.report(1)
    forged = sign(queue.report(2), b"not the key of this queue", time.time())
    content = json.loads(sign(queue.report(3), queue_key, time.time()))
    later = json.dumps({**content, "version": 2})
    changed = json.dumps({**content, "report": {**content["report"], "properties": {"a": "b"}}})
    elsewhere = sign(good.model_copy(update={"site": Site(url="https://other.example")}), queue_key, time.time())
    for body in (
        "no JSON",
        b"\x80\x04\x95 a pickle",
        "[]",
        "[" * 100_000,
        forged,
        later,
        changed,
        "x" * 300_000,
        elsewhere,
    ):
        queue.put_body(body)
    with queue.broker() as broker:
        broker.publish(
            broker.names.reports, sign(queue.report(4), queue_key, time.time()), {"attempts": "many", "due": []}
        )
        broker._producer.publish(
            b"x", exchange="", routing_key=broker.names.reports, headers={"compression": "no such"}
        )
    queue.publish(good)
    queue.worker()
    assert queue.wait_for_builds(2) == {1: "successful", 4: "successful"}
    reasons = sorted(reason.partition(":")[0] for reason in queue.dead().values())
    assert reasons == [
        *["forged"] * 2, "no worker here is configured for other.example", "oversized", "unknown version", *["unreadable"] * 5
    ]  # fmt: skip
    assert "Traceback" not in queue.log


def test_a_report_that_jira_refuses_is_a_dead_letter_that_can_be_retried_or_dropped(queue, wait_until):
    queue.publish(queue.report(1), queue.report(2, key="NONE-1"), queue.report(3, key="NONE-2"))
    queue.worker()
    wait_until(lambda: len(queue.dead()) == 2, "two dead letters")
    assert queue.builds() == {1: "successful"}
    assert all("Jira knows none of the issue keys" in reason for reason in queue.dead().values())
    first, second = queue.dead()
    assert first in queue.command("status").stdout
    assert queue.command("drop", first).stdout == "dropped 1\n"
    queue.jira.configure(projects=["MYT", "NONE"])
    assert queue.command("retry", second).stdout == "put back 1\n"
    assert len(queue.wait_for_builds(2)) == 2
    assert queue.dead() == {}


def test_a_worker_that_is_killed_in_the_middle_of_a_call_loses_nothing(queue, wait_until):
    queue.jira.fault("answer", status=503, seconds=4, count=1)
    queue.publish(*[queue.report(number) for number in range(20)])
    worker = queue.worker()
    wait_until(lambda: queue.jira.faults() == [], "a bulk call")
    queue.kill(worker)
    assert queue.builds() == {}
    queue.publish(*[queue.report(number, state=State.FAILED, sequence=2) for number in range(0, 20, 2)])
    queue.worker()
    wait_until(
        lambda: queue.builds() == {number: "successful" if number % 2 else "failed" for number in range(20)},
        "every report in Jira, the newer ones over the older ones",
    )
    wait_until(lambda: queue.left() == 0, "an empty queue")
    assert queue.dead() == {}


def test_what_a_broker_has_confirmed_is_there_after_a_restart(queue):
    queue.publish(*[queue.report(number) for number in range(20)])
    queue.server.stop()
    assert queue.server.processes == []
    queue.server.start()
    queue.worker()
    assert len(queue.wait_for_builds(20)) == 20


def test_a_worker_outlives_a_restart_of_its_broker(queue):
    queue.worker()
    queue.publish(queue.report(1))
    queue.wait_for_builds(1)
    queue.server.stop()
    queue.server.start()
    queue.publish(queue.report(2))
    assert len(queue.wait_for_builds(2)) == 2


def test_jira_is_down_for_longer_than_every_try_and_then_up(make_queue, wait_until):
    queue = make_queue(QUEUE_GIVE_UP=3)
    queue.jira.fault("answer", status=503, count=2**30)
    queue.publish(*[queue.report(number) for number in range(5)])
    queue.worker()
    wait_until(lambda: len(queue.dead()) == 5, "dead letters")
    assert all("given up after" in reason and "503" in reason for reason in queue.dead().values())
    queue.publish(queue.report(2, state=State.FAILED, sequence=2))
    queue.jira.clear_faults()

    def put_back():
        queue.command("retry", "--all")
        queue.command("retry", "--waiting")
        return len(queue.builds()) == 5 and queue.builds()[2] == "failed"

    wait_until(put_back, "every report in Jira, the newer one over the older one")
    wait_until(lambda: queue.left() == 0, "an empty queue")
    assert queue.dead() == {}


def test_what_waits_is_listed_with_its_reason_and_can_be_tried_before_its_time(make_queue, wait_until):
    queue = make_queue(QUEUE_BACKOFF="1,3600")  # the site is paused as long as the first
    queue.jira.fault("answer", status=503, count=2**30)
    queue.publish(queue.report(1))
    queue.worker()

    def waiting():
        found = json.loads(queue.command("status", "--format=json").stdout)["waiting"]
        return [one for one in found if one["wait"] == 3600]

    [one] = wait_until(waiting, "a report that waits for its second try")
    assert one["count"] == 1
    assert "503" in one["reason"]
    assert 3000 < one["next"] - time.time() <= 3600
    assert "waiting 3600 s: 1, the next one until 2" in queue.command("status").stdout
    queue.jira.clear_faults()

    def put_back():
        queue.command("retry", "--waiting")
        return queue.builds()

    assert wait_until(put_back, "the report in Jira") == {1: "successful"}


def test_a_limit_that_jira_sets_slows_everyone(queue, wait_until):
    queue.jira.fault("answer", status=429, headers={"Retry-After": "2"}, count=1)
    queue.publish(queue.report(1))
    queue.worker()
    wait_until(lambda: len(queue.bulk_calls()) == 1, "a call")
    queue.publish(queue.report(2))
    assert len(queue.wait_for_builds(2)) == 2
    refused, *others = queue.bulk_calls()
    assert refused["status"] == 429
    assert {call["status"] for call in others} == {202}


def test_without_a_worker_health_fails_and_with_one_it_does_not(queue, wait_until):
    assert queue.command("health").returncode == 1
    queue.worker()
    wait_until(lambda: queue.command("health").returncode == 0, "a worker that answers")


def test_two_workers_keep_to_one_limit(servers, make_queue):
    # RabbitMQ has no counters to share: there, the limit is Redis's as well.
    queue = make_queue(QUEUE_RATE="3/second", QUEUE_BATCH=2, QUEUE_LIMITER=servers("redis").url)
    # In 5 seconds there are 18 calls at the most, and each of the four processes signs in with two. Were the limit not
    # shared, all 30 would come at once.
    queue.jira.configure(rate_limit=18 + 8, rate_period=5.0)
    queue.publish(*[queue.report(number) for number in range(60)])
    queue.worker()
    queue.worker()
    assert len(queue.wait_for_builds(60)) == 60
    calls = queue.bulk_calls()
    assert {call["status"] for call in calls} == {202}
    assert 30 <= len(calls) < 40, "as few as there can be, but for those that a worker found alone"


def test_prometheus_is_told_what_became_of_the_reports(make_queue, wait_until, free_port):
    queue = make_queue(QUEUE_METRICS=f"127.0.0.1:{free_port}", QUEUE_LOG="json")
    queue.worker()
    queue.publish(queue.report(1), queue.report(2, key="NONE-1"))
    queue.wait_for_builds(1)

    def told():
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
            text = answer.read().decode()
        return text if 'result="dead"} 1.0' in text else ""

    text = wait_until(told, "the figures")
    for line in (
        'jira_ci_queue_reports_total{result="accepted"} 1.0',
        'jira_ci_queue_reports_total{result="rejected"} 1.0',
        "jira_ci_queue_calls_total 1.0",
        "jira_ci_queue_unknown_keys_total 1.0",
        "jira_ci_queue_acceptance_seconds_count 1.0",
    ):
        assert line in text
    assert any(line.get("reports") == 2 for line in map(json.loads, filter(is_json, queue.log.splitlines())))


def test_several_sites_share_a_queue_and_celery_itself_can_run_the_worker(queue):
    """`celery -A`, with a file of settings for each site."""
    file = queue.folder / "site.toml"
    site = {name.removeprefix("JIRA_CI_").lower().replace("_", "-"): value for name, value in queue.site.items()}
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in site.items()))
    other = queue.folder / "other.toml"
    other.write_text(file.read_text().replace(f'instance = "{queue.jira.url}"', 'instance = "other"'))
    queue.environ["JIRA_CI_QUEUE_SITES"] = f"{other},{file}"
    queue.publish(queue.report(1))
    queue.start([sys.executable, "-m", "celery", "-A", "jira_ci_delivery_celery.app", "worker", "-n", "own@localhost"])
    assert queue.wait_for_builds(1) == {1: "successful"}


def test_a_worker_without_credentials_says_so_before_the_first_message(queue):
    worker = queue.start([sys.executable, "-m", "jira_ci_core", "worker", "-n", "none@localhost"])
    assert worker.wait(60) != 0
    assert "why:" in queue.log
    assert "Traceback" not in queue.log


def test_the_example_runs_as_it_is_written(servers, tmp_path):
    """`examples/queue/plain.sh`: two workers, and a local Jira that they reach over TLS."""
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "JIRA_CI_BROKER_URL": servers("redis").url,
        "JIRA_CI_QUEUE_NAME": "example",
    }
    script = Path(__file__).parents[2] / "examples" / "queue" / "plain.sh"
    done = subprocess.run(["sh", str(script)], env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert '"state": "successful"' in done.stdout + done.stderr
    assert "dead letters: 0" in done.stdout
    assert list(tmp_path.iterdir()) == []
