"""Reading JSON request bodies, and the error responses in each of Jira's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jira_ci_sandbox.records import parse_json


class ApiError(Exception):
    """An error response, raised from below a handler."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def decode_json(body: bytes | None) -> Any:
    """Return the value of a JSON body. Raises ValueError with a sentence for the client."""
    if body is None:
        raise ValueError("The body is too large")
    try:
        return parse_json(body.decode())
    except ValueError as error:
        raise ValueError(f"The body is not JSON: {error}") from error


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"code": status, "message": message}, status, headers)


def unauthorized_response() -> Response:
    answer = {"errorMessages": ["The token is missing, wrong or expired"]}
    return JSONResponse(answer, 401, {"www-authenticate": "Bearer"})


def malformed_response(problems: list[str]) -> Response:
    return JSONResponse([{"message": problem} for problem in problems], 400)
