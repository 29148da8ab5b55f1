"""The endpoints that Jira has: tokens, the cloud id, the bulk calls, and one entity at a time.

Addresses are matched while still percent-encoded, because an id may hold a slash; the handlers decode.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from jira_ci_sandbox import contract, tokens
from jira_ci_sandbox.contract import ISSUE_ASSOCIATION_TYPES, Kind
from jira_ci_sandbox.records import Credential, Update
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store
from jira_ci_sandbox.verdict import RULES, Verdict, on_bulk

AUDIENCE = "api.atlassian.com"
SCOPE = "write:build-info:jira write:deployment-info:jira"
CLOUD_BASE = "/jira/{kind}/0.1/cloud/{{cloud_id}}"
SITE_BASE = "/rest/{kind}/0.1"
# What an entity's address ends with, below the base, and which field of its key each part is.
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

Handler: TypeAlias = Callable[[Request], Response]


class InvalidValueError(Exception):
    """An answer other than success, raised from wherever it becomes clear."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class RateLimit:
    """Counts the calls of the last period. Jira has one limit for a whole site, so there is one count.

    It begins anew whenever the settings change.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()
        self._settings: Settings | None = None

    def wait(self, settings: Settings) -> float:
        """Count one call. Returns 0.0, or the seconds to wait where it is one too many."""
        with self._lock:
            now = self._clock()
            if settings is not self._settings:
                self._calls.clear()
                self._settings = settings
            while self._calls and self._calls[0] <= now - settings.rate_period:
                self._calls.popleft()
            if settings.rate_limit and len(self._calls) >= settings.rate_limit:
                return self._calls[0] + settings.rate_period - now
            self._calls.append(now)
            return 0.0


class Jira:
    """Jira's side of the contract, over a store."""

    def __init__(self, store: Store, settings: Callable[[], Settings], cloud_id: str) -> None:
        self.store = store
        self.settings = settings
        self.cloud_id = cloud_id
        self.rate_limit = RateLimit()
        self._signing_key = secrets.token_bytes(32)

    def routes(self) -> list[Route]:
        """Return every address that Jira answers on."""
        routes = [
            Route("/oauth/token", self.oauth_token, methods=["POST"]),
            Route("/token", self.connect_token, methods=["GET"]),
            Route("/_edge/tenant_info", self.tenant_info, methods=["GET"]),
        ]
        for kind, (address, parts) in ADDRESSES.items():
            for base, credential_kind in ((CLOUD_BASE, "oauth"), (SITE_BASE, "connect")):
                calls: list[tuple[str, str, Callable[[Request, Kind], Response]]] = [
                    ("POST", "/bulk", self._bulk),
                    ("DELETE", "/bulkByProperties", self._delete_by_properties),
                    ("GET", address, self._on_entity(parts, self._read)),
                    ("DELETE", address, self._on_entity(parts, self._delete)),
                ]
                if kind == "deployments":
                    calls.append(("GET", address + "/gating-status", self._on_entity(parts, self._gating_status)))
                path = base.format(kind=kind)
                routes += [
                    Route(path + end, self._guarded(call, kind, credential_kind), methods=[method])
                    for method, end, call in calls
                ]
        return routes

    # Signing in

    def oauth_token(self, request: Request) -> Response:
        """Issue an access token for a client id and its secret."""
        if not _is_json(request):
            return _error(415, "The content type must be application/json")
        try:
            asked = _decoded(request.state.body)
        except ValueError as error:
            return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)
        if not isinstance(asked, dict):
            return JSONResponse({"error": "invalid_request", "error_description": "The body must be an object"}, 400)
        if asked.get("grant_type") != "client_credentials":
            description = "grant_type must be client_credentials"
            return JSONResponse({"error": "unsupported_grant_type", "error_description": description}, 400)
        if asked.get("audience") != AUDIENCE:
            return JSONResponse({"error": "invalid_request", "error_description": f"audience must be {AUDIENCE}"}, 400)
        credential = self._credential("oauth", asked.get("client_secret"))
        if credential is None or credential.client_id != asked.get("client_id"):
            self._explain(request, "client_secret", asked.get("client_secret"))
            return JSONResponse({"error": "access_denied", "error_description": "Unauthorized"}, 401)
        request.state.credential = credential.name
        request.state.verdict = Verdict("good", "issued a token")
        token = tokens.new_secret("access-token")
        self._issue(token, credential)
        answer = {"access_token": token, "expires_in": tokens.LIFETIME, "token_type": "Bearer", "scope": SCOPE}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    def connect_token(self, request: Request) -> Response:
        """Issue a JSON Web Token for a Connect key."""
        credential = self._credential("connect", _bearer(request))
        if credential is None:
            self._explain(request, "authorization", _bearer(request))
            return _unauthorized()
        request.state.credential = credential.name
        request.state.verdict = Verdict("good", "issued a token")
        now = int(self.store.clock())
        claims = {"iss": "jira-ci-sandbox", "sub": credential.name, "iat": now, "exp": now + tokens.LIFETIME}
        token = tokens.signed_jwt(claims | {"jti": secrets.token_hex(8)}, self._signing_key)
        self._issue(token, credential)
        return PlainTextResponse(token, headers={"cache-control": "no-store"})

    def tenant_info(self, request: Request) -> Response:
        """Tell the cloud id."""
        return JSONResponse({"cloudId": self.cloud_id})

    def _credential(self, kind: str, secret: Any) -> Credential | None:
        if not isinstance(secret, str):
            return None
        credential = self.store.credential_by_secret(tokens.digest(secret))
        return credential if credential is not None and credential.kind == kind else None

    def _explain(self, request: Request, where: str, secret: Any) -> None:
        """Tell whoever looks at the log, not the client, why nobody was let in."""
        why = self.store.why_refused(tokens.digest(secret)) if isinstance(secret, str) and secret else "it is missing"
        request.state.verdict = Verdict("bad", "was refused", ((where, f"{why}; {RULES[401]}"),))

    def _issue(self, token: str, credential: Credential) -> None:
        self.store.add_token(tokens.digest(token), credential.name, self.store.clock() + tokens.LIFETIME)

    def _guarded(self, call: Callable[[Request, Kind], Response], kind: Kind, credential_kind: str) -> Handler:
        """Return a handler that lets in whom Jira would let in."""

        def handle(request: Request) -> Response:
            credential = self.store.credential_by_token(tokens.digest(_bearer(request)))
            if credential is None or credential.kind != credential_kind:
                self._explain(request, "authorization", _bearer(request))
                return _unauthorized()
            request.state.credential = credential.name
            if not _is_cloud_id(unquote(request.path_params.get("cloud_id", self.cloud_id)), self.cloud_id):
                return _error(404, "There is no site with this cloud id")
            if not credential.permission or (credential.kind == "connect" and not self.store.app().installed):
                return _error(403, "The app is not installed, or lacks the permission")
            seconds = self.rate_limit.wait(self.settings())
            if seconds:
                return _error(429, "Rate limit exceeded", {"retry-after": str(int(seconds) + 1)})
            try:
                return call(request, kind)
            except InvalidValueError as refusal:
                return refusal.response

        return handle

    # The bulk call

    def _bulk(self, request: Request, kind: Kind) -> Response:
        settings = self.settings()
        if not _is_json(request):
            return _error(415, "The content type must be application/json")
        if request.state.body is None:
            return _error(413, f"The request is larger than {settings.max_bytes} bytes; send fewer entities")
        try:
            body = _decoded(request.state.body)
        except ValueError as error:
            return _malformed([str(error)])
        problems = contract.request_problems(body, kind)
        if problems:
            return _malformed(problems)
        if len(body[kind]) > settings.max_entities:
            return _error(413, f"More than {settings.max_entities} {kind} in one request; send fewer entities")
        receipt = Receipt(kind, settings, request.state.credential)
        for entity in body[kind]:
            receipt.take(entity, body)
        stale = self.store.record(receipt.updates, settings.storage_delay)
        request.state.verdict = receipt.verdict(stale)
        return JSONResponse(receipt.as_json(), 202)

    # One entity at a time

    def _on_entity(
        self, parts: Mapping[str, str], call: Callable[[Request, Kind, dict[str, Any]], Response]
    ) -> Callable[[Request, Kind], Response]:
        """Return a handler that gets the key which the address names."""

        def handle(request: Request, kind: Kind) -> Response:
            key: dict[str, Any] = {name: unquote(request.path_params[part]) for name, part in parts.items()}
            number = list(parts)[-1]
            key[number] = _integer(key[number], number)
            return call(request, kind, key)

        return handle

    def _read(self, request: Request, kind: Kind, key: dict[str, Any]) -> Response:
        return JSONResponse(self._stored(kind, key).entity)

    def _delete(self, request: Request, kind: Kind, key: dict[str, Any]) -> Response:
        self.store.delete(kind, key, _up_to(request))
        return Response(status_code=202)

    def _gating_status(self, request: Request, kind: Kind, key: dict[str, Any]) -> Response:
        entity = self._stored(kind, key).entity
        settings = self.settings()
        status, issues = (settings.gate, settings.gate_issues) if entity.get("commands") else ("allowed", ())
        link = f"{request.base_url}browse/"
        details = [{"type": "issue", "issueKey": issue, "issueLink": link + issue} for issue in issues]
        return JSONResponse(
            key | {"updatedTimestamp": entity["lastUpdated"], "gatingStatus": status, "details": details}
        )

    def _delete_by_properties(self, request: Request, kind: Kind) -> Response:
        up_to = _up_to(request)
        properties = {name: value for name, value in request.query_params.items() if not name.startswith("_")}
        if not properties:
            return _malformed(["at least one property is required, as name=value"])
        self.store.delete_by_properties(kind, properties, up_to)
        return Response(status_code=202)

    def _stored(self, kind: Kind, key: dict[str, Any]) -> Update:
        found = self.store.entity(kind, key)
        if found is None:
            raise InvalidValueError(_error(404, f"No data found for {json.dumps(key)}"))
        return found


class Receipt:
    """The answer to one bulk call while it grows, entity by entity."""

    def __init__(self, kind: Kind, settings: Settings, credential: str | None) -> None:
        self.updates: list[Update] = []
        self._credential = credential
        self._kind = kind
        self._settings = settings
        self._accepted: list[dict[str, Any]] = []
        self._rejected: list[dict[str, Any]] = []
        self._unknown_keys: dict[str, None] = {}
        self._unknown_associations: dict[str, dict[str, None]] = {}

    def take(self, entity: Any, body: Mapping[str, Any]) -> None:
        """Judge one entity of a request: accept it for what is known, or reject it."""
        key = contract.entity_key(entity, self._kind)
        problems = contract.entity_problems(entity, self._kind)
        if problems:
            self._reject(key, problems)
            return
        known, issue_keys = self._known_part(entity)
        if known is None:
            self._reject(key, ["All the issue keys and other associations are unknown"])
            return
        self._accepted.append(key)
        self.updates.append(
            Update(
                kind=self._kind,
                key=key,
                sequence=entity["updateSequenceNumber"],
                entity=known,
                issue_keys=tuple(dict.fromkeys(issue_keys)),
                properties=body.get("properties", {}),
                product=body.get("providerMetadata", {}).get("product"),
                received=None if known == entity else entity,
                credential=self._credential,
            )
        )

    def as_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        noun = self._kind.capitalize()
        return {
            f"accepted{noun}": self._accepted,
            f"rejected{noun}": self._rejected,
            "unknownIssueKeys": list(self._unknown_keys),
            "unknownAssociations": [
                {"associationType": name, "values": list(values)} for name, values in self._unknown_associations.items()
            ],
        }

    def verdict(self, stale: int) -> Verdict:
        """Return the verdict on the call, of whose updates so many were stale."""

        def messages(one: dict[str, Any]) -> list[str]:
            return [error["message"] for error in one["errors"]]

        rejected = [
            (
                ", ".join(f"{value}" for value in one["key"].values() if value is not None) or "no identity",
                messages(one),
            )
            for one in self._rejected
        ]
        unknown = [*self._unknown_keys, *(value for values in self._unknown_associations.values() for value in values)]
        known = f"an issue exists when its project does: {', '.join(self._settings.projects)}"
        return on_bulk(self._kind.removesuffix("s"), len(self._accepted), stale, rejected, unknown, known)

    def _reject(self, key: Mapping[str, Any], problems: list[str]) -> None:
        errors = [{"message": problem, "errorTraceId": uuid.uuid4().hex} for problem in problems]
        self._rejected.append({"key": key, "errors": errors})

    def _known_part(self, entity: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the entity with only what is known here, and its issue keys; None where nothing is."""
        if "issueKeys" in entity:
            known, unknown = _split(entity["issueKeys"], self._settings.knows_issue)
            self._unknown_keys |= dict.fromkeys(unknown)
            return ({**entity, "issueKeys": known} if known else None), known
        associations, issue_keys = [], []
        for association in entity["associations"]:
            name, values = association["associationType"], association["values"]
            is_issue = name in ISSUE_ASSOCIATION_TYPES
            is_known = self._settings.knows_issue if is_issue else self._settings.knows_service
            known, unknown = _split(values, is_known)
            if unknown:
                self._unknown_associations.setdefault(name, {}).update(dict.fromkeys(unknown))
            if known:
                associations.append({**association, "values": known})
            if is_issue:
                issue_keys += known
        return ({**entity, "associations": associations} if associations else None), issue_keys


def _split(values: list[str], is_known: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    return [value for value in values if is_known(value)], [value for value in values if not is_known(value)]


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _decoded(body: bytes | None) -> Any:
    """Return a JSON body. Raises ValueError with a sentence."""
    if body is None:
        raise ValueError("The body is too large")
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The body is not JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_cloud_id(given: str, own: str) -> bool:
    return given.replace("-", "").lower() == own.replace("-", "").lower()


def _integer(text: str, name: str) -> int:
    if not re.fullmatch("-?[0-9]{1,19}", text) or not contract.SMALLEST <= int(text) <= contract.LARGEST:
        raise InvalidValueError(_malformed([f"{name} must be an integer of at most 64 bits"]))
    return int(text)


def _up_to(request: Request) -> int | None:
    name = "_updateSequenceNumber"
    return _integer(request.query_params[name], name) if name in request.query_params else None


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"code": status, "message": message}, status, headers)


def _unauthorized() -> Response:
    answer = {"errorMessages": ["The token is missing, wrong or expired"]}
    return JSONResponse(answer, 401, {"www-authenticate": "Bearer"})


def _malformed(problems: list[str]) -> Response:
    return JSONResponse([{"message": problem} for problem in problems], 400)
