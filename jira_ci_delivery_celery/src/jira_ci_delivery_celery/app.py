"""The Celery application that `jira-ci worker` and `celery -A jira_ci_delivery_celery.app worker` run.

Its settings come from the environment, like those of `jira-ci`. It has two tasks: `drain` delivers until the queue is
empty, `release` puts waiting reports that are due back into the queue. Every worker starts them itself, so `beat` is
not needed. Several of them may run at once.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn
from uuid import uuid4

import click
from celery import Celery, bootsteps, signals
from celery.worker import consumer, state
from kombu import Queue

from jira_ci_core import JiraCiError, Secrets, read_settings
from jira_ci_delivery_celery import health, metrics
from jira_ci_delivery_celery.broker import Broker, QueueNames, connection_options, open_broker
from jira_ci_delivery_celery.logs import configure_logs, hide_secrets
from jira_ci_delivery_celery.options import Options
from jira_ci_delivery_celery.worker import MAX_RUN_SECONDS, QueueDrain, WorkerContext, requeue_due

log = logging.getLogger(__name__)

TASKS = "jira_ci.drain", "jira_ci.release"
TICK_SECONDS = 1.0
BROKER_TIMEOUT = 10.0
# Celery takes these before what it is told here, or imports what they name from the working directory.
FOREIGN = tuple(
    f"CELERY_{name}" for name in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL", "LOADER", "CONFIG_MODULE")
)


def make_app(options: Options) -> Celery:
    """Create the application. Raises SettingsError if a required setting is missing."""
    options.keys  # noqa: B018  (raises at once if QUEUE_KEY is not set)
    connection = connection_options(options, BROKER_TIMEOUT)
    # Time-outs of the transport would end Celery's own waiting for messages.
    transport = {name: value for name, value in connection["transport_options"].items() if "timeout" not in name}
    names = QueueNames(options)
    for name in FOREIGN:
        os.environ.pop(name, None)
    app = Celery("jira-ci", broker=options.broker)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=names.tasks,
        task_queues=[Queue(names.tasks, routing_key=names.tasks, durable=True)],
        broker_use_ssl=connection["ssl"],
        broker_transport_options={**transport, "visibility_timeout": options.queue_visibility},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_prefetch_multiplier=1,
        # A drain need not run again when its worker dies: the broker returns the reports that it held.
        task_acks_late=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # It obeys all who can write to the broker, without any signature.
        worker_enable_remote_control=False,
        worker_consumer=Consumer,
        # The log shows escape sequences as text, those of colours as well.
        worker_log_color=False,
    )
    for name, function in zip(TASKS, (_drain, _release), strict=True):
        app.task(function, name=name)
    app.steps["consumer"].add(Scheduler)
    return app


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Takes nothing from a message but which task to run.

    Celery would obey more of what anyone can write into the broker: time limits, further tasks to publish, a later time
    to wait for (https://docs.celeryq.dev/en/stable/internals/protocol.html). Gossip and mingle listen to other workers.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "without_gossip": True, "without_mingle": True})

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], None]:
        run = super().create_task_handler(*arguments, **options)

        def receive(message: Any) -> None:
            name = message.headers.get("task") if isinstance(message.headers, dict) else None
            if not isinstance(name, str) or name not in TASKS:
                self.on_decode_error(message, ValueError("it names no task of this worker"))
                return
            message.headers = {"task": name, "id": str(uuid4())}
            message.body, message.content_type, message.content_encoding = b"[[], {}, {}]", "application/json", "utf-8"
            message.properties, message._decoded_cache = {}, None
            run(message)

        return receive

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        log.warning("a message for Celery is removed: %s", exc)
        message.ack()


class Scheduler(bootsteps.StartStopStep):  # type: ignore[misc]
    """Checks the queues once a second, and starts as many drains as the waiting reports need."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None
        self._released = 0.0

    def start(self, parent: Any) -> None:
        self._timer = parent.timer.call_repeatedly(TICK_SECONDS, self.schedule, (parent,))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def schedule(self, parent: Any) -> None:
        """Start tasks in idle processes. If the broker cannot be reached, Celery reconnects before a later call."""
        app = parent.app
        busy = len(state.reserved_requests)
        idle = max(1, parent.controller.concurrency or 1) - busy
        try:
            with app.connection_for_write(connect_timeout=2) as connection:
                connection.connect()
                broker = Broker(connection, _options())
                health.answer(broker, _options().keys, parent.hostname)
                if idle <= 0:
                    return
                ready = broker.count(broker.names.reports)
                if time.monotonic() - self._released >= max(TICK_SECONDS, min(10.0, _options().queue_backoff[0] / 2)):
                    self._released = time.monotonic()
                    app.tasks["jira_ci.release"].apply_async(connection=connection, expires=60, retry=False)
                for _ in range(min(idle, math.ceil(ready / _options().queue_batch))):
                    app.tasks["jira_ci.drain"].apply_async(connection=connection, expires=10, retry=False)
        except Exception as error:
            log.warning("the broker could not be asked: %s", type(error).__name__)


def _drain() -> dict[str, int]:
    context = _context()
    if context.are_all_paused:
        return {}
    with open_broker(context.options, MAX_RUN_SECONDS) as broker:
        drain = QueueDrain(context, broker)
        drain.run()
        return dict(drain.counts)


def _release() -> int:
    with open_broker(_options()) as broker:
        return requeue_due(broker, _options())


@functools.cache
def _options() -> Options:
    return read_settings(Options, "celery", os.environ, _secrets())


@functools.cache
def _secrets() -> Secrets:
    return Secrets()


@functools.cache
def _context() -> WorkerContext:
    return WorkerContext(_options(), os.environ, _secrets())


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def _check_settings(**_: Any) -> None:
    """Exit if a setting or credential is missing, before the first message is taken."""
    options = _options()
    try:
        WorkerContext(options, os.environ, _secrets())
    except JiraCiError as error:
        _exit(error)
    if options.queue_metrics:
        host, port = options.queue_metrics.rsplit(":", 1)
        metrics.serve(options, host, int(port))


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _remove_metrics(pid: int = 0, **_: Any) -> None:
    metrics.mark_process_dead(pid)  # type: ignore[no-untyped-call]


@signals.after_setup_logger.connect  # type: ignore[untyped-decorator]
@signals.after_setup_task_logger.connect  # type: ignore[untyped-decorator]
def _configure_logs(logger: Any, **_: Any) -> None:
    configure_logs(logger, _options(), _secrets())


def _exit(error: JiraCiError) -> NoReturn:
    text = "\n".join(line for problem in error.problems for line in problem.lines())
    click.echo(_secrets().redact(text), err=True)
    sys.exit(error.exit_code)


hide_secrets(_secrets())
try:
    app = make_app(_options())
except JiraCiError as wrong:
    _exit(wrong)
