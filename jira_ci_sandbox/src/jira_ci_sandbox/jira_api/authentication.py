"""Authentication: the endpoints that issue tokens, and the check of a token before every other call."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from jira_ci_sandbox.contract import Kind
from jira_ci_sandbox.credentials import TOKEN_LIFETIME, digest, new_secret, signed_jwt
from jira_ci_sandbox.jira_api.rate_limit import RateLimit
from jira_ci_sandbox.jira_api.responses import (
    ApiError,
    decode_json,
    error_response,
    is_json,
    unauthorized_response,
)
from jira_ci_sandbox.records import Credential
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store
from jira_ci_sandbox.verdict import RULES, Verdict

AUDIENCE = "api.atlassian.com"
SCOPE = "write:build-info:jira write:deployment-info:jira"

Handler: TypeAlias = Callable[[Request], Response]


class Authentication:
    """Issues tokens, and checks them as Jira does."""

    def __init__(self, store: Store, settings: Callable[[], Settings], cloud_id: str) -> None:
        self.store = store
        self.settings = settings
        self.cloud_id = cloud_id
        self.rate_limit = RateLimit()
        self._signing_key = secrets.token_bytes(32)

    def routes(self) -> list[Route]:
        """Return the endpoints that need no token."""
        return [
            Route("/oauth/token", self.oauth_token, methods=["POST"]),
            Route("/token", self.connect_token, methods=["GET"]),
            Route("/_edge/tenant_info", self.tenant_info, methods=["GET"]),
        ]

    def oauth_token(self, request: Request) -> Response:
        """Issue an access token for a client id and its secret."""
        if not is_json(request):
            return error_response(415, "The content type must be application/json")
        try:
            asked = decode_json(request.state.body)
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
            self._log_refusal(request, "client_secret", asked.get("client_secret"))
            return JSONResponse({"error": "access_denied", "error_description": "Unauthorized"}, 401)
        request.state.credential = credential.name
        request.state.verdict = Verdict("good", "issued a token")
        token = new_secret("access-token")
        self._issue(token, credential)
        answer = {"access_token": token, "expires_in": TOKEN_LIFETIME, "token_type": "Bearer", "scope": SCOPE}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    def connect_token(self, request: Request) -> Response:
        """Issue a JSON Web Token for a Connect key, which is a token of the app."""
        credential = self._credential("connect", _bearer_token(request))
        if credential is None:
            self._log_refusal(request, "authorization", _bearer_token(request))
            return unauthorized_response()
        request.state.credential = credential.name
        request.state.verdict = Verdict("good", "issued a token")
        now = int(self.store.clock())
        claims = {"iss": "jira-ci-sandbox", "sub": credential.name, "iat": now, "exp": now + TOKEN_LIFETIME}
        token = signed_jwt(claims | {"jti": secrets.token_hex(8)}, self._signing_key)
        self._issue(token, credential)
        return PlainTextResponse(token, headers={"cache-control": "no-store"})

    def tenant_info(self, request: Request) -> Response:
        """Return the cloud id of the site."""
        return JSONResponse({"cloudId": self.cloud_id})

    def _credential(self, kind: str, secret: Any) -> Credential | None:
        if not isinstance(secret, str):
            return None
        credential = self.store.credential_by_secret(digest(secret))
        return credential if credential is not None and credential.kind == kind else None

    def _log_refusal(self, request: Request, where: str, secret: Any) -> None:
        """Say in the request log, but not to the client, why a secret or token was refused."""
        why = self.store.refusal_reason(digest(secret)) if isinstance(secret, str) and secret else "it is missing"
        request.state.verdict = Verdict("bad", "was refused", ((where, f"{why}; {RULES[401]}"),))

    def _issue(self, token: str, credential: Credential) -> None:
        self.store.add_token(digest(token), credential.name, self.store.clock() + TOKEN_LIFETIME)

    def require_credential(
        self, call: Callable[[Request, Kind], Response], kind: Kind, credential_kind: str
    ) -> Handler:
        """Return a handler that checks token, cloud id, permission and rate limit before `call`."""

        def handle(request: Request) -> Response:
            credential = self.store.credential_by_token(digest(_bearer_token(request)))
            if credential is None or credential.kind != credential_kind:
                self._log_refusal(request, "authorization", _bearer_token(request))
                return unauthorized_response()
            request.state.credential = credential.name
            if not _is_same_cloud_id(unquote(request.path_params.get("cloud_id", self.cloud_id)), self.cloud_id):
                return error_response(404, "There is no site with this cloud id")
            if not credential.permission or (credential.kind == "connect" and not self.store.app().installed):
                return error_response(403, "The app is not installed, or lacks the permission")
            seconds = self.rate_limit.hit(self.settings())
            if seconds:
                wait = int(seconds) + 1
                # As Jira writes it, without seconds.
                reset = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + wait))
                headers = {"retry-after": str(wait), "x-ratelimit-reset": reset, "ratelimit-reason": "jira-burst-based"}
                return error_response(429, "Rate limit exceeded", headers)
            try:
                return call(request, kind)
            except ApiError as refusal:
                return refusal.response

        return handle


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_same_cloud_id(given: str, own: str) -> bool:
    return given.replace("-", "").lower() == own.replace("-", "").lower()
