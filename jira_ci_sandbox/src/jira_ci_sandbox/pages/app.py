"""The pages of the Harness CI Jira app: installing it, its tokens, and the OAuth clients of the site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jira_ci_sandbox.credentials import mint_credential
from jira_ci_sandbox.pages.context import Form, PageContext, redirect_to
from jira_ci_sandbox.pages.sessions import Session
from jira_ci_sandbox.records import AppState, Credential

MAX_NAME_LENGTH = 100
MAX_SHOWN = 100
CONFIGURE, LINKS = "/app/configure", "/app/links"


class AppPages:
    """The pages of the app, of its tokens, and of OAuth clients (in Jira, incoming links)."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._store = context.store

    def routes(self) -> list[Route]:
        pages: dict[str, Callable[[Request], Response]] = {
            "/app": self.app,
            CONFIGURE: self.configure,
            LINKS: self.links,
        }
        forms = {
            "/app/install": self._context.form_handler(self.install, administrators=True),
            "/app/uninstall": self._context.form_handler(self.uninstall, administrators=True),
            f"{CONFIGURE}/permission": self._context.form_handler(self.permit, administrators=True),
            f"{CONFIGURE}/generate": self._context.form_handler(self.generate),
            f"{CONFIGURE}/revoke": self._context.form_handler(self.revoke_token),
            f"{LINKS}/create": self._context.form_handler(self.create_link, administrators=True),
            f"{LINKS}/revoke": self._context.form_handler(self.revoke_link, administrators=True),
        }
        return [
            *(Route(path, page, methods=["GET"]) for path, page in pages.items()),
            *(Route(path, form, methods=["POST"]) for path, form in forms.items()),
        ]

    def app(self, request: Request) -> Response:
        """Show whether the app is installed."""
        tokens = [one for one in self._store.credentials() if one.kind == "connect" and not one.revoked]
        links = [one for one in self._store.credentials() if one.kind == "oauth" and not one.revoked]
        return self._context.render_page(request, "app.html", tokens=len(tokens), links=len(links))

    def install(self, request: Request, session: Session, form: Form) -> Response:
        self._store.set_app(replace(self._store.app(), installed=True))
        return redirect_to(CONFIGURE)

    def uninstall(self, request: Request, session: Session, form: Form) -> Response:
        """Uninstall the app, and revoke all its tokens."""
        self._store.set_app(AppState())
        return redirect_to("/app")

    def permit(self, request: Request, session: Session, form: Form) -> Response:
        """Allow all users to generate tokens, or administrators only."""
        self._store.set_app(replace(self._store.app(), users_may_generate=form.get("allowed") == "yes"))
        return redirect_to(CONFIGURE)

    # The tokens of the app

    def configure(self, request: Request) -> Response:
        """Show the tokens that the session may see."""
        return self._configure(request)

    def generate(self, request: Request, session: Session, form: Form) -> Response:
        """Generate a token. The next page shows it once."""
        app = self._store.app()
        if not app.installed:
            why = "The app is not installed on this site."
            remedy = "Install the app."
            return self._context.render_refusal(request, 409, "No token was generated.", why, remedy, "/app")
        if not (session.is_administrator or app.users_may_generate):
            why = "The administrator of this site has not allowed users to generate their own tokens."
            remedy = "Ask an administrator for a token, or to switch that on."
            return self._context.render_refusal(request, 403, "No token was generated.", why, remedy, CONFIGURE)
        return self._create_credential("connect", request, session, form)

    def revoke_token(self, request: Request, session: Session, form: Form) -> Response:
        """Revoke a token: one of its own role, or any as an administrator."""
        return self._revoke_credential("connect", request, session, form)

    # Incoming links

    def links(self, request: Request) -> Response:
        """Show the OAuth clients that the session may see."""
        return self._links(request)

    def create_link(self, request: Request, session: Session, form: Form) -> Response:
        """Create an OAuth client. The next page shows its secret once."""
        return self._create_credential("oauth", request, session, form)

    def revoke_link(self, request: Request, session: Session, form: Form) -> Response:
        return self._revoke_credential("oauth", request, session, form)

    # Both

    def _create_credential(self, kind: str, request: Request, session: Session, form: Form) -> Response:
        name = form.get("name", "").strip()
        problem = None
        if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
            problem = f"Give it a name of 1 to {MAX_NAME_LENGTH} characters, such as the pipeline that will use it."
        else:
            try:
                made = mint_credential(self._store, kind, name, owner=session.role)
            except ValueError:
                problem = f"There is one named {name} already, perhaps a revoked one. Choose another name."
        if problem is not None:
            show = self._configure if kind == "connect" else self._links
            return show(request, 400, problem=problem, name=name)
        self._context.sessions.flash(session, kind, made)
        return redirect_to(f"{CONFIGURE if kind == 'connect' else LINKS}#made")

    def _revoke_credential(self, kind: str, request: Request, session: Session, form: Form) -> Response:
        known = [one.name for one in self._visible(kind, session)]
        back = CONFIGURE if kind == "connect" else LINKS
        if form.get("name") not in known:
            why = "There is none of this name, or it belongs to another user."
            remedy = "Choose one from the list."
            return self._context.render_refusal(request, 404, "Nothing was revoked.", why, remedy, back)
        self._store.revoke(form["name"])
        return redirect_to(back)

    def _visible(self, kind: str, session: Session) -> list[Credential]:
        """Return the credentials that a session may see, newest first, with revoked ones last."""
        found = [one for one in self._store.credentials() if one.kind == kind]
        own = [one for one in reversed(found) if session.is_administrator or one.owner == session.role]
        return sorted(own, key=lambda one: one.revoked)

    def _configure(self, request: Request, status: int = 200, problem: str = "", name: str = "") -> Response:
        if not self._store.app().installed:
            return self.app(request)
        return self._list("connect", "configure.html", request, status, problem, name)

    def _links(self, request: Request, status: int = 200, problem: str = "", name: str = "") -> Response:
        return self._list("oauth", "links.html", request, status, problem, name)

    def _list(self, kind: str, template: str, request: Request, status: int, problem: str, name: str) -> Response:
        session = self._context.sessions.of(request)
        credentials = self._visible(kind, session)
        values: dict[str, Any] = {
            "credentials": credentials[:MAX_SHOWN],
            "more": max(0, len(credentials) - MAX_SHOWN),
            "made": self._context.sessions.take_flash(session, kind),
            "problem": problem,
            "name": name,
        }
        return self._context.render_page(request, template, status, **values)
