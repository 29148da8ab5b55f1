"""What Jira, and others, make a worker say: no secret and no command is in its log, nor in the headers of messages."""

from __future__ import annotations

import base64
import io
import json
import logging
import sys

import pytest

from jira_ci_core import Secrets
from jira_ci_delivery_celery.logs import configure_logs
from jira_ci_delivery_celery.options import Options


@pytest.mark.parametrize("log", ["text", "json"])
def test_an_answer_that_repeats_the_credentials_and_holds_commands(make_queue, listen, wait_until, log):
    """A proxy or a server in Jira's place."""
    secret = "a-client-secret-of-the-worker"
    token = "a-token-that-was-obtained-0123456789"
    orders = "\x1b]0;owned\x07\x1b[2J\r\n::set-output name=a::b\n##vso[task.setvariable variable=a]b ##teamcity[a]"

    def answer(received):
        if "token" in received.target:
            return (
                200,
                {"Content-Type": "application/json"},
                json.dumps({"access_token": token, "expires_in": 900}).encode(),
            )
        if "tenant" in received.target:
            return 200, {"Content-Type": "application/json"}, json.dumps({"cloudId": "0" * 32}).encode()
        sent = received.headers.get("Authorization", "")
        packed = base64.b64encode(f"user:{secret}".encode()).decode()
        said = json.dumps({"message": f"{orders} {sent} {secret} {packed} {secret.encode().hex()}"})
        return 400, {"Content-Type": "application/json"}, said.encode()

    server = listen(answer)
    queue = make_queue(QUEUE_LOG=log, CLOUD_ID="0" * 32)
    queue.publish(queue.report(1))
    queue.publish_body("\x1b[2J no report")
    site = {"JIRA_CI_CLIENT_SECRET": secret, "JIRA_CI_API_URL": server.url, "JIRA_CI_LOG_LEVEL": "debug"}
    queue.start_worker("-l", "debug", concurrency=1, more=site)
    wait_until(lambda: len(queue.dead_letters()) == 2, "two dead letters")
    text = (
        queue.log
        + json.dumps(headers(queue))
        + queue.command("status").stdout
        + queue.command("status", "--format=json").stdout
    )
    for shown in (
        secret,
        token,
        secret.encode().hex(),
        queue.environ["JIRA_CI_QUEUE_KEY"],
        base64.b64encode(token.encode()).decode()[:-4],
    ):
        assert shown not in text
    assert "\x1b" not in text
    assert "##vso[" not in text
    assert "##teamcity[" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert any("owned" in reason for reason in queue.dead_letters().values()), queue.dead_letters()


def headers(queue):
    with queue.broker() as broker:
        return [message.headers for message in broker.peek(broker.names.dead, 10)]


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def logger(stream):
    logger = logging.Logger("a worker's")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger.addHandler(handler)
    secrets = Secrets()
    secrets.add("redis://user:pa-ss-wo-rd@host/0")
    configure_logs(logger, Options(), secrets)
    return logger


def test_a_traceback_and_arguments_of_any_kind(logger, stream):
    try:
        raise ValueError("pa-ss-wo-rd\n::error::owned\n[INFO] a line of its own\x1b[2J")
    except ValueError:
        logger.exception("at %s: %r", "redis://user:pa-ss-wo-rd@host/0", b"pa-ss-wo-rd", stack_info=True)
    logger.error("%d of %s", "pa-ss-wo-rd")  # which logging would print as it is, with a traceback
    logger.error("::error::%s", "x\n::debug::y" * 10_000)
    shown = stream.getvalue()
    assert "pa-ss-wo-rd" not in shown
    assert "\x1b" not in shown
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert "\n[INFO]" not in shown
    assert len(shown) < 64 * 1024


def test_a_process_that_ends_with_an_error_shows_no_secret(queue):
    queue.environ["JIRA_CI_QUEUE_KEY"] = "k" * 8 + "ey-of-the-queue"
    code = "import jira_ci_delivery_celery.app as a; raise RuntimeError(a.os.environ['JIRA_CI_QUEUE_KEY'] + '\\n::error::x')"
    assert queue.start([sys.executable, "-c", code], queue.site).wait(60) == 1
    assert "RuntimeError: [secret]" in queue.log
    assert "\n::" not in queue.log
