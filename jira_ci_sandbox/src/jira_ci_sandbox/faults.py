"""Faults on demand: what can go wrong between a client and Jira, and with which calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

from jira_ci_sandbox.buffered_response import BufferedResponse

Transmission: TypeAlias = Literal["complete", "half", "reset"]

# The names of calls, and the patterns of their paths. A match that starts with / is a pattern itself.
CALL_PATTERNS = {
    "any": ("*",),
    "token": ("/oauth/token", "/token"),
    "tenant": ("/_edge/tenant_info",),
    "bulk": ("*/bulk",),
    "builds": ("*/builds/0.1/*",),
    "deployments": ("*/deployments/0.1/*",),
}
# The kinds of faults, and whether Jira handles the request first.
ACTIONS = {
    "answer": False,  # any status, headers and body
    "redirect": False,  # a redirect to `location`
    "html": False,  # 200 and a page, as from a proxy's login form
    "reset": False,  # the connection is reset, nothing was done
    "slow": True,  # the answer comes after `seconds`
    "malformed": True,  # the answer is not JSON
    "empty": True,  # the answer has no body
    "missing": True,  # `fields` are missing in the answer
    "half": True,  # the connection closes in the middle of the answer
    "lost": True,  # the connection is reset in place of the answer, after Jira handled the request
}

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FRAMING = ("connection", "content-length", "transfer-encoding")
LOGIN_PAGE = b"<!doctype html><title>Sign in</title><h1>Sign in to continue</h1><form>...</form>"


@dataclass(frozen=True)
class Fault:
    """A fault of the next `count` matching calls; each response can be `seconds` late, too.

    With `every` set, only the last of each `every` matching calls fails, until `count` of them have.
    """

    action: str
    match: str = "bulk"
    count: int = 1
    every: int = 1
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    location: str = ""
    seconds: float = 0.0
    fields: tuple[str, ...] = ()

    @property
    def handles_request(self) -> bool:
        """Whether Jira handles the request before the fault occurs."""
        return ACTIONS[self.action]

    @property
    def transmission(self) -> Transmission:
        """How much of the response is sent before the connection ends."""
        return "half" if self.action == "half" else "reset" if self.action in ("reset", "lost") else "complete"

    def matches(self, path: str) -> bool:
        """Return whether this fault applies to calls of a path."""
        return any(fnmatchcase(path, pattern) for pattern in CALL_PATTERNS.get(self.match, (self.match,)))

    def apply(self, response: BufferedResponse) -> BufferedResponse:
        """Return the response that the client gets in place of Jira's."""
        if self.action == "answer":
            headers = {"content-type": "text/plain"} | {name.lower(): value for name, value in self.headers.items()}
            return BufferedResponse(self.status, headers, self.body.encode())
        if self.action == "redirect":
            return BufferedResponse(self.status, {"location": self.location}, b"")
        if self.action == "html":
            return BufferedResponse(200, {"content-type": "text/html; charset=utf-8"}, LOGIN_PAGE)
        if self.action == "malformed":
            return replace(response, body=b'{"this is": not JSON')
        if self.action == "empty":
            return replace(response, body=b"")
        if self.action == "missing":
            return replace(response, body=self._without_fields(response.body))
        return response

    def _without_fields(self, body: bytes) -> bytes:
        try:
            decoded = json.loads(body)
        except ValueError:
            return b""
        if not isinstance(decoded, dict):
            return b""
        return json.dumps({name: value for name, value in decoded.items() if name not in self.fields}).encode()


def fault_from_json(value: Any) -> Fault:
    """Return the fault that a JSON object describes. Raises ValueError with a sentence for the user."""
    if not isinstance(value, dict):
        raise ValueError("a fault is an object")
    for name, given in value.items():
        if name not in _RULES:
            raise ValueError(f"{name} is not a field of a fault; known are {', '.join(_RULES)}")
        is_valid, rule = _RULES[name]
        if not is_valid(given):
            raise ValueError(f"{name} must be {rule}")
    if "action" not in value:
        raise ValueError(f"action is missing; it must be {_RULES['action'][1]}")
    details: dict[str, Any] = {"status": 302} if value["action"] == "redirect" else {}
    details |= value
    return Fault(**details | {"fields": tuple(value.get("fields", ()))})


def _is_header_map(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _HEADER_NAME.fullmatch(name) is not None
        and name.lower() not in _FRAMING
        and isinstance(element, str)
        and element.isascii()
        and element.isprintable()
        for name, element in value.items()
    )


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "action": (lambda value: isinstance(value, str) and value in ACTIONS, f"one of {', '.join(ACTIONS)}"),
    "match": (
        lambda value: isinstance(value, str) and (value in CALL_PATTERNS or value.startswith("/")),
        f"one of {', '.join(CALL_PATTERNS)}, or a pattern of a path that starts with /",
    ),
    "count": (lambda value: type(value) is int and 0 < value < 2**31, "an integer, 1 or more"),
    "every": (lambda value: type(value) is int and 0 < value < 2**31, "an integer, 1 or more"),
    "status": (lambda value: type(value) is int and 200 <= value <= 599, "an HTTP status from 200 to 599"),
    "headers": (_is_header_map, f"an object of headers in printable ASCII, without {', '.join(_FRAMING)}"),
    "body": (lambda value: isinstance(value, str), "a string"),
    "location": (lambda value: isinstance(value, str) and value.isascii() and value.isprintable(), "an address"),
    "seconds": (lambda value: type(value) in (int, float) and 0 <= value < 2**31, "a number of seconds, 0 or more"),
    "fields": (
        lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
        "a list of field names",
    ),
}
