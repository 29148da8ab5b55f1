"""The broker: the connection to it, its queues, and the operations on messages.

The broker requeues a message when the worker that holds it dies, and a message is published to the next queue before it
is removed from its own. So a report may be delivered twice, but is never lost. docs/scaling.md says what Redis does not
guarantee.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amqp.basic_message import Message as AmqpMessage
from kombu.message import Message

from jira_ci_core import escape_untrusted
from jira_ci_delivery_celery.message import CONTENT_TYPE, MAX_BYTES, due_signature, is_due_signed
from jira_ci_delivery_celery.options import Options
from jira_ci_delivery_celery.transports import Connection

MAX_REASON_LENGTH = 500
CONFIRM_SECONDS = 10.0
PERSISTENT = 2
LAST_MOMENT = 253402300799.0
"""The end of the year 9999, the last one that datetime knows."""


class _Properties:
    """Reads the properties of a message of RabbitMQ; without those that py-amqp cannot read, such as a late date.

    Its error (amqp.serialization) would end the connection, and the broker would deliver the message again for ever.
    """

    read = AmqpMessage._load_properties

    @staticmethod
    def read_if_valid(message: Any, class_id: int, buffer: Any, offset: int) -> Any:
        try:
            return _Properties.read(message, class_id, buffer, offset)
        except Exception:  # it raises errors of many kinds
            message.properties = {}
            return len(buffer)


AmqpMessage._load_properties = _Properties.read_if_valid


class QueueNames:
    """The names of the queues."""

    def __init__(self, options: Options) -> None:
        name = options.queue_name
        self.reports = f"{name}.reports"
        self.dead = f"{name}.dead"
        self.tasks = f"{name}.tasks"
        self.health = f"{name}.health"
        # A queue for each length of wait, so that the first message in it is due first.
        self.waits = {wait: f"{name}.wait.{wait:g}" for wait in options.queue_backoff}

    @property
    def all(self) -> tuple[str, ...]:
        """The queues that hold reports."""
        return self.reports, *self.waits.values(), self.dead


def connection_options(options: Options, timeout: float) -> dict[str, Any]:
    """The options with which kombu and Celery connect: TLS with verification, publisher confirms, and time-outs."""
    url = options.broker
    common = {"visibility_timeout": options.queue_visibility, "unacked_restore_throttle": 1}
    if url.startswith("redis"):
        more = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        checked: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
        checked |= {"ssl_ca_certs": options.broker_ca} if options.broker_ca else {}
    else:
        more = {"confirm_publish": True, "read_timeout": timeout, "write_timeout": timeout}
        # kombu replaces None by the host name, which is then verified.
        checked = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}
        checked |= {"ca_certs": options.broker_ca} if options.broker_ca else {}
    is_safe = url.startswith(("amqps", "rediss"))
    return {"ssl": checked if is_safe else None, "transport_options": {**common, **more, "max_retries": 1}}


class Broker:
    """One connection to the broker."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self.names = QueueNames(options)
        self._channel = connection.channel()
        self._producer = connection.Producer(self._channel, auto_declare=False)
        self._is_redis = options.broker.startswith("redis")
        self._declared: set[str] = set()

    def count(self, name: str) -> int:
        """Declare a durable queue, and return how many messages are ready in it."""
        self._declared.add(name)
        return int(self._channel.queue_declare(queue=name, durable=True, auto_delete=False).message_count)

    def declare_temporary(self, name: str, seconds: float) -> None:
        """Declare a queue that RabbitMQ removes when it is not used for so long."""
        self._declared.add(name)
        self._channel.queue_declare(queue=name, auto_delete=False, arguments={"x-expires": int(seconds * 1000)})

    def delete(self, name: str) -> None:
        """Delete a queue and all that is in it."""
        self._channel.queue_purge(name)
        self._channel.queue_delete(name)

    def purge(self, name: str) -> None:
        """Delete all that is in a queue."""
        self._declare(name)
        self._channel.queue_purge(name)

    def publish(
        self, name: str, body: str | bytes, headers: dict[str, object] | None = None, *, declare: bool = True
    ) -> None:
        """Publish a message to a queue, and return once the broker has confirmed it."""
        if declare:
            self._declare(name)
        self._producer.publish(
            body,
            exchange="",
            routing_key=name,
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",
            delivery_mode=PERSISTENT,
            headers=headers or {},
            confirm_timeout=CONFIRM_SECONDS,
        )

    def get(self, name: str) -> Message | None:
        """Take the first message of a queue, or None. The caller has to acknowledge or requeue it."""
        self._declare(name)
        message = self._channel.basic_get(queue=name, no_ack=False)
        # kombu's Queue.get raises for a message with invalid headers, which would then be delivered again for ever.
        to_python = getattr(self._channel, "message_to_python", None)
        return to_python(message) if message is not None and to_python else message

    def move(self, message: Message, name: str, headers: dict[str, object], body: bytes | str | None = None) -> None:
        """Publish a message to another queue, with a new body if there is one, and only then acknowledge it."""
        self.publish(name, message_body(message)[:MAX_BYTES] if body is None else body, headers)
        message.ack()

    def postpone(self, message: Message, wait: float, key: bytes, attempts: int, reason: str) -> None:
        """Move a message to the queue of those that wait for so many seconds."""
        due = time.time() + wait
        signature = due_signature(due, message_body(message), key)
        self.move(
            message,
            self.names.waits[wait],
            {"attempts": attempts, "due": due, "due_signature": signature, "reason": reason[:MAX_REASON_LENGTH]},
        )

    def dead_letter(self, message: Message, reason: str) -> None:
        """Move a message to the dead letters, with a reason."""
        about = {"reason": reason[:MAX_REASON_LENGTH], "died": int(time.time()), "attempts": message_attempts(message)}
        self.move(message, self.names.dead, {**about, "bytes": len(message_body(message))})

    def peek(self, name: str, most: int) -> list[Message]:
        """Return the first messages of a queue, and leave them in it."""
        taken: list[Message] = []
        while len(taken) < most and (message := self.get(name)) is not None:
            taken.append(message)
        for message in reversed(taken):
            message.requeue()
        return taken

    def restore_unacked(self) -> None:
        """Return the messages of dead workers to their queues on Redis. RabbitMQ does so itself."""
        if self._is_redis:
            self._channel.qos.restore_visible(num=None, interval=1)

    def _declare(self, name: str) -> None:
        if name not in self._declared:
            self.count(name)


@contextmanager
def open_broker(options: Options, timeout: float = CONFIRM_SECONDS) -> Iterator[Broker]:
    """Connect to the broker. When the connection closes, the broker requeues messages that are not acknowledged."""
    with Connection(options.broker, connect_timeout=timeout, **connection_options(options, timeout)) as connection:
        connection.ensure_connection(timeout=timeout, max_retries=1, interval_start=0, interval_step=0)
        yield Broker(connection, options)


def message_body(message: Message) -> bytes:
    """The body of a message, as it was received."""
    body = message.body
    if isinstance(body, (bytes, memoryview)):
        return bytes(body)
    return str("" if body is None else body).encode(errors="replace")


def message_id(message: Message) -> str:
    """The id of a message for `jira-ci queue`."""
    return hashlib.sha256(message_body(message)).hexdigest()[:12]


def message_attempts(message: Message) -> int:
    """How often a report was tried; 0 for an invalid header, which any writer to the broker can send."""
    return int(number) if isinstance(number := _header(message, "attempts"), int) and 0 <= number < 10**6 else 0


def message_due(message: Message) -> float:
    """When a waiting report is to be tried again, in seconds since the epoch; 0 for an invalid header."""
    due = _header(message, "due")
    return float(due) if isinstance(due, (int, float)) and 0 <= due <= LAST_MOMENT else 0.0


def is_waiting(message: Message, moment: float, keys: Sequence[bytes]) -> bool:
    """Whether a worker wrote that a message is not due yet; others could hold up what is behind it."""
    due, signature = message_due(message), _header(message, "due_signature")
    return moment < due and is_due_signed(due, message_body(message), signature, keys)


def message_reason(message: Message) -> str:
    """Why a report waits or is a dead letter, as one line that no terminal and no CI obeys."""
    reason = _header(message, "reason")
    return escape_untrusted(reason[:MAX_REASON_LENGTH])[:MAX_REASON_LENGTH] if isinstance(reason, str) else ""


def _header(message: Message, name: str) -> object:
    headers = message.headers
    return headers.get(name) if isinstance(headers, dict) else None
