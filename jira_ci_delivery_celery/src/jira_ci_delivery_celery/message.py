"""The messages of the queue: each is one report as versioned, signed JSON of limited size.

`message.schema.json` describes them. The signature is HMAC-SHA256, in hexadecimal, over `SIGNATURE_CONTEXT` and the
message without its signature as canonical JSON: names sorted, no spaces, ASCII. Replaying an old message is harmless,
since Jira keeps the report with the higher sequence.
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
    except (KeyError, TypeError, ValidationError) as error:
        raise RefusedMessageError(f"invalid: {_first_line(error)}") from None


def _is_signed(content: dict[str, Any], signature: str, keys: Sequence[bytes]) -> bool:
    try:
        return any(hmac.compare_digest(_signature(content, key).encode(), signature.encode()) for key in keys)
    except (ValueError, RecursionError):  # NaN, a lone surrogate or deep nesting, none of which `sign` writes
        return False


def _signature(content: dict[str, Any], key: bytes) -> str:
    return hmac.new(key, SIGNATURE_CONTEXT + _canonical(content).encode(), hashlib.sha256).hexdigest()


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
