"""Browser sessions: the role in which a visitor looks at the pages, the token of its forms, and flashed secrets.

The sandbox has no sign-in. A session protects forms against other sites, and its role is one to try out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

SESSION_COOKIE = "sandbox_session"
ROLE_COOKIE = "sandbox_person"
ROLES = {"administrator": "Administrator", "member": "Team member"}
CSRF_FIELD = "token"
MAX_FLASHES = 100


@dataclass(frozen=True)
class Session:
    """One browser's session."""

    id: str
    role: str
    csrf_token: str

    @property
    def is_administrator(self) -> bool:
        """Whether this session may change what belongs to the whole site."""
        return self.role == "administrator"


class Sessions:
    """Recognises sessions by their cookies, and their forms by a token that only the sandbox's own pages hold.

    The key is new with every start, so a form of an older page is refused and has to be loaded again.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._flashes: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def of(self, request: Request) -> Session:
        """Return the session of a request, a new one if it has none."""
        id = request.cookies.get(SESSION_COOKIE) or secrets.token_urlsafe(24)
        role = request.cookies.get(ROLE_COOKIE, "")
        token = hmac.new(self._key, id.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        return Session(id, role if role in ROLES else "administrator", token)

    def set_cookies(self, session: Session, request: Request, response: Response, role: str | None = None) -> None:
        """Set the cookie of a new session, and that of a role that was chosen."""
        values = {SESSION_COOKIE: session.id if SESSION_COOKIE not in request.cookies else None, ROLE_COOKIE: role}
        for name, value in values.items():
            if value is not None:
                is_secure = request.url.scheme == "https"
                response.set_cookie(name, value, httponly=True, samesite="lax", secure=is_secure)

    def form_refusal(self, session: Session, request: Request, form: Mapping[str, str]) -> str | None:
        """Return why a form that may come from another site is refused, or None."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return "It came from a page of another site."
        if not hmac.compare_digest(form.get(CSRF_FIELD, "").encode("utf-8", "replace"), session.csrf_token.encode()):
            return "Its page is from before the last start of this Jira, or from another site."
        return None

    def flash(self, session: Session, kind: str, value: Any) -> None:
        """Keep a value for the next page of a session: a secret, which is shown once."""
        self._flashes[session.id, kind] = value
        while len(self._flashes) > MAX_FLASHES:
            self._flashes.popitem(last=False)

    def take_flash(self, session: Session, kind: str) -> Any:
        """Return a flashed value and forget it; None if there is none."""
        return self._flashes.pop((session.id, kind), None)
