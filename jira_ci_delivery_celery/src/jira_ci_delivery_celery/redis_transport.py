"""kombu's Redis transport, made for lists in which others write as well.

kombu parses what it takes from a list, and relies on its shape (kombu.transport.redis, `Message` of `virtual`).
An error there would end a worker after the message has left its list. Here each message has the right shape.
"""

from __future__ import annotations

import logging
import time
from base64 import b64decode, b64encode
from queue import Empty
from typing import Any, Literal
from uuid import uuid4

from kombu.transport import redis, virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import RedisError

from jira_ci_delivery_celery.message import MAX_BYTES

log = logging.getLogger(__name__)

LONGEST = 4 * MAX_BYTES
"""Bytes of an item of a list that are read, which is more than base64 and headers make of the largest message."""
TAKE = """
for number = 3, #KEYS do
  local item = redis.call('LINDEX', KEYS[number], -1)
  if item then
    item = string.sub(item, 1, tonumber(ARGV[4]))
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
    redis.call('HSET', KEYS[1], ARGV[1], '[' .. item .. ',"",' .. ARGV[3] .. ']')
    redis.call('RPOP', KEYS[number])
    return item
  end
end
"""
"""Take the last item of the first list that has one, and record it as unacknowledged, as `QoS.append` of kombu does.

A script runs as one step (https://redis.io/docs/latest/develop/programmability/eval-intro/). What it has done stays
done when it fails, so it removes the item last: Redis may have no memory for the record.
"""

ORDINARY = (Empty, OSError, RedisError)
"""What kombu handles itself: an empty list, and a broker that does not answer."""


class _Message(virtual.Message):  # type: ignore[misc]
    def __init__(
        self, payload: object, channel: Any = None, queue: str | None = None, tag: str | None = None, **more: Any
    ) -> None:
        super().__init__(_well_formed(payload, queue, tag), channel, **more)


class _QoS(redis.QoS):  # type: ignore[misc]
    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Return a message to its queue. What is no message is removed, since it would be tried again for ever."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except ORDINARY:
            raise
        except Exception as error:
            log.warning("an unacknowledged message is removed, since it is not valid: %s", type(error).__name__)
            self._remove_from_indices(tag).execute()


class _Client:
    """A client that drops a message for Celery's own queue which is too long to be one, before kombu parses it."""

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[misc]
        if command_name == "BRPOP" and answer and len(answer[1]) > LONGEST:
            return [answer[0], b"{}"]
        return answer


class _Channel(redis.Channel):  # type: ignore[misc]
    QoS = _QoS
    Message = _Message

    def _get_client(self) -> Any:
        return type("Client", (_Client, super()._get_client()), {})

    def basic_get(self, queue: str, no_ack: Literal[False] = False, **_: Any) -> _Message | None:
        """Take a message and record that it is taken, in one step; kombu would lose it if it was killed in between."""
        tag = str(uuid4())
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps]
        keys = [self.unacked_key, self.unacked_index_key, *lists]
        with self.conn_or_acquire() as client:
            item = client.eval(TAKE, len(keys), *keys, tag, time.time(), dumps(queue), LONGEST)
        if item is None:
            return None
        message = _Message(_parsed(item), self, queue, tag)
        virtual.QoS.append(self.qos, message, tag)
        return message

    def _do_restore_message(
        self, payload: object, exchange: object, routing_key: object, *arguments: Any, **options: Any
    ) -> None:
        if not isinstance(routing_key, str):
            raise TypeError("a message without a queue")
        super()._do_restore_message(_well_formed(payload, routing_key), "", routing_key, *arguments, **options)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except ORDINARY:
            raise
        except Exception as error:
            log.warning("a message for Celery is removed, since it is not valid: %s", type(error).__name__)
            return True


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = _Channel


def _parsed(item: bytes) -> object:
    text = item.decode(errors="replace")
    if len(item) == LONGEST:
        return {"body": text}  # which is refused as oversized
    try:
        return loads(text)
    except Exception:  # kombu's decoder raises errors of many kinds
        return None


def _well_formed(payload: object, queue: str | None = None, tag: str | None = None) -> dict[str, Any]:
    """A payload of the shape that kombu relies on, with as much of its content as has the right type."""
    given = payload if isinstance(payload, dict) else {}
    properties = given["properties"] if isinstance(given.get("properties"), dict) else {}
    place = properties["delivery_info"] if isinstance(properties.get("delivery_info"), dict) else {}
    key = queue or place.get("routing_key")
    return {
        "body": b64encode(_body(given.get("body"), properties.get("body_encoding"))).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": given["headers"] if isinstance(given.get("headers"), dict) else {},
        "properties": {
            "body_encoding": "base64",
            # A tag of its own: with the tag of another message, this one would replace it among the unacknowledged.
            "delivery_tag": tag or str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": key if isinstance(key, str) else ""},
        },
    }


def _body(body: object, encoding: object) -> bytes:
    data = body.encode(errors="replace") if isinstance(body, str) else b""
    if encoding != "base64":
        return data
    try:
        return b64decode(data)
    except ValueError:
        return data
