"""Who looks at a page: a browser with a session, as an administrator or as a member of the team.

Nobody signs in to a sandbox. The session is what forms are protected with, and the person is a role to try.
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

SESSION = "sandbox_session"
PERSON = "sandbox_person"
PERSONS = {"administrator": "Administrator", "member": "Team member"}
TOKEN = "token"  # noqa: S105 (the name of a form's field)
MOST_KEPT = 100


@dataclass(frozen=True)
class Visitor:
    """A browser, and whose part it takes."""

    session: str
    person: str
    token: str

    @property
    def is_administrator(self) -> bool:
        """Whether this visitor may change what concerns everybody."""
        return self.person == "administrator"


class Visitors:
    """Knows visitors by their cookies, and forms by a token that only a page of ours can hold.

    The key is new with every start: a form of an older page is refused, and its reader told to load it again.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def of(self, request: Request) -> Visitor:
        """Return who asks. One that comes for the first time gets a session."""
        session = request.cookies.get(SESSION) or secrets.token_urlsafe(24)
        person = request.cookies.get(PERSON, "")
        token = hmac.new(self._key, session.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        return Visitor(session, person if person in PERSONS else "administrator", token)

    def remember(self, visitor: Visitor, request: Request, response: Response, person: str | None = None) -> None:
        """Let the browser keep the session, and the person where another one was chosen."""
        values = {SESSION: visitor.session if SESSION not in request.cookies else None, PERSON: person}
        for name, value in values.items():
            if value is not None:
                is_secure = request.url.scheme == "https"
                response.set_cookie(name, value, httponly=True, samesite="lax", secure=is_secure)

    def refusal(self, visitor: Visitor, request: Request, form: Mapping[str, str]) -> str | None:
        """Return why a form must not be taken: another site may have sent it."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return "It came from a page of another site."
        if not hmac.compare_digest(form.get(TOKEN, "").encode("utf-8", "replace"), visitor.token.encode()):
            return "Its page is from before the last start of this Jira, or from another site."
        return None

    def keep(self, visitor: Visitor, what: str, value: Any) -> None:
        """Keep something for the next page of a visitor: a secret that is shown once."""
        self._kept[visitor.session, what] = value
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def take(self, visitor: Visitor, what: str) -> Any:
        """Return what was kept, once; then None."""
        return self._kept.pop((visitor.session, what), None)
