"""The pages that people look at: issues with their builds and deployments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store, Update

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
MOST_ISSUES = 50


class Pages:
    """The pages, over a store."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self.store = store
        self.settings = settings
        loader = PackageLoader("jira_ci_sandbox")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        self._templates.filters["address"] = lambda text: quote(text, safe="")
        self._style = resources.files("jira_ci_sandbox").joinpath("templates/style.css").read_text(encoding="utf-8")

    def routes(self) -> list[Route]:
        """Return the address of every page."""
        return [
            Route("/", self.issues, methods=["GET"]),
            Route("/browse/{key}", self.issue, methods=["GET"]),
            Route("/style.css", self.style, methods=["GET"]),
        ]

    def issues(self, request: Request) -> Response:
        """Show all issues, the one that heard something last on top."""
        issues = by_issue([*self.store.entities("builds"), *self.store.entities("deployments")])
        return self._page(request, "issues.html", issues=issues[:MOST_ISSUES], more=len(issues) - MOST_ISSUES)

    def issue(self, request: Request) -> Response:
        """Show one issue."""
        key = unquote(request.path_params["key"])
        if not self.settings().knows_issue(key):
            return self._page(request, "unknown.html", 404, key=key)
        found = [update for kind in ("builds", "deployments") for update in self.store.entities(kind, key)]
        issues = [issue for issue in by_issue(found) if issue["key"] == key]
        return self._page(request, "issue.html", key=key, issues=issues)

    def style(self, request: Request) -> Response:
        """Return the style sheet of all pages."""
        return Response(self._style, media_type="text/css", headers={"x-content-type-options": "nosniff"})

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        shown = {"url": str(request.base_url).rstrip("/"), "projects": self.settings().projects} | values
        return HTMLResponse(self._templates.get_template(template).render(shown), status, HEADERS)


def by_issue(updates: Iterable[Update]) -> list[dict[str, Any]]:
    """Group entities by issue, the newest first: issues by what they heard last, and what they heard likewise."""
    issues: dict[str, dict[str, Any]] = {}
    for update in sorted(updates, key=lambda update: update.received_at, reverse=True):
        for key in update.issue_keys:
            issue = issues.setdefault(key, {"key": key, "builds": [], "deployments": []})
            issue[update.kind].append(row(update))
    return list(issues.values())


def row(update: Update) -> dict[str, Any]:
    """Return what a page shows of one entity."""
    entity = update.entity
    pipeline: Mapping[str, Any] = entity.get("pipeline", {})
    return {
        "state": entity["state"],
        "number": entity.get("buildNumber", entity.get("deploymentSequenceNumber")),
        "name": entity["displayName"],
        "pipeline": pipeline.get("displayName", entity.get("pipelineId")),
        "environment": entity.get("environment"),
        "tests": entity.get("testInfo"),
        "description": entity.get("description", ""),
        "url": entity["url"],
        "is_link": urlsplit(entity["url"]).scheme in ("http", "https"),
        "time": entity["lastUpdated"],
        "shown_time": shown_time(entity["lastUpdated"]),
    }


def shown_time(text: str) -> str:
    """Return a moment of the contract as people read it, in UTC."""
    whole = re.sub(r"\.[0-9]+", "", text.upper())
    try:
        return datetime.fromisoformat(whole).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:  # the first or last hours of the calendar, in UTC, are outside of it
        return text
