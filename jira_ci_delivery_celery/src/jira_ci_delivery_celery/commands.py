"""`jira-ci worker` and `jira-ci queue`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from jira_ci_core import DeliveryError, read_settings
from jira_ci_delivery_celery import health as workers
from jira_ci_delivery_celery.broker import (
    Broker,
    message_attempts,
    message_body,
    message_due,
    message_id,
    message_reason,
    open_broker,
)
from jira_ci_delivery_celery.message import renew
from jira_ci_delivery_celery.options import Options
from jira_ci_delivery_celery.publish import BROKER_ERRORS, broker_problem

MAX_SHOWN = 20
ANSWER_SECONDS = 5.0


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
    short_help="Run a Celery worker that delivers the reports in the queue.",
)
@click.argument("arguments", metavar="[OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def worker(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run a Celery worker that delivers the reports in the queue. All OPTIONS are those of `celery worker`."""
    # Errors of the settings are told before Celery, which knows no secrets, begins to log.
    options = read_settings(Options, "celery", os.environ)
    options.broker  # noqa: B018
    options.keys  # noqa: B018
    from celery.bin.celery import celery

    from jira_ci_delivery_celery.app import app

    # As `app.worker_main` does, but that drops the exit code. Quiet: the banner shows the user of the broker.
    celery.params[0].default = app
    for parameter in celery.params:  # such as APP, which may be set for another program
        parameter.envvar = None
    ctx.exit(celery.main(args=["--quiet", "worker", *arguments], standalone_mode=False))


@click.group(short_help="Manage the queue: status, retry, drop, health.")
def queue() -> None:
    """Manage the queue: its reports to deliver, those that wait for another try, and its dead letters."""


@queue.command(short_help="Show how many reports wait, and the reasons of dead letters.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="The format of the output.")
def status(format: str) -> None:
    """Show how many messages are in each queue, when the next is tried again, and the reasons of dead letters."""
    with _open_broker() as broker:
        names = broker.names
        found: dict[str, Any] = {
            "reports": broker.count(names.reports),
            "waiting": [_wait_summary(broker, wait, name) for wait, name in names.waits.items() if broker.count(name)],
            "dead": broker.count(names.dead),
            "dead_letters": [_dead_letter_summary(message) for message in broker.peek(names.dead, MAX_SHOWN)],
        }
    if format == "json":
        click.echo(json.dumps(found))
        return
    click.echo(f"to deliver: {found['reports']}")
    for one in found["waiting"]:
        due = datetime.fromtimestamp(one["next"], UTC).isoformat(" ", "seconds")
        click.echo(f"waiting {one['wait']:g} s: {one['count']}, the next one until {due}: {one['reason']}")
    click.echo(f"dead letters: {found['dead']}")
    for one in found["dead_letters"]:
        click.echo(f"  {one['id']}: {one['reason']}")


@queue.command(short_help="Put dead letters or waiting reports back into the queue.")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--waiting", is_flag=True, help="All reports that wait for another try.")
def retry(ids: tuple[str, ...], everything: bool, waiting: bool) -> None:
    """Put dead letters back into the queue, by the IDS that `status` shows. Their tries count from zero again.

    Each report is signed anew, with the present as its time, so that an old one is not refused for its age. This needs
    QUEUE_KEY. What was not signed stays as it is, and will be a dead letter again.
    """
    if ids or everything or not waiting:
        _require_ids_or_all(ids, everything)
    with _open_broker() as broker:
        keys = _options().keys

        def release(message: Any) -> None:
            broker.move(message, broker.names.reports, {}, renew(message_body(message), keys, time.time()))

        count = sum(_process(broker, name, (), release) for name in (broker.names.waits.values() if waiting else ()))
        if ids or everything:
            count += _process(broker, broker.names.dead, ids, release)
    click.echo(f"put back {count}")


@queue.command(short_help="Delete dead letters.")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
def drop(ids: tuple[str, ...], everything: bool) -> None:
    """Delete dead letters, by the IDS that `status` shows."""
    _require_ids_or_all(ids, everything)
    with _open_broker() as broker:
        count = _process(broker, broker.names.dead, ids, lambda message: message.ack())
    click.echo(f"dropped {count}")


@queue.command(short_help="Exit 0 if the broker answers and a worker runs.")
@click.pass_context
def health(ctx: click.Context) -> None:
    """Check that the broker can be reached and that at least one worker answers, else exit 1."""
    with _open_broker() as broker:
        ready = broker.count(broker.names.reports)
        name = workers.ask(broker, _options().keys, ANSWER_SECONDS)
    click.echo(f"broker: ok, {ready} to deliver; workers: {name or 'none answers'}")
    ctx.exit(0 if name else 1)


def _options() -> Options:
    return read_settings(Options, "celery", os.environ)


@contextmanager
def _open_broker() -> Iterator[Broker]:
    options = _options()
    try:
        with open_broker(options) as broker:
            yield broker
    except BROKER_ERRORS as error:
        problem = broker_problem(options, error, "could not be asked")
        raise DeliveryError(problem) from None


def _require_ids_or_all(ids: tuple[str, ...], everything: bool) -> None:
    if bool(ids) == everything:
        raise click.UsageError("either the ids of dead letters are needed, or --all")


def _process(broker: Broker, name: str, ids: tuple[str, ...], do: Callable[[Any], None]) -> int:
    """Apply `do` to the messages of a queue with these ids, or to all if there are none, and return their number."""
    left, others = broker.count(name), []
    count = 0
    while left > 0 and (message := broker.get(name)) is not None:
        left -= 1
        if not ids or message_id(message) in ids:
            do(message)
            count += 1
        else:
            others.append(message)
    for message in reversed(others):
        message.requeue()
    return count


def _wait_summary(broker: Broker, wait: float, name: str) -> dict[str, Any]:
    count = broker.count(name)  # before peeking: a message that is being requeued is not counted
    first = next(iter(broker.peek(name, 1)), None)
    due, reason = (message_due(first), message_reason(first)) if first else (time.time(), "")
    return {"wait": wait, "count": count, "next": due, "reason": reason}


def _dead_letter_summary(message: Any) -> dict[str, Any]:
    return {"id": message_id(message), "reason": message_reason(message), "attempts": message_attempts(message)}
