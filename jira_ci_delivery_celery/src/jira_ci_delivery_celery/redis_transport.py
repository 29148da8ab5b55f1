"""kombu's Redis transport, made for lists in which others write as well.

kombu parses what it takes from a list, and relies on its shape (kombu.transport.redis, `Message` of `virtual`).
An error there would end a worker after the message has left its list. Here each message has the right shape.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import redis, virtual
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

ORDINARY = (Empty, OSError, RedisError)
"""What kombu handles itself: an empty list, and a broker that does not answer."""


class _Message(virtual.Message):  # type: ignore[misc]
    def __init__(self, payload: object, channel: Any = None, **more: Any) -> None:
        super().__init__(_well_formed(payload), channel, **more)


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


class _Channel(redis.Channel):  # type: ignore[misc]
    QoS = _QoS
    Message = _Message

    def _get(self, queue: str, *arguments: Any, **options: Any) -> Any:
        while True:
            try:
                return _well_formed(super()._get(queue, *arguments, **options), queue)
            except Empty:
                if not self._size(queue):  # kombu takes an empty text for the end of a list
                    raise
            except ORDINARY:
                raise
            except Exception:  # kombu's JSON decoder raises errors of many kinds
                return _well_formed(None, queue)

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


def _well_formed(payload: object, queue: str | None = None) -> dict[str, Any]:
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
            "delivery_tag": str(uuid4()),
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
