"""The endpoints of builds and deployments: bulk calls, and single entities."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jira_ci_sandbox import contract
from jira_ci_sandbox.contract import Kind
from jira_ci_sandbox.jira_api.bulk_response import BulkResponse
from jira_ci_sandbox.jira_api.responses import (
    ApiError,
    decode_json,
    error_response,
    is_json,
    malformed_response,
)
from jira_ci_sandbox.records import Update
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store

# The path of an entity below the base, and the parameter that holds each field of its key.
ADDRESSES: dict[Kind, tuple[str, dict[str, str]]] = {
    "builds": (
        "/pipelines/{pipeline}/builds/{number}",
        {"pipelineId": "pipeline", "buildNumber": "number"},
    ),
    "deployments": (
        "/pipelines/{pipeline}/environments/{environment}/deployments/{number}",
        {"pipelineId": "pipeline", "environmentId": "environment", "deploymentSequenceNumber": "number"},
    ),
}


class EntityEndpoints:
    """The endpoints that read and write builds and deployments."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self.store = store
        self.settings = settings

    def endpoints(self, kind: Kind) -> list[tuple[str, str, Callable[[Request, Kind], Response]]]:
        """Return the endpoints of a kind, each with its method, its path below the base, and its handler."""
        address, parts = ADDRESSES[kind]
        calls: list[tuple[str, str, Callable[[Request, Kind], Response]]] = [
            ("POST", "/bulk", self._bulk),
            ("DELETE", "/bulkByProperties", self._delete_by_properties),
            ("GET", address, self._with_key(parts, self._read)),
            ("DELETE", address, self._with_key(parts, self._delete)),
        ]
        if kind == "deployments":
            calls.append(("GET", address + "/gating-status", self._with_key(parts, self._gating_status)))
        return calls

    # Bulk calls

    def _bulk(self, request: Request, kind: Kind) -> Response:
        settings = self.settings()
        if not is_json(request):
            return error_response(415, "The content type must be application/json")
        if request.state.body is None:
            return error_response(413, f"The request is larger than {settings.max_bytes} bytes; send fewer entities")
        try:
            body = decode_json(request.state.body)
        except ValueError as error:
            return malformed_response([str(error)])
        problems = contract.request_problems(body, kind)
        if problems:
            return malformed_response(problems)
        if len(body[kind]) > settings.max_entities:
            return error_response(413, f"More than {settings.max_entities} {kind} in one request; send fewer entities")
        response = BulkResponse(kind, settings, request.state.credential)
        for entity in body[kind]:
            response.add(entity, body)
        stale = self.store.record(response.updates, settings.storage_delay)
        request.state.verdict = response.verdict(stale)
        return JSONResponse(response.as_json(), 202)

    # Single entities

    def _with_key(
        self, parts: Mapping[str, str], call: Callable[[Request, Kind, dict[str, Any]], Response]
    ) -> Callable[[Request, Kind], Response]:
        """Return a handler that passes the key in the path on to `call`."""

        def handle(request: Request, kind: Kind) -> Response:
            key: dict[str, Any] = {name: unquote(request.path_params[part]) for name, part in parts.items()}
            number = list(parts)[-1]
            key[number] = _parse_integer(key[number], number)
            return call(request, kind, key)

        return handle

    def _read(self, request: Request, kind: Kind, key: dict[str, Any]) -> Response:
        return JSONResponse(self._find(kind, key).entity)

    def _delete(self, request: Request, kind: Kind, key: dict[str, Any]) -> Response:
        self.store.delete(kind, key)
        return Response(status_code=202)

    def _gating_status(self, request: Request, kind: Kind, key: dict[str, Any]) -> Response:
        entity = self._find(kind, key).entity
        settings = self.settings()
        status, issues = (settings.gate, settings.gate_issues) if entity.get("commands") else ("allowed", ())
        link = f"{request.base_url}browse/"
        details = [{"type": "issue", "issueKey": issue, "issueLink": link + issue} for issue in issues]
        return JSONResponse(
            key | {"updatedTimestamp": entity["lastUpdated"], "gatingStatus": status, "details": details}
        )

    def _delete_by_properties(self, request: Request, kind: Kind) -> Response:
        # Jira supports `_updateSequenceNumber` no longer: it deletes whatever the number is.
        properties = {name: value for name, value in request.query_params.items() if not name.startswith("_")}
        if not properties:
            return malformed_response(["at least one property is required, as name=value"])
        self.store.delete_by_properties(kind, properties)
        return Response(status_code=202)

    def _find(self, kind: Kind, key: dict[str, Any]) -> Update:
        found = self.store.entity(kind, key)
        if found is None:
            raise ApiError(error_response(404, f"No data found for {json.dumps(key)}"))
        return found


def _parse_integer(text: str, name: str) -> int:
    if not re.fullmatch("-?[0-9]{1,19}", text) or not contract.MIN_INTEGER <= int(text) <= contract.MAX_INTEGER:
        raise ApiError(malformed_response([f"{name} must be an integer of at most 64 bits"]))
    return int(text)
