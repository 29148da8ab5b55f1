"""Signing requests."""

from __future__ import annotations

from collections.abc import Callable

import requests
from requests.auth import AuthBase


class BearerAuth(AuthBase):
    """Puts `Authorization: Bearer …` on each request, with a token that is fetched when first needed."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._token: str | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.obtain()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def obtain(self) -> None:
        """Fetch the token now, unless there is one."""
        if self._token is None:
            self._token = self._fetch()

    def renew(self) -> None:
        """Forget the token, so that the next request fetches a new one."""
        self._token = None


class CallbackAuth(AuthBase):
    """Signs each request with a function."""

    def __init__(self, sign: Callable[[requests.PreparedRequest], requests.PreparedRequest]) -> None:
        self._sign = sign

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return self._sign(request)
