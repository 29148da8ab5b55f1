"""A step with DELIVERY=celery where there is no broker or a setting is missing, and the cost to other steps."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

KEY = "a-key-of-thirty-two-characters-x"


@pytest.fixture
def unused_address():
    """An address at which no broker listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["amqp://u:pass-word@{}//", "redis://:pass-word@{}/0"])
def test_a_broker_that_cannot_be_reached_keeps_the_report_in_the_outbox(harness, unused_address, scheme):
    done = harness(
        DELIVERY="celery",
        BROKER_URL=scheme.format(unused_address),
        QUEUE_KEY=KEY,
        DEADLINE=1,
        OUTBOX="outbox",
        ON_FAILURE="keep",
    )
    assert done.code == 0, done.text
    assert f"the broker at {unused_address} did not take the report" in done.err
    assert "pass-word" not in done.text
    assert len(list((harness.folder / "outbox").glob("*.json"))) == 1


def test_of_several_brokers_that_cannot_be_reached_the_first_is_named(harness, unused_address):
    urls = f"amqp://u:pass-word@{unused_address}//;amqp://u:pass-word@{unused_address}/other"
    done = harness(DELIVERY="celery", BROKER_URL=urls, QUEUE_KEY=KEY, DEADLINE=0.5)
    assert done.code == 1
    assert f"error: the broker at {unused_address} did not take the report" in done.err
    assert "pass-word" not in done.text


def test_a_broker_that_does_not_answer_ends_within_the_deadline(harness):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("amqp", "redis"):
            url = f"{scheme}://127.0.0.1:{port}/"
            done = harness(DELIVERY="celery", BROKER_URL=url, QUEUE_KEY=KEY, DEADLINE=0.5)
            assert done.code == 1, done.text
            assert f"error: the broker at 127.0.0.1:{port} did not take the report" in done.err
            assert "Traceback" not in done.text


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "BROKER_URL is not set"),
        ({"BROKER_URL": "redis://127.0.0.1:1/0"}, "QUEUE_KEY is not set"),
        ({"BROKER_URL": "http://127.0.0.1:1"}, "BROKER_URL is not valid"),
        ({"QUEUE_KEY": "short"}, "QUEUE_KEY is not valid"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(harness, settings, what):
    done = harness(DELIVERY="celery", **{"BROKER_URL": None, **settings})
    assert done.code == 2, done.text
    if "BROKER_URL" in settings or "QUEUE_KEY" in settings:
        assert what in done.err


def test_a_run_that_gets_no_secrets_may_be_warned(harness):
    done = harness(DELIVERY="celery", BROKER_URL=None, ON_NO_CREDENTIALS="warn")
    assert done.code == 0, done.text
    assert "warning: QUEUE_KEY is not set, so nothing was sent" in done.err or "BROKER_URL is not set" in done.err


def test_an_unknown_delivery_is_named(harness):
    done = harness(DELIVERY="pigeon")
    assert done.code == 2
    assert "DELIVERY names pigeon" in done.err
    assert "those that deliver here:" in done.err


def test_reports_go_to_jira_where_delivery_is_not_celery(harness_oauth, jira):
    done = harness_oauth(BROKER_URL="redis://127.0.0.1:1/0", QUEUE_KEY=KEY)
    assert done.code == 0, done.text
    assert len(jira.builds()) == 1


def test_credentials_are_needed_where_delivery_is_not_celery(harness):
    done = harness(BROKER_URL="redis://127.0.0.1:1/0", QUEUE_KEY=KEY)
    assert done.code == 2
    assert "CLIENT_ID" in done.err


def test_importing_the_plugin_imports_neither_celery_nor_kombu():
    code = "import sys, jira_ci_delivery_celery as p; print({'celery', 'kombu', 'amqp', 'redis', 'limits'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_publishing_imports_no_celery():
    code = "import sys, jira_ci_delivery_celery.publish; print({'celery', 'limits'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
