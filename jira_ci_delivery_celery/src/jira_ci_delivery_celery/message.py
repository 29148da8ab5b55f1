"""The messages of the queue: each is one report as versioned, signed JSON of limited size.

`message.schema.json` describes them. The signature is HMAC-SHA256, in hexadecimal, over `SIGNATURE_CONTEXT` and the
message without its signature as canonical JSON: names sorted, no spaces, ASCII. An old message that is published again
changes nothing while Jira keeps the report with the higher sequence, and is refused once it is too old for a report.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from jira_ci_core import Report

VERSION = 1
MAX_BYTES = 256 * 1024
"""The largest message; every report that Jira accepts is far smaller."""
CONTENT_TYPE = "application/json"
SIGNATURE_CONTEXT = b"jira-ci queue message\n"
DUE_CONTEXT = b"jira-ci queue due\n"
CLOCK_SECONDS = 86400.0
"""How far the clock of a step may be off."""


class RefusedMessageError(Exception):
    """A message that workers do not deliver, with the reason."""


@dataclass(frozen=True)
class Message:
    """The content of a verified message."""

    report: Report
    published: float
    """When the step published it, in seconds since the epoch."""


def sign(report: Report, key: bytes, published: float) -> str:
    """Return the signed message of a report. Raises RefusedMessageError if it would be too large."""
    content = {"version": VERSION, "published": int(published * 1000), "report": report.model_dump(mode="json")}
    text = _canonical({**content, "signature": _signature(content, key)})
    if len(text) > MAX_BYTES:
        raise RefusedMessageError(f"it has {len(text)} bytes, and {MAX_BYTES} is the most")
    return text


def renew(body: bytes, keys: Sequence[bytes], published: float) -> str | None:
    """Return a message as if it were published now; None for one that is not signed with one of the keys."""
    try:
        return sign(verify(body, keys).report, keys[0], published)
    except RefusedMessageError:
        return None


def check_age(published: float, now: float, give_up: float) -> None:
    """Raises RefusedMessageError for a message that is too old to be a report's first, or of a later time."""
    if now - published > give_up + CLOCK_SECONDS:
        raise RefusedMessageError(
            f"too old: it was published {(now - published) / 86400:.0f} days ago; if it is not a copy, retry it"
        )
    if published - now > CLOCK_SECONDS:
        raise RefusedMessageError(
            "from the future: the clock of its step was more than a day ahead; if it is not a copy, retry it"
        )


def due_signature(due: float, body: bytes, key: bytes) -> str:
    """Return the signature of the time at which a message is to be tried again."""
    return hmac.new(key, DUE_CONTEXT + f"{due!r}\n".encode() + body, hashlib.sha256).hexdigest()


def is_due_signed(due: float, body: bytes, signature: object, keys: Sequence[bytes]) -> bool:
    """Whether that time was signed with one of the keys."""
    given = signature.encode(errors="replace") if isinstance(signature, str) else b""
    return any(hmac.compare_digest(due_signature(due, body, key).encode(), given) for key in keys)


def sign_content(content: dict[str, Any], key: bytes, context: bytes) -> str:
    """Return a signed JSON object, of use only where the same context is asked for."""
    return _canonical({**content, "signature": _signature(content, key, context)})


def verify_content(body: bytes, keys: Sequence[bytes], context: bytes) -> dict[str, Any] | None:
    """Return the object that was signed in this context with one of the keys, else None."""
    try:
        content = json.loads(body) if len(body) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    signature = content.pop("signature", None)
    return content if isinstance(signature, str) and _is_signed(content, signature, keys, context) else None


def verify(body: bytes, keys: Sequence[bytes]) -> Message:
    """Return the content of a message that is signed with one of the keys. Raises RefusedMessageError for others."""
    if len(body) > MAX_BYTES:
        raise RefusedMessageError(f"oversized: it has {len(body)} bytes, and {MAX_BYTES} is the most")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedMessageError("unreadable: it is not JSON") from None
    if not isinstance(content, dict):
        raise RefusedMessageError("unreadable: it is not a JSON object")
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise RefusedMessageError(f"unknown version: {str(version)[:20]!r}, and this worker knows {VERSION}")
    signature = content.pop("signature", None)
    if not isinstance(signature, str) or not _is_signed(content, signature, keys):
        raise RefusedMessageError("forged: its signature is not one of QUEUE_KEY")
    try:
        return Message(Report.model_validate_json(json.dumps(content["report"])), content["published"] / 1000)
    except (KeyError, TypeError, OverflowError, ValidationError) as error:
        raise RefusedMessageError(f"invalid: {_first_line(error)}") from None


def _is_signed(
    content: dict[str, Any], signature: str, keys: Sequence[bytes], context: bytes = SIGNATURE_CONTEXT
) -> bool:
    try:
        return any(hmac.compare_digest(_signature(content, key, context).encode(), signature.encode()) for key in keys)
    except (ValueError, RecursionError):  # NaN, a lone surrogate or deep nesting, none of which `sign` writes
        return False


def _signature(content: dict[str, Any], key: bytes, context: bytes = SIGNATURE_CONTEXT) -> str:
    return hmac.new(key, context + _canonical(content).encode(), hashlib.sha256).hexdigest()


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
