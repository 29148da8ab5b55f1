"""The page of requests: a live log of the calls to Jira with their verdicts, and the faults of the next ones."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send

from jira_ci_sandbox.faults import fault_from_json
from jira_ci_sandbox.pages.context import SECURITY_HEADERS, Form, PageContext, parse_number, redirect_to
from jira_ci_sandbox.pages.sessions import Session
from jira_ci_sandbox.transport import wait_for_disconnect

PATH = "/requests"
STREAM = "/requests/stream"
KEEP_ALIVE_SECONDS = 15.0  # without calls, after which a comment keeps the stream's connection open
MAX_BODY_LENGTH = 4000

# The faults on offer: the name in the form, the label, and the fault.
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "rate-limit": ("429: the rate limit is exceeded", {"action": "answer", "status": 429}),
    "unavailable": ("503: not available", {"action": "answer", "status": 503}),
    "error": ("500: an error", {"action": "answer", "status": 500}),
    "forbidden": ("403: the app lacks the permission", {"action": "answer", "status": 403}),
    "html": ("200, but the login page of a proxy", {"action": "html"}),
    "slow": ("the answer comes late", {"action": "slow"}),
    "malformed": ("an answer that is not JSON", {"action": "malformed"}),
    "half": ("the connection closes in mid-answer", {"action": "half"}),
    "reset": ("the connection is reset, nothing was done", {"action": "reset"}),
    "lost": ("the connection is reset after it was done", {"action": "lost"}),
}
MATCHES = {
    "bulk": "builds and deployments",
    "builds": "builds only",
    "deployments": "deployments only",
    "token": "tokens only",
    "any": "any call",
}
DELAY_SECONDS = 2


class RequestLogPages:
    """The request log, as a page and as a stream of server-sent events."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._store = context.store
        self._new_call = asyncio.Event()

    def routes(self) -> list[Route]:
        """Return the routes of the page and its forms. The stream has none, since its response does not end."""
        administrators = {
            "faults": self.add_fault,
            "faults/clear": self.clear_faults,
            "limit": self.change_limit,
            "clear": self.clear,
        }
        forms = {path: self._context.form_handler(form, administrators=True) for path, form in administrators.items()}
        return [
            Route(PATH, self.page, methods=["GET"]),
            *(Route(f"{PATH}/{path}", form, methods=["POST"]) for path, form in forms.items()),
        ]

    def page(self, request: Request) -> Response:
        """Show the last calls, newest first, and the planned faults."""
        calls = [call_view(call) for call in reversed(self._context.queries.requests())]
        settings = self._context.settings()
        return self._context.render_page(
            request,
            "requests.html",
            calls=calls,
            last=calls[0]["id"] if calls else 0,
            faults=[fault_view(fault) for fault in self._store.faults()],
            choices={name: words for name, (words, _) in FAULTS.items()},
            matches=MATCHES,
            rate_limit=settings.rate_limit,
            rate_period=settings.rate_period,
            seconds=DELAY_SECONDS,
        )

    def add_fault(self, request: Request, session: Session, form: Form) -> Response:
        """Plan a fault of the next calls."""
        count = parse_number(form.get("count"), 0)
        if form.get("fault") not in FAULTS or form.get("match") not in MATCHES or not count:
            why = "A fault needs one of the listed ways to go wrong, one of the listed calls, and a number from 1 on."
            remedy = "Choose from the lists."
            return self._context.render_refusal(request, 400, "Nothing will go wrong.", why, remedy, PATH)
        _, fault = FAULTS[form["fault"]]
        details: dict[str, Any] = {"match": form["match"], "count": count}
        if fault.get("status") == 429:
            details["headers"] = {"Retry-After": str(DELAY_SECONDS), "Content-Type": "application/json"}
            details["body"] = json.dumps({"code": 429, "message": "Rate limit exceeded"})
        if fault["action"] == "slow":
            details["seconds"] = DELAY_SECONDS
        self._store.add_fault(fault_from_json(fault | details))
        return redirect_to(f"{PATH}#faults")

    def clear_faults(self, request: Request, session: Session, form: Form) -> Response:
        self._store.clear_faults()
        return redirect_to(f"{PATH}#faults")

    def change_limit(self, request: Request, session: Session, form: Form) -> Response:
        changes = {"rate_limit": parse_number(form.get("limit"), 0)}
        changes["rate_period"] = max(1, parse_number(form.get("period"), 60))
        self._context.apply_settings(self._context.settings().with_changes(changes))
        return redirect_to(f"{PATH}#faults")

    def clear(self, request: Request, session: Session, form: Form) -> Response:
        self._store.clear_requests()
        return redirect_to(PATH)

    def publish(self) -> None:
        """Wake all streams for a new call. Only the event loop's thread may call this."""
        self._new_call.set()
        self._new_call = asyncio.Event()

    async def stream(self, request: Request, receive: Receive, send: Send, stopping: asyncio.Event) -> None:
        """Send each call as an event, until the browser disconnects or the server stops."""
        headers = SECURITY_HEADERS | {"content-type": "text/event-stream; charset=utf-8"}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        after = parse_number(request.headers.get("last-event-id") or request.query_params.get("after"), 0)
        gone = asyncio.create_task(wait_for_disconnect(receive))
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not (gone.done() or stopped.done()):
                new_call = asyncio.create_task(self._new_call.wait())
                calls = self._context.queries.requests(after)
                events = "".join(self._event(call) for call in calls) or ": still here\n\n"
                await send({"type": "http.response.body", "body": events.encode("utf-8", "replace"), "more_body": True})
                after = calls[-1]["id"] if calls else after
                waiting = {gone, stopped, new_call}
                await asyncio.wait(waiting, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                new_call.cancel()
        finally:
            gone.cancel()
            stopped.cancel()
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b""})

    def _event(self, call: dict[str, Any]) -> str:
        piece = self._context.render_template("call.html", call=call_view(call))
        lines = "".join(f"data: {line}\n" for line in piece.splitlines())
        return f"id: {call['id']}\n{lines}\n"


def call_view(call: dict[str, Any]) -> dict[str, Any]:
    """Return a logged call with its body as text, of which only the beginning is shown."""
    body = "" if call["body"] is None else _written(call["body"])
    is_cut = len(body) > MAX_BODY_LENGTH
    verdict = call["verdict"] or {"tone": "planned", "words": "from before verdicts were kept", "problems": []}
    return call | {"text": body[:MAX_BODY_LENGTH], "is_cut": is_cut, "verdict": verdict}


def _written(body: Any) -> str:
    try:
        return json.dumps(body, indent=2, ensure_ascii=False)
    except RecursionError:  # without an indent, more levels are possible
        return json.dumps(body, ensure_ascii=False)


def fault_view(fault: dict[str, Any]) -> dict[str, Any]:
    """Return a planned fault with its label."""
    is_answer = fault["action"] == "answer"
    words = f"answer {fault['status']}" if is_answer else fault["action"]
    for known, preset in FAULTS.values():
        if preset["action"] == fault["action"] and (not is_answer or preset["status"] == fault["status"]):
            words = known
    return fault | {"words": words, "calls": MATCHES.get(fault["match"], fault["match"])}
