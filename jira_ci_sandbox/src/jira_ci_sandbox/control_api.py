"""The control API under `/_sandbox/`, with which tests and the demo prepare a sandbox and inspect it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jira_ci_sandbox.credentials import mint_credential
from jira_ci_sandbox.faults import fault_from_json
from jira_ci_sandbox.records import Update, parse_json
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store

PREFIX = "/_sandbox/"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_CREDENTIAL_FIELDS = {"kind": str, "name": str, "permission": bool}


class ControlApi:
    """The control API of a store. Settings are stored as well, so they last as long as the data file."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self._initial = settings
        self.apply_settings(settings)

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self._settings

    def apply_settings(self, settings: Settings) -> None:
        self._settings = settings
        self.store.set_setting("settings", settings.as_json())

    def routes(self) -> list[Route]:
        calls: list[tuple[str, str, Callable[[Request], Response]]] = [
            ("GET", "credentials", self.list_credentials),
            ("POST", "credentials", self.mint),
            ("DELETE", "credentials/{name}", self.revoke),
            ("GET", "faults", self.list_faults),
            ("POST", "faults", self.add_fault),
            ("DELETE", "faults", self.clear_faults),
            ("GET", "settings", self.show_settings),
            ("PUT", "settings", self.change_settings),
            ("GET", "requests", self.list_requests),
            ("DELETE", "requests", self.clear_requests),
            ("GET", "entities", self.list_entities),
            ("GET", "updates", self.list_updates),
            ("POST", "expire-tokens", self.expire_tokens),
            ("POST", "reset", self.reset),
        ]
        return [Route(PREFIX + path, _with_errors(call), methods=[method]) for method, path, call in calls]

    def list_credentials(self, request: Request) -> Response:
        """List the credentials, without their secrets."""
        return JSONResponse([asdict(credential) for credential in self.store.credentials()])

    def mint(self, request: Request) -> Response:
        """Create a credential. Its secret is shown in this response only."""
        asked = _json_object(request)
        for name, value in asked.items():
            if not isinstance(value, _CREDENTIAL_FIELDS.get(name, ())):
                raise ValueError(f"{name} is not a field of a credential, or of the wrong type")
        kind = asked.get("kind")
        if kind not in ("oauth", "connect"):
            raise ValueError("kind must be oauth or connect")
        name = asked.get("name", f"{kind}-{uuid4().hex[:8]}")
        if not _NAME.fullmatch(name):
            raise ValueError("name must be letters, digits, dots, hyphens and underscores, at most 100")
        return JSONResponse(mint_credential(self.store, kind, name, asked.get("permission", True)), 201)

    def revoke(self, request: Request) -> Response:
        name = unquote(request.path_params["name"])
        return Response(status_code=204) if self.store.revoke(name) else _error(404, f"no credential named {name}")

    def list_faults(self, request: Request) -> Response:
        """List the faults that are still to come."""
        return JSONResponse(self.store.faults())

    def add_fault(self, request: Request) -> Response:
        self.store.add_fault(fault_from_json(_json_object(request)))
        return Response(status_code=204)

    def clear_faults(self, request: Request) -> Response:
        self.store.clear_faults()
        return Response(status_code=204)

    def show_settings(self, request: Request) -> Response:
        return JSONResponse(self.settings.as_json())

    def change_settings(self, request: Request) -> Response:
        """Change the settings that the body names."""
        self.apply_settings(self.settings.with_changes(_json_object(request)))
        return JSONResponse(self.settings.as_json())

    def list_requests(self, request: Request) -> Response:
        """List the calls to Jira, without those to the pages and to this API."""
        return JSONResponse(self.store.requests())

    def clear_requests(self, request: Request) -> Response:
        self.store.clear_requests()
        return Response(status_code=204)

    def list_entities(self, request: Request) -> Response:
        """List the builds and deployments that are stored and readable."""
        return JSONResponse(
            {
                "builds": [_entity_json(update) for update in self.store.entities("builds")],
                "deployments": [_entity_json(update) for update in self.store.entities("deployments")],
            }
        )

    def list_updates(self, request: Request) -> Response:
        """List every accepted update, including stale ones and those that are not readable yet."""
        return JSONResponse([asdict(update) for update in self.store.history()])

    def expire_tokens(self, request: Request) -> Response:
        self.store.expire_tokens()
        return Response(status_code=204)

    def reset(self, request: Request) -> Response:
        """Delete everything stored, and restore the settings and credentials of the start."""
        self.store.reset()
        self.apply_settings(self._initial)
        return Response(status_code=204)


def _entity_json(update: Update) -> dict[str, Any]:
    """Return a stored entity. `issueKeys` are its known keys, even if they were sent as associations."""
    about = {"properties": update.properties, "product": update.product, "receivedAt": update.received_at}
    return {**update.entity, "issueKeys": list(update.issue_keys), **about}


def _with_errors(call: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def handle(request: Request) -> Response:
        try:
            return call(request)
        except ValueError as error:
            return _error(400, str(error))

    return handle


def _json_object(request: Request) -> dict[str, Any]:
    value = parse_json((request.state.body or b"null").decode())
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")
    return value


def _error(status: int, message: str) -> Response:
    return JSONResponse({"errorMessages": [message]}, status)
