"""Whatever others write into the broker: it stops no worker, holds up no good report, and is shown as text."""

from __future__ import annotations

import json
import struct
import sys
import threading
import time

import pytest
import redis
from amqp.exceptions import AMQPError
from kombu import Connection, pidbox
from kombu.utils.json import dumps

from jira_ci_core import Secrets, State
from jira_ci_delivery_celery import health, worker
from jira_ci_delivery_celery.broker import message_body, message_due, open_broker
from jira_ci_delivery_celery.message import sign, sign_content
from jira_ci_delivery_celery.worker import QueueDrain, WorkerContext, requeue_due

from .conftest import highest_memory

DAY = 86400.0


@pytest.fixture
def context(queue):
    context = WorkerContext(queue.options, {**queue.environ, **queue.site}, Secrets())
    yield context
    for sender in context.senders:
        sender.__exit__()


@pytest.fixture
def drain(queue, context):
    """Delivers what is in the queue, as a worker's process does."""

    def run():
        with open_broker(queue.options) as broker:
            one = QueueDrain(context, broker)
            one.run(10)
            return dict(one.counts)

    return run


def only(server, name):
    if server.program.rpartition("/")[2].partition("-")[0] != name:
        pytest.skip(f"only on {name}")


def envelope(**properties):
    """A message as kombu writes it into a list of Redis."""
    info = {"exchange": "", "routing_key": "x"}
    return {"body": "{}", "headers": {}, "properties": {"delivery_tag": "t", "delivery_info": info, **properties}}


GARBAGE = [
    "no JSON", b"\xff\xfe", "[]", "null", "7", '"text"', "{}", "NaN", "[" * 50_000, '"\\ud800"', b"\x80\x04\x95 a pickle",
    '{"__type__": "decimal", "__value__": "x"}', '{"__type__": "datetime", "__value__": 7}',
    json.dumps([envelope(), "", "other"]),
    json.dumps({**envelope(), "headers": 5}), json.dumps({**envelope(), "headers": ["compression"]}),
    json.dumps({**envelope(), "body": 5}), json.dumps({**envelope(), "body": {"a": 1}}), json.dumps({**envelope(), "body": "\ud800"}),
    json.dumps({"body": "{}", "properties": 5}), json.dumps(envelope(delivery_tag=["a"])), json.dumps(envelope(delivery_tag=None)),
    json.dumps(envelope(body_encoding="no such")), json.dumps(envelope(body_encoding=5)), json.dumps(envelope(body_encoding="base64")),
    json.dumps(envelope(delivery_info=7)), json.dumps(envelope(delivery_info={"exchange": "no such", "routing_key": []})),
]  # fmt: skip


def test_garbage_in_a_list_of_redis_becomes_dead_letters_and_delays_no_good_report(queue, server, drain):
    only(server, "redis")
    for garbage in GARBAGE:
        queue.lpush(garbage)
        queue.lpush("")
    queue.publish(queue.report(1))
    assert drain() == {"dead": 2 * len(GARBAGE), "accepted": 1}
    assert queue.builds() == {1: "successful"}
    assert queue.remaining() == 0
    status = queue.command("status")
    assert status.returncode == 0, status.stderr
    assert f"dead letters: {2 * len(GARBAGE)}" in status.stdout


def test_a_report_with_garbage_behind_it_is_delivered_before_all_that_is_read(make_queue, monkeypatch):
    monkeypatch.setattr(worker, "BUSY_WINDOW", 0.0)
    queue = make_queue(QUEUE_BATCH=2)
    queue.publish(queue.report(1))
    with queue.broker() as broker:
        for number in range(60):
            broker.publish(broker.names.reports, f"no JSON {number}")
    context = WorkerContext(queue.options, {**queue.environ, **queue.site}, Secrets())
    read = []
    monkeypatch.setattr(context.limiter, "acquire", lambda site: read.append(one.counts["dead"]) or 0.0)
    with open_broker(queue.options) as broker, context.senders[0]:
        one = QueueDrain(context, broker)
        one.run(10)
    assert one.counts == {"dead": 60, "accepted": 1}
    assert read[0] < 10


def test_waiting_messages_without_end_do_not_keep_a_worker(queue, monkeypatch):
    with queue.broker() as broker:
        broker.publish(next(iter(broker.names.waits.values())), "{}", {"due": 0})
        monkeypatch.setattr(worker, "MAX_RUN_SECONDS", 0.0)
        assert requeue_due(broker, queue.options) == 0
        monkeypatch.undo()
        assert requeue_due(broker, queue.options) == 1


def test_headers_that_the_client_of_rabbitmq_cannot_read_are_left_out(queue, server, drain):
    """A date beyond the year 9999, and a table that is nested too deeply."""
    only(server, "rabbitmq")
    late = b"\x20\x00" + b"\x00\x00\x00\x0d" + b"\x03dueT" + b"\x7f" * 8
    with queue.broker() as broker, Connection(queue.server.url) as connection:
        broker.count(broker.names.reports)
        channel = connection.channel()
        for properties in (late, nested(3000), b"\x80\x00\x02\xff\xfe"):
            message = channel.prepare_message(b"x")
            message._serialize_properties = lambda properties=properties: properties
            channel.basic_publish(message, exchange="", routing_key=broker.names.reports)
    queue.publish(queue.report(1))
    assert drain() == {"dead": 3, "accepted": 1}


def nested(depth):
    """The properties of a message whose only header is a table in a table, so many times."""
    item = b"V"
    for _ in range(depth):
        table = b"\x01a" + item
        item = b"F" + len(table).to_bytes(4, "big") + table
    return b"\x20\x00" + item[1:]


@pytest.mark.parametrize("due", [float("nan"), float("inf"), -1, 10**20, "soon", [], True])
def test_status_shows_any_header_of_a_stranger(queue, due):
    said = "\x1b]0;owned\x07\x1b[2J\n::set-output name=a::b\r##vso[task.setvariable variable=a]b\u202e"
    with queue.broker() as broker:
        wait = next(iter(broker.names.waits.values()))
        for name in (broker.names.dead, wait):
            try:
                broker.publish(name, "{}", {"due": due, "reason": said + "x" * 5000, "attempts": due})
            except (AMQPError, struct.error):
                pytest.skip("RabbitMQ takes no such header")
    for format in ("text", "json"):
        status = queue.command("status", f"--format={format}")
        assert status.returncode == 0, status.stderr
        assert not any(
            one in status.stdout for one in ("\x1b", "\x07", "\r", "\u202e", "##vso[", "\n::", "NaN", "Infinity")
        )
    json.loads(status.stdout, parse_constant=pytest.fail)
    with queue.broker() as broker:
        assert requeue_due(broker, queue.options) == 1


def test_a_time_that_no_worker_wrote_holds_up_nothing_behind_it(queue, queue_key):
    now = time.time()
    with queue.broker() as broker:
        wait, name = next(iter(broker.names.waits.items()))
        for due in (now + wait, now + wait / 2):
            broker.publish(name, "{}", {"due": due, "due_signature": "0" * 64})
        broker.publish(broker.names.reports, sign(queue.report(1), queue_key, now))
        message = broker.get(broker.names.reports)
        broker.postpone(message, wait, queue_key, 1, "a reason")
        assert requeue_due(broker, queue.options, now) == 2
        [waiting] = broker.peek(name, 1)
        assert requeue_due(broker, queue.options, message_due(waiting) + 0.1) == 1


def test_a_copy_of_an_old_message_does_not_bring_back_what_was_deleted(queue, queue_key, drain):
    now = time.time()
    for number, published in enumerate((now - 30 * DAY, now - 4.1 * DAY, now + 2 * DAY, now + 3650 * DAY, 0), 1):
        queue.publish_body(sign(queue.report(number), queue_key, published))
    # A step whose clock is wrong by less than a day is believed.
    for number, published in enumerate((now - 3.9 * DAY, now + 0.9 * DAY), 11):
        queue.publish_body(sign(queue.report(number), queue_key, published))
    assert drain() == {"dead": 5, "accepted": 2}
    assert sorted(queue.builds()) == [11, 12]
    assert {reason.partition(":")[0] for reason in queue.dead_letters().values()} == {"too old", "from the future"}


def test_retry_renews_what_an_operator_releases_but_signs_nothing_for_a_stranger(queue, queue_key, drain):
    queue.publish_body(sign(queue.report(1), queue_key, time.time() - 30 * DAY))
    queue.publish_body(sign(queue.report(2), b"the key of a stranger", time.time()))
    assert drain() == {"dead": 2}
    assert queue.command("retry", "--all").stdout == "put back 2\n"
    assert drain() == {"dead": 1, "accepted": 1}
    assert queue.builds() == {1: "successful"}
    assert [reason.partition(":")[0] for reason in queue.dead_letters().values()] == ["forged"]


def test_a_worker_in_a_process_of_its_own_takes_no_garbage_and_nothing_of_other_programs(queue, server, tmp_path):
    """Where all is imported in its own order, unlike in a fork of the tests."""
    only(server, "redis")
    (queue.folder / "celeryconfig.py").write_text("raise SystemExit('imported from the working directory')")
    for garbage in ("x", "", "[]"):
        queue.lpush(garbage, "tasks")
    with redis.Redis.from_url(server.url) as client:
        client.hset("unacked", "a", "garbage")
        client.zadd("unacked_index", {"a": 1})
    queue.publish(queue.report(1))
    foreign = {"APP": "celeryconfig", "BROKER_URL": "redis://127.0.0.1:1/0", "CONFIG_MODULE": "celeryconfig"}
    foreign |= {f"CELERY_{name}": value for name, value in foreign.items()}
    worker = queue.start([sys.executable, "-P", "-m", "jira_ci_core", "worker"], {**queue.site, **foreign})
    queue.wait_for_builds(1)
    assert worker.poll() is None, queue.log
    assert "Traceback" not in queue.log


def test_a_worker_obeys_no_remote_control_and_survives_garbage_for_celery(queue, server, wait_until):
    name = queue.environ["JIRA_CI_QUEUE_NAME"]
    process = queue.start_worker()
    queue.publish(queue.report(1))
    queue.wait_for_builds(1)
    assert wait_until(lambda: queue.command("health").returncode == 0, "a worker that answers")
    with Connection(queue.server.url) as connection:
        # kombu lets any client send these (https://docs.celeryq.dev/en/stable/userguide/workers.html#remote-control).
        for command, arguments in (("pool_grow", {"n": 5}), ("shutdown", {})):
            pidbox.Mailbox("celery", "fanout", connection)._broadcast(command, arguments, reply=False)
        for command in ("shutdown", "pool_shrink"):
            pidbox.Mailbox("jira-ci", "fanout", connection)._broadcast(command, {}, reply=False)
    good = {"task": "jira_ci.drain", "id": "\x1b[2Ji", "lang": "py"}
    for headers in (
        {"task": "os.system", "id": "1"},
        {"task": ["unhashable"], "id": "1"},
        {"task": "\x1b]0;owned\x07", "id": "1"},
        {**good, "eta": "9999-12-31T00:00:00"},
        {**good, "eta": "no time", "expires": [], "retries": "x"},
        {**good, "timelimit": [0.001, 0.001]},
        {**good, "timelimit": 5, "stamps": 7, "shadow": "\n::error::owned", "argsrepr": "\x1b[31m"},
        {**good, "compression": "gzip"},
        {},
    ):
        queue.push('[["x"], {"y": 1}, {"chain": [{"task": "jira_ci.drain"}], "callbacks": 5}]', headers, "tasks")
    queue.push("no JSON", {}, "tasks")
    queue.push("no JSON", {}, "health")
    if "redis" in server.program:
        for garbage in GARBAGE:
            queue.lpush(garbage, "tasks")
        queue.lpush(json.dumps({**envelope(body_encoding="base64"), "body": "eHh4" * 15_000_000}), "tasks")
        with redis.Redis.from_url(server.url) as client:
            client.hset("unacked", f"{name}-a", "garbage")
            client.hset("unacked", f"{name}-b", dumps([5, 6, 7]))
            client.zadd("unacked_index", {f"{name}-a": 1, f"{name}-b": 2, f"{name}-c": 3})
            wait_until(lambda: client.zscore("unacked_index", f"{name}-a") is None, "the garbage removed")
    queue.jira.fault("answer", status=503, count=1)
    queue.publish(queue.report(1, state=State.FAILED, sequence=2), queue.report(2))
    queue.wait_for_builds(2)
    wait_until(lambda: queue.builds()[1] == "failed", "the newer state")
    with queue.broker() as broker:
        wait_until(lambda: broker.count(broker.names.tasks) == 0, "the garbage for Celery removed")
    assert process.poll() is None
    assert highest_memory(process.pid) < 350, "megabytes"
    log = queue.log
    assert "\x1b" not in log
    assert "\n::" not in log
    assert "Traceback" not in log, log
    assert not any(word in log.lower() for word in ("unrecoverable", "mingle", "pool_grow", "shutdown"))


def test_health_believes_no_answer_that_was_not_signed(queue, queue_key):
    stranger = b"the key of a stranger"

    def run():
        """A stranger who reads the question, and answers."""
        with queue.broker() as broker:
            while (message := broker.get(broker.names.health)) is None:
                pass
            message.ack()
            number = json.loads(message_body(message))["number"]
            for text in (
                "{}",
                sign_content({"number": number, "worker": "w"}, stranger, health.ANSWER),
                message_body(message),
            ):
                broker.publish(f"{broker.names.health}.{number}", text, declare=False)

    thread = threading.Thread(target=run)
    thread.start()
    with queue.broker() as broker:
        assert health.ask(broker, [queue_key], 1) is None
        broker.publish(
            broker.names.health, sign_content({"number": "../x", "asked": 2**40}, queue_key, health.QUESTION)
        )
        health.answer(broker, [queue_key], "w")
        assert broker.count(broker.names.health) == 0
    thread.join()
