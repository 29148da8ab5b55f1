"""The pages of issues: the list, and one issue with its Development panel."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jira_ci_sandbox.pages.context import Form, PageContext, parse_number, redirect_to
from jira_ci_sandbox.pages.entity_views import entity_view, group_by_type, update_view
from jira_ci_sandbox.pages.sessions import Session
from jira_ci_sandbox.settings import is_issue_key, project_patterns

MAX_SUMMARY_LENGTH = 255


class IssuePages:
    """The page of all issues, and that of each."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._queries = context.queries

    def routes(self) -> list[Route]:
        return [
            Route("/", self.issues, methods=["GET"]),
            Route("/projects", self._context.form_handler(self.add_project, administrators=True), methods=["POST"]),
            Route("/browse/{key}", self.issue, methods=["GET"]),
            Route("/browse/{key}/summary", self._context.form_handler(self.set_summary), methods=["POST"]),
        ]

    def issues(self, request: Request) -> Response:
        """Show the issues, most recently updated first."""
        search = request.query_params.get("search", "").strip().upper()
        project = request.query_params.get("project", "")
        issues = self._queries.issues(search, project, parse_number(request.query_params.get("page")))
        settings = self._context.settings()
        return self._context.render_page(
            request,
            "issues.html",
            issues=issues,
            known=self._queries.projects(),
            services=[(row, entity_view(row.latest)) for row in self._queries.services()],
            search=search,
            project=project,
            is_key=is_issue_key(search),
            is_known=settings.knows_issue(search),
        )

    def add_project(self, request: Request, session: Session, form: Form) -> Response:
        """Add a project to those that exist."""
        settings = self._context.settings()
        try:
            patterns = project_patterns(form.get("project", ""))
        except ValueError as error:
            what = f"There is no new project {form.get('project', '')!r}."
            return self._context.render_refusal(request, 400, what, f"In Jira, {error}.", "Give a key such as SHOP.")
        projects = dict.fromkeys([*settings.projects, *patterns])
        self._context.apply_settings(settings.with_changes({"projects": list(projects)}))
        return redirect_to(form.get("back", "/"))

    def issue(self, request: Request) -> Response:
        key = unquote(request.path_params["key"])
        if not self._context.settings().knows_issue(key):
            return self._context.render_page(request, "unknown.html", 404, key=key, is_key=is_issue_key(key))
        query = request.query_params
        opened = None
        if "show" in query:
            opened = self._queries.updates(parse_number(query["show"], 0), key)
        builds = self._queries.entities("builds", key, parse_number(query.get("builds")))
        deployments = self._queries.entities("deployments", key, parse_number(query.get("deployments")))
        latest = self._queries.latest_deployments(key)
        return self._context.render_page(
            request,
            "issue.html",
            key=key,
            project=key.rpartition("-")[0],
            summary=self._queries.summary(key),
            builds=builds,
            shown_builds=[entity_view(update) for update in builds.rows],
            deployments=deployments,
            shown_deployments=[entity_view(update) for update in deployments.rows],
            latest=latest,
            environments=group_by_type(latest.rows),
            drawer=None if opened is None else entity_view(opened[0]),
            updates=None if opened is None else opened[1],
            shown_updates=[] if opened is None else [update_view(update) for update in opened[1].rows],
            path=f"/browse/{quote(key, safe='')}",
        )

    def set_summary(self, request: Request, session: Session, form: Form) -> Response:
        key = unquote(request.path_params["key"])
        if self._context.settings().knows_issue(key):
            self._context.store.set_summary(key, form.get("summary", "").strip()[:MAX_SUMMARY_LENGTH])
        return redirect_to(f"/browse/{quote(key, safe='')}")
