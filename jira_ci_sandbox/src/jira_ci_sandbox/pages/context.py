"""What all pages share: the templates, the headers, forms, the style sheet and the script."""

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
from jira_ci_sandbox.pages.sessions import PERSONS, Visitor, Visitors
from jira_ci_sandbox.queries import Reading
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
FILES = {"style.css": "text/css", "script.js": "text/javascript", "icon.svg": "image/svg+xml"}

Form: TypeAlias = dict[str, str]
FormHandler: TypeAlias = Callable[[Request, Visitor, Form], Response]


class Frame:
    """Renders pages and takes forms."""

    def __init__(
        self, store: Store, settings: Callable[[], Settings], keep: Callable[[Settings], None], cloud_id: str
    ) -> None:
        self.store = store
        self.reading = Reading(store)
        self.settings = settings
        self.keep_settings = keep
        self.cloud_id = cloud_id
        self.visitors = Visitors()
        self._templates = Environment(
            loader=PackageLoader("jira_ci_sandbox"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "address": lambda text: quote(text, safe=""),
            "exact": timestamps.exact,
            "machine": timestamps.machine,
            "ago": lambda value: timestamps.relative(value, store.clock()),
            "combined": lambda one, other: one | other,
            "words": lambda text: text.replace("_", " "),
        }
        self._templates.tests["web_address"] = is_web_address
        self._templates.globals |= {"with_query": with_query, "persons": PERSONS}

    def routes(self) -> list[Route]:
        """Return the addresses of the files and of the choice of a person."""
        files = [Route(f"/{name}", self._file(name, kind), methods=["GET"]) for name, kind in FILES.items()]
        return [*files, Route("/person", self.form(self._choose_person), methods=["POST"])]

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page."""
        visitor = self.visitors.of(request)
        shown = {
            "url": str(request.base_url).rstrip("/"),
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "visitor": visitor,
            "cloud_id": self.cloud_id,
            "app": self.store.app(),
            "projects": self.settings().projects,
        }
        response = HTMLResponse(self.render(template, **shown | values), status, HEADERS)
        self.visitors.remember(visitor, request, response)
        return response

    def render(self, template: str, **values: Any) -> str:
        """Return a piece of a page."""
        return self._templates.get_template(template).render(values)

    def refused(self, request: Request, status: int, what: str, why: str, remedy: str, back: str = "/") -> Response:
        """Return the page that says what did not happen, why, and what to do."""
        return self.page(request, "refused.html", status, what=what, why=why, remedy=remedy, back=back)

    def form(self, handler: FormHandler, administrators: bool = False) -> Callable[[Request], Response]:
        """Return a handler that takes a form from our own pages only, and from administrators only where it must."""

        def handle(request: Request) -> Response:
            body = request.state.body
            form = dict(parse_qsl((body or b"").decode("utf-8", "replace"), keep_blank_values=True))
            visitor = self.visitors.of(request)
            reason = self.visitors.refusal(visitor, request, form)
            if reason is not None:
                return self.refused(request, 403, "Nothing was changed.", reason, "Load the page again and repeat it.")
            if administrators and not visitor.is_administrator:
                why = "Only an administrator of the site may do this, and you are looking as a team member."
                return self.refused(request, 403, "Nothing was changed.", why, "Look as Administrator, or ask one.")
            return handler(request, visitor, form)

        return handle

    def _choose_person(self, request: Request, visitor: Visitor, form: Form) -> Response:
        response = to(form.get("back", "/"))
        person = form.get("person")
        self.visitors.remember(visitor, request, response, person if person in PERSONS else None)
        return response

    def _file(self, name: str, kind: str) -> Callable[[Request], Response]:
        content = resources.files("jira_ci_sandbox").joinpath("templates", name).read_text(encoding="utf-8")

        def handle(request: Request) -> Response:
            return Response(content, media_type=kind, headers={"x-content-type-options": "nosniff"})

        return handle


def to(address: str) -> Response:
    """Send a browser on to a page of ours; to the first one, where the address might be somebody else's."""
    is_ours = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return RedirectResponse(address if is_ours else "/", 303)


def is_web_address(text: str) -> bool:
    """Tell whether a browser may follow this: never javascript: and its like."""
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False


def with_query(path: str, **values: Any) -> str:
    """Return an address with those values in its query that say something."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def number(text: str | None, otherwise: int = 1) -> int:
    """Return the number that a query names; whatever else stands there is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else otherwise
