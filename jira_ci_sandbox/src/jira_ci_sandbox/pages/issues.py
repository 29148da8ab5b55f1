"""The pages of the site's issues: the list, and one issue with its Development panel."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jira_ci_sandbox.pages.context import Form, Frame, number, to
from jira_ci_sandbox.pages.entity_views import by_type, received, shown
from jira_ci_sandbox.pages.sessions import Visitor
from jira_ci_sandbox.settings import is_issue_key, project_patterns

LONGEST_SUMMARY = 255


class IssuePages:
    """The list of issues, and each issue."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._reading = frame.reading

    def routes(self) -> list[Route]:
        """Return the addresses of these pages and their forms."""
        return [
            Route("/", self.issues, methods=["GET"]),
            Route("/projects", self._frame.form(self.add_project, administrators=True), methods=["POST"]),
            Route("/browse/{key}", self.issue, methods=["GET"]),
            Route("/browse/{key}/summary", self._frame.form(self.keep_summary), methods=["POST"]),
        ]

    def issues(self, request: Request) -> Response:
        """Show the issues, the one that heard something last on top."""
        search = request.query_params.get("search", "").strip().upper()
        project = request.query_params.get("project", "")
        issues = self._reading.issues(search, project, number(request.query_params.get("page")))
        settings = self._frame.settings()
        return self._frame.page(
            request,
            "issues.html",
            issues=issues,
            known=self._reading.projects(),
            search=search,
            project=project,
            is_key=is_issue_key(search),
            is_known=settings.knows_issue(search),
        )

    def add_project(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """Let this Jira know one more project."""
        settings = self._frame.settings()
        try:
            patterns = project_patterns(form.get("project", ""))
        except ValueError as error:
            what = f"There is no new project {form.get('project', '')!r}."
            return self._frame.refused(request, 400, what, f"In Jira, {error}.", "Give a key such as SHOP.")
        projects = dict.fromkeys([*settings.projects, *patterns])
        self._frame.keep_settings(settings.changed({"projects": list(projects)}))
        return to(form.get("back", "/"))

    def issue(self, request: Request) -> Response:
        """Show one issue."""
        key = unquote(request.path_params["key"])
        if not self._frame.settings().knows_issue(key):
            return self._frame.page(request, "unknown.html", 404, key=key, is_key=is_issue_key(key))
        query = request.query_params
        opened = None
        if "show" in query:
            opened = self._reading.updates(number(query["show"], 0), key)
        builds = self._reading.entities("builds", key, number(query.get("builds")))
        deployments = self._reading.entities("deployments", key, number(query.get("deployments")))
        latest = self._reading.latest_deployments(key)
        return self._frame.page(
            request,
            "issue.html",
            key=key,
            project=key.rpartition("-")[0],
            summary=self._reading.summary(key),
            builds=builds,
            shown_builds=[shown(update) for update in builds.rows],
            deployments=deployments,
            shown_deployments=[shown(update) for update in deployments.rows],
            latest=latest,
            environments=by_type(latest.rows),
            drawer=None if opened is None else shown(opened[0]),
            updates=None if opened is None else opened[1],
            shown_updates=[] if opened is None else [received(update) for update in opened[1].rows],
            path=f"/browse/{quote(key, safe='')}",
        )

    def keep_summary(self, request: Request, visitor: Visitor, form: Form) -> Response:
        """Give an issue another summary."""
        key = unquote(request.path_params["key"])
        if self._frame.settings().knows_issue(key):
            self._frame.store.keep_summary(key, form.get("summary", "").strip()[:LONGEST_SUMMARY])
        return to(f"/browse/{quote(key, safe='')}")
