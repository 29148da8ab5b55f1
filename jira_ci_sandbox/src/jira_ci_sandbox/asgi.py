"""The ASGI application: it checks who may call, logs calls to Jira, applies faults, and dispatches to the routes."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from jira_ci_sandbox.buffered_response import BufferedResponse
from jira_ci_sandbox.control_api import PREFIX, ControlApi
from jira_ci_sandbox.jira_api import JiraApi
from jira_ci_sandbox.pages import Pages
from jira_ci_sandbox.pages.request_log import STREAM
from jira_ci_sandbox.records import parse_json
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store
from jira_ci_sandbox.transport import (
    buffer_response,
    read_body,
    reset_connection,
    send_half,
    send_response,
    wait_for_disconnect,
)
from jira_ci_sandbox.verdict import Verdict, call_verdict

JIRA_PATHS = ("/oauth/", "/token", "/_edge/", "/jira/", "/rest/")
SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
SECRET_FIELDS = ("client_secret",)
MASK = "***"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:/\s]+)(?::[0-9]+)?")


class SandboxApp:
    """A local Jira as an ASGI application.

    `hosts` are the names, besides those of the loopback, that a browser may address it by. The server has to put the
    connection's transport into the scope's state, since ASGI itself has no way to reset a connection.
    """

    def __init__(self, store: Store, settings: Settings, hosts: Collection[str] = ()) -> None:
        cloud_id = store.setting("cloud_id")
        if cloud_id is None:
            cloud_id = str(uuid.uuid4())
            store.set_setting("cloud_id", cloud_id)
        self.cloud_id: str = cloud_id
        self.store = store
        self.control = ControlApi(store, settings)
        self.stopping = asyncio.Event()
        self._hosts = frozenset(host.lower() for host in hosts)
        self._pages = Pages(store, self._current_settings, self.control.apply_settings, cloud_id)
        components = (JiraApi(store, self._current_settings, cloud_id), self.control, self._pages)
        self._routes = Starlette(
            routes=[route for component in components for route in component.routes()],
            exception_handlers={HTTPException: _json_error},
        )
        self._routes.router.redirect_slashes = False

    def _current_settings(self) -> Settings:
        return self.control.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Routes are matched on the raw path, because an id may hold an encoded slash.
        path = scope["raw_path"].decode("ascii", "replace")
        scope = {**scope, "path": path, "state": scope["state"] | {"credential": None, "verdict": None}}
        request = Request(scope)
        scope["state"]["body"] = body = await read_body(receive, self._current_settings().max_bytes)
        if not path.startswith(JIRA_PATHS):
            reason = self._forbidden_reason(request)
            if reason is None and path == STREAM:
                await self._pages.request_log.stream(request, receive, send, self.stopping)
                return
            inner = self._routes if reason is None else JSONResponse({"errorMessages": [reason]}, 403)
            await send_response(send, await buffer_response(inner, scope))
            return
        fault = self.store.take_fault(path)
        works = fault is None or fault.handles_request
        response = await buffer_response(self._routes, scope) if works else BufferedResponse(500, {}, b"")
        verdict = call_verdict(response, fault, request.state.verdict)
        if fault is None:
            self._log(request, body, response.status, verdict)
            await send_response(send, response)
            return
        response = fault.apply(response)
        self._log(request, body, response.status if fault.transmission == "complete" else None, verdict)
        if await self._disconnects_within(fault.seconds, receive):
            return
        if fault.transmission == "reset":
            await reset_connection(scope["state"]["transport"], receive)
        elif fault.transmission == "half":
            await send_half(send, response, scope["state"]["transport"], receive)
        else:
            await send_response(send, response)

    def _forbidden_reason(self, request: Request) -> str | None:
        """Return why a request that another site may have caused in a browser is refused, or None."""
        if not self._is_known_host(request.headers.get("host", "")):
            return "the Host header does not name this computer"
        is_change = request.method not in ("GET", "HEAD")
        if request.scope["path"].startswith(PREFIX) and is_change and request.headers.get("x-sandbox") != "1":
            return "the header X-Sandbox: 1 is required"
        return None

    def _is_known_host(self, header: str) -> bool:
        match = _HOST.fullmatch(header.lower())
        host = match[1].strip("[]") if match is not None else ""
        if host == "localhost" or host in self._hosts:
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def _log(self, request: Request, body: bytes | None, status: int | None, verdict: Verdict) -> None:
        self.store.log_request(
            {
                "received_at": self.store.clock(),
                "method": request.method,
                "path": request.scope["path"],
                "query": request.scope["query_string"].decode("ascii", "replace"),
                "status": status,
                "credential": request.state.credential,
                "headers": _masked_headers(request.headers),
                "body": _masked_body(body),
                "verdict": verdict.as_json(),
            }
        )
        self._pages.request_log.publish()

    async def _disconnects_within(self, seconds: float, receive: Receive) -> bool:
        """Wait for some seconds, and return whether the client disconnected. A server that stops ends the wait."""
        waiting = [asyncio.create_task(wait_for_disconnect(receive)), asyncio.create_task(self.stopping.wait())]
        done, pending = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return waiting[0] in done


def _masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    masked = {}
    for name, value in headers.items():
        scheme = value.partition(" ")[0]
        hidden = f"{scheme} {MASK}" if scheme.lower() in ("bearer", "basic") else MASK
        masked[name] = hidden if name in SECRET_HEADERS else value
    return masked


def _masked_body(body: bytes | None) -> str:
    """Return a JSON body without its secrets; `null` for any other body, since its secrets cannot be found."""
    with suppress(ValueError):
        decoded = parse_json((body or b"").decode())
        if isinstance(decoded, dict):
            decoded |= {name: MASK for name in SECRET_FIELDS if name in decoded}
        return json.dumps(decoded)
    return "null"


async def _json_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = {"code": error.status_code, "message": error.detail}
    return JSONResponse(response, error.status_code, error.headers)
