"""Reports through real brokers: each is accepted or becomes a dead letter with its reason, whichever process dies."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jira_ci_core import Result, Site, State, read_settings
from jira_ci_delivery_celery.broker import open_broker
from jira_ci_delivery_celery.message import sign
from jira_ci_delivery_celery.options import Options


def is_json(line):
    return line.startswith("{")


def test_a_step_without_credentials_queues_its_report_and_a_worker_delivers_it(queue, harness):
    done = harness("--format=json", environ=queue.environ, DELIVERY="celery")
    assert done.code == 0, done.text
    assert [one["result"] for one in done.json["outcomes"]] == ["queued"]
    assert queue.builds() == {}
    queue.start_worker()
    assert queue.wait_for_builds(1) == {42: "successful"}


def test_many_reports_share_a_call_and_a_superseded_one_is_not_sent(make_queue):
    queue = make_queue(QUEUE_WINDOW="2")
    reports = [queue.report(number, state=State.PENDING) for number in range(40)]
    reports += [queue.report(number, state=State.SUCCESSFUL, sequence=2) for number in range(40)]
    receipt = queue.publish(*reports)
    assert {outcome.result for outcome in receipt.outcomes} == {Result.QUEUED}
    queue.start_worker()
    assert set(queue.wait_for_builds(40).values()) == {"successful"}
    assert len(queue.jira.updates()) == 40
    assert len(queue.bulk_calls()) == 1
    assert json.loads(queue.command("status", "--format=json").stdout)["reports"] == 0


def test_poisoned_forged_and_oversized_messages_are_dead_letters_and_stop_no_worker(queue, queue_key):
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
        queue.publish_body(body)
    with queue.broker() as broker:
        broker.publish(
            broker.names.reports, sign(queue.report(4), queue_key, time.time()), {"attempts": "many", "due": []}
        )
        broker._producer.publish(
            b"x", exchange="", routing_key=broker.names.reports, headers={"compression": "no such"}
        )
    queue.publish(good)
    queue.start_worker()
    assert queue.wait_for_builds(2) == {1: "successful", 4: "successful"}
    reasons = sorted(reason.partition(":")[0] for reason in queue.dead_letters().values())
    assert reasons == [
        *["forged"] * 2, "no worker here is configured for other.example", "oversized", "unknown version", *["unreadable"] * 5
    ]  # fmt: skip
    assert "Traceback" not in queue.log


def test_a_report_that_jira_refuses_is_a_dead_letter_that_can_be_retried_or_dropped(queue, wait_until):
    queue.publish(queue.report(1), queue.report(2, key="NONE-1"), queue.report(3, key="NONE-2"))
    queue.start_worker()
    wait_until(lambda: len(queue.dead_letters()) == 2, "two dead letters")
    assert queue.builds() == {1: "successful"}
    assert all("Jira knows none of the issue keys" in reason for reason in queue.dead_letters().values())
    first, second = queue.dead_letters()
    assert first in queue.command("status").stdout
    assert queue.command("drop", first).stdout == "dropped 1\n"
    queue.jira.configure(projects=["MYT", "NONE"])
    assert queue.command("retry", second).stdout == "put back 1\n"
    assert len(queue.wait_for_builds(2)) == 2
    assert queue.dead_letters() == {}


def test_a_report_that_jira_fails_at_keeps_no_other_waiting(make_queue, listen, wait_until):
    queue = make_queue(QUEUE_WINDOW="1", QUEUE_BACKOFF="60")
    jira = queue.jira.url

    def answer(received):
        if b'"shop #7"' in received.body:
            return 500, {}, b"Internal Server Error"
        kept = {name: value for name, value in received.headers.items() if name.lower() != "host"}
        request = urllib.request.Request(jira + received.target, received.body or None, kept, method=received.method)
        with urllib.request.urlopen(request) as reply:
            return reply.status, {"Content-Type": reply.headers["Content-Type"]}, reply.read()

    queue.publish(*[queue.report(number) for number in range(40)])
    queue.start_worker(concurrency=1, more={"JIRA_CI_API_URL": listen(answer).url})
    assert set(queue.wait_for_builds(39)) == {*range(40)} - {7}
    queue.publish(queue.report(40))
    queue.wait_for_builds(40)
    wait_until(lambda: "Jira fails at build 7 of shop" in queue.command("status").stdout, "a report that waits")
    assert queue.dead_letters() == {}
    assert "is paused" not in queue.log.partition("Jira fails at build 7")[0]


def test_worker_that_is_killed_during_a_call_loses_nothing(queue, wait_until):
    queue.jira.fault("answer", status=503, seconds=4, count=1)
    queue.publish(*[queue.report(number) for number in range(20)])
    worker = queue.start_worker()
    wait_until(lambda: queue.jira.faults() == [], "a bulk call")
    queue.kill(worker)
    assert queue.builds() == {}
    queue.publish(*[queue.report(number, state=State.FAILED, sequence=2) for number in range(0, 20, 2)])
    queue.start_worker()
    wait_until(
        lambda: queue.builds() == {number: "successful" if number % 2 else "failed" for number in range(20)},
        "every report in Jira, the newer ones over the older ones",
    )
    wait_until(lambda: queue.remaining() == 0, "an empty queue")
    assert queue.dead_letters() == {}


@contextlib.contextmanager
def cut_after(port, *words):
    """A server in front of a Redis, which cuts a connection after a command that holds all these words."""

    class Caller(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("127.0.0.1", port)) as target:
                while command := self.request.recv(2**16):
                    target.sendall(command)
                    answer = target.recv(2**16)
                    if all(word in command for word in words):
                        return
                    self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Caller) as front:
        threading.Thread(target=front.serve_forever, args=(0.01,)).start()
        yield front.server_address[1]
        front.shutdown()


def test_redis_gives_no_message_that_it_has_not_recorded_as_taken(make_queue, server, wait_until):
    """A worker that is killed right after it has asked for one."""
    if "redis" not in server.program:
        pytest.skip("only on redis")
    queue = make_queue(QUEUE_VISIBILITY="1")
    queue.publish(queue.report(1))
    name = f"{queue.environ['JIRA_CI_QUEUE_NAME']}.reports"
    with cut_after(server.port, b"RPOP", name.encode()) as front:
        environ = queue.environ | {"JIRA_CI_BROKER_URL": server.url.replace(str(server.port), str(front))}
        options = read_settings(Options, "celery", environ)
        with pytest.raises((OperationalError, RedisError)), open_broker(options) as broker:
            broker.get(name)

    def comes_back():
        with queue.broker() as broker:
            broker.restore_unacked()
            return broker.count(name) == 1

    assert wait_until(comes_back, "the message in its queue")


def test_confirmed_messages_survive_a_restart_of_the_broker(queue):
    queue.publish(*[queue.report(number) for number in range(20)])
    queue.server.stop()
    assert queue.server.processes == []
    queue.server.start()
    queue.start_worker()
    assert len(queue.wait_for_builds(20)) == 20


def test_worker_reconnects_after_a_restart_of_the_broker(queue):
    queue.start_worker()
    queue.publish(queue.report(1))
    queue.wait_for_builds(1)
    queue.server.stop()
    queue.server.start()
    queue.publish(queue.report(2))
    assert len(queue.wait_for_builds(2)) == 2


def test_reports_are_given_up_while_jira_is_down_and_can_be_retried(make_queue, wait_until):
    queue = make_queue(QUEUE_GIVE_UP=3)
    queue.jira.fault("answer", status=503, count=2**30)
    queue.publish(*[queue.report(number) for number in range(5)])
    queue.start_worker()
    wait_until(lambda: len(queue.dead_letters()) == 5, "dead letters")
    assert all("given up after" in reason and "503" in reason for reason in queue.dead_letters().values())
    queue.publish(queue.report(2, state=State.FAILED, sequence=2))
    queue.jira.clear_faults()

    def put_back():
        queue.command("retry", "--all")
        queue.command("retry", "--waiting")
        return len(queue.builds()) == 5 and queue.builds()[2] == "failed"

    wait_until(put_back, "every report in Jira, the newer one over the older one")
    wait_until(lambda: queue.remaining() == 0, "an empty queue")
    assert queue.dead_letters() == {}


def test_waiting_report_is_listed_with_its_reason_and_can_be_retried_early(make_queue, wait_until):
    queue = make_queue(QUEUE_BACKOFF="1,3600")  # the first wait is also the first pause of the site
    queue.jira.fault("answer", status=503, count=2**30)
    queue.publish(queue.report(1))
    queue.start_worker()

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


def test_retry_after_pauses_all_workers(queue, wait_until):
    queue.jira.fault("answer", status=429, headers={"Retry-After": "2"}, count=1)
    queue.publish(queue.report(1))
    queue.start_worker()
    wait_until(lambda: len(queue.bulk_calls()) == 1, "a call")
    queue.publish(queue.report(2))
    assert len(queue.wait_for_builds(2)) == 2
    refused, *others = queue.bulk_calls()
    assert refused["status"] == 429
    assert {call["status"] for call in others} == {202}


def test_health_needs_a_worker(queue, wait_until):
    assert queue.command("health").returncode == 1
    queue.start_worker()
    wait_until(lambda: queue.command("health").returncode == 0, "a worker that answers")


def test_workers_share_one_rate_limit(servers, make_queue):
    # RabbitMQ has no shared counters, so the limit is in Redis in either case.
    queue = make_queue(QUEUE_RATE="3/second", QUEUE_BATCH=2, QUEUE_LIMITER=servers("redis").url)
    # At most 18 calls fit into 5 seconds, and each of the four processes signs in with two calls. Without a shared
    # limit, all 30 calls would come at once.
    queue.jira.configure(rate_limit=18 + 8, rate_period=5.0)
    queue.publish(*[queue.report(number) for number in range(60)])
    queue.start_worker()
    queue.start_worker()
    assert len(queue.wait_for_builds(60)) == 60
    calls = queue.bulk_calls()
    assert {call["status"] for call in calls} == {202}
    assert 30 <= len(calls) < 40, "full batches, except for a few with a single report"


def test_metrics_count_reports_by_result(make_queue, wait_until, free_port):
    queue = make_queue(QUEUE_METRICS=f"127.0.0.1:{free_port}", QUEUE_LOG="json")
    queue.start_worker()
    queue.publish(queue.report(1), queue.report(2, key="NONE-1"))
    queue.wait_for_builds(1)

    def metrics():
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
            text = answer.read().decode()
        return text if 'result="dead"} 1.0' in text else ""

    text = wait_until(metrics, "the figures")
    for line in (
        'jira_ci_queue_reports_total{result="accepted"} 1.0',
        'jira_ci_queue_reports_total{result="rejected"} 1.0',
        "jira_ci_queue_calls_total 1.0",
        "jira_ci_queue_unknown_keys_total 1.0",
        "jira_ci_queue_acceptance_seconds_count 1.0",
    ):
        assert line in text
    wait_until(
        lambda: any(line.get("reports") == 2 for line in map(json.loads, filter(is_json, queue.log.splitlines()))),
        "the line of the log about the call",
    )


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


def test_worker_without_credentials_ends_before_the_first_message(queue):
    worker = queue.start([sys.executable, "-P", "-m", "jira_ci_core", "worker", "-n", "none@localhost"])
    assert worker.wait(60) != 0
    assert "why:" in queue.log
    assert "Traceback" not in queue.log


def test_example_script_runs(servers, tmp_path):
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
