"""ASGI messages: reading a request's body, capturing a response, and sending one whole, halved or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jira_ci_sandbox.buffered_response import BufferedResponse

# The C structure `linger` for SO_LINGER, switched on with a time of zero: closing then resets the connection.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """Read a body to its end, and return it; None if it is larger than `limit` bytes."""
    body, size = bytearray(), 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            body += chunk
        if not message.get("more_body", False):
            return bytes(body) if size <= limit else None


async def buffer_response(app: ASGIApp, scope: Scope) -> BufferedResponse:
    """Call an application and return its response. Its handlers find the request's body in the scope's state."""
    started: dict[str, Any] = {}
    body = bytearray()

    async def receive() -> Message:
        raise NotImplementedError("handlers read request.state.body")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        body.extend(message.get("body", b""))

    await app(scope, receive, send)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in started["headers"]}
    return BufferedResponse(started["status"], headers, bytes(body))


async def _send_start(send: Send, response: BufferedResponse) -> bytes:
    """Send the status and the headers of a response, and return the body to send with them."""
    body = b"" if response.status in (204, 304) else response.body
    headers = {**response.headers, "content-length": str(len(body))}
    if response.status in (204, 304):
        del headers["content-length"]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    return body


async def send_response(send: Send, response: BufferedResponse) -> None:
    await send({"type": "http.response.body", "body": await _send_start(send, response)})


async def send_half(send: Send, response: BufferedResponse, transport: asyncio.Transport, receive: Receive) -> None:
    body = await _send_start(send, response)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    transport.close()
    await wait_for_disconnect(receive)


async def reset_connection(transport: asyncio.Transport, receive: Receive) -> None:
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
