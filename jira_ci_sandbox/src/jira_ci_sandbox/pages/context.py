"""Shared by all pages: templates, headers, the handling of forms, and the static files."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from jira_ci_sandbox.pages import timestamps
from jira_ci_sandbox.pages.sessions import ROLES, Session, Sessions
from jira_ci_sandbox.queries import Queries
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
STATIC_FILES = {"style.css": "text/css", "script.js": "text/javascript", "icon.svg": "image/svg+xml"}

Form: TypeAlias = dict[str, str]
FormHandler: TypeAlias = Callable[[Request, Session, Form], Response]


class PageContext:
    """Renders pages and handles forms, with the store, its queries, the settings and the sessions."""

    def __init__(
        self, store: Store, settings: Callable[[], Settings], apply_settings: Callable[[Settings], None], cloud_id: str
    ) -> None:
        self.store = store
        self.queries = Queries(store)
        self.settings = settings
        self.apply_settings = apply_settings
        self.cloud_id = cloud_id
        self.sessions = Sessions()
        self._templates = Environment(
            loader=PackageLoader("jira_ci_sandbox"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "address": lambda text: quote(text, safe=""),
            "exact": timestamps.format_exact,
            "iso": timestamps.format_iso,
            "ago": lambda value: timestamps.format_relative(value, store.clock()),
            "combined": lambda one, other: one | other,
            "words": lambda text: text.replace("_", " "),
        }
        self._templates.tests["web_address"] = is_web_address
        self._templates.globals |= {"with_query": with_query, "roles": ROLES}

    def routes(self) -> list[Route]:
        """Return the routes of the static files, and of the form that chooses a role."""
        files = [
            Route(f"/{name}", self._static_file(name, kind), methods=["GET"]) for name, kind in STATIC_FILES.items()
        ]
        return [*files, Route("/person", self.form_handler(self._choose_role), methods=["POST"])]

    def render_page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        session = self.sessions.of(request)
        shown = {
            "url": str(request.base_url).rstrip("/"),
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "session": session,
            "cloud_id": self.cloud_id,
            "app": self.store.app(),
            "projects": self.settings().projects,
        }
        response = HTMLResponse(self.render_template(template, **shown | values), status, SECURITY_HEADERS)
        self.sessions.set_cookies(session, request, response)
        return response

    def render_template(self, template: str, **values: Any) -> str:
        """Return a piece of a page."""
        return self._templates.get_template(template).render(values)

    def render_refusal(
        self, request: Request, status: int, what: str, why: str, remedy: str, back: str = "/"
    ) -> Response:
        """Return an error page that says what happened, why, and what to do."""
        return self.render_page(request, "refused.html", status, what=what, why=why, remedy=remedy, back=back)

    def form_handler(self, handler: FormHandler, administrators: bool = False) -> Callable[[Request], Response]:
        """Return a handler that accepts forms from the sandbox's own pages only.

        With `administrators`, it refuses those of other roles as well.
        """

        def handle(request: Request) -> Response:
            body = request.state.body
            form = dict(parse_qsl((body or b"").decode("utf-8", "replace"), keep_blank_values=True))
            session = self.sessions.of(request)
            reason = self.sessions.form_refusal(session, request, form)
            if reason is not None:
                remedy = "Load the page again and repeat it."
                return self.render_refusal(request, 403, "Nothing was changed.", reason, remedy)
            if administrators and not session.is_administrator:
                why = "Only an administrator of the site may do this, and you are looking as a team member."
                remedy = "Look as Administrator, or ask one."
                return self.render_refusal(request, 403, "Nothing was changed.", why, remedy)
            return handler(request, session, form)

        return handle

    def _choose_role(self, request: Request, session: Session, form: Form) -> Response:
        response = redirect_to(form.get("back", "/"))
        role = form.get("person")
        self.sessions.set_cookies(session, request, response, role if role in ROLES else None)
        return response

    def _static_file(self, name: str, kind: str) -> Callable[[Request], Response]:
        content = resources.files("jira_ci_sandbox").joinpath("templates", name).read_text(encoding="utf-8")

        def handle(request: Request) -> Response:
            return Response(content, media_type=kind, headers={"x-content-type-options": "nosniff"})

        return handle


def redirect_to(address: str) -> Response:
    """Redirect to a page of the sandbox. Any address that may lead elsewhere is replaced by the start page."""
    is_own = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return RedirectResponse(address if is_own else "/", 303)


def is_web_address(text: str) -> bool:
    """Return whether a text is an http or https address. Others, such as javascript:, must not become links."""
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False


def with_query(path: str, **values: Any) -> str:
    """Return a path with a query of the values that are neither None nor empty."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def parse_number(text: str | None, otherwise: int = 1) -> int:
    """Return the number in a text, or `otherwise` if the text is missing or is not a number of up to 9 digits."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else otherwise
