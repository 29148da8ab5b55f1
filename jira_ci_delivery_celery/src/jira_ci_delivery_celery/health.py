"""A question that `jira-ci queue health` puts to the workers, and their answer.

Celery's own is part of its remote control, which obeys anyone who can write to the broker. Both messages are signed, so
that none of them makes a worker publish to the queue of another program, or says that a worker runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from jira_ci_delivery_celery.broker import Broker, message_body
from jira_ci_delivery_celery.message import sign_content, verify_content

QUESTION = b"jira-ci queue question\n"
ANSWER = b"jira-ci queue answer\n"
SECONDS = 300.0
"""How long a question may be answered; clocks differ."""
MOST = 100
"""The most questions that are looked at in one go."""
POLL_SECONDS = 0.1


def ask(broker: Broker, keys: Sequence[bytes], seconds: float) -> str | None:
    """Return the name of a worker that answers, or None."""
    number = token_hex(16)
    place = f"{broker.names.health}.{number}"
    broker.declare_temporary(place, SECONDS)
    broker.publish(broker.names.health, sign_content({"number": number, "asked": int(time.time())}, keys[0], QUESTION))
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            message = broker.get(place)
            if message is None:
                time.sleep(POLL_SECONDS)
                continue
            message.ack()
            content = verify_content(message_body(message), keys, ANSWER)
            if content is not None and content.get("number") == number:
                return str(content.get("worker"))
        broker.purge(broker.names.health)
        return None
    finally:
        broker.delete(place)


def answer(broker: Broker, keys: Sequence[bytes], worker: str) -> None:
    """Answer the questions that wait."""
    for _ in range(MOST):
        message = broker.get(broker.names.health)
        if message is None:
            return
        message.ack()
        content: dict[str, Any] = verify_content(message_body(message), keys, QUESTION) or {}
        number, asked = content.get("number"), content.get("asked")
        is_new = isinstance(asked, int) and abs(time.time() - asked) <= SECONDS
        if is_new and isinstance(number, str) and re.fullmatch("[0-9a-f]{32}", number):
            text = sign_content({"number": number, "worker": worker}, keys[0], ANSWER)
            broker.publish(f"{broker.names.health}.{number}", text, declare=False)
