"""The pages for a browser: issues, the timeline of deployments, the app, and the request log."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from jira_ci_sandbox.pages.app import AppPages
from jira_ci_sandbox.pages.context import PageContext
from jira_ci_sandbox.pages.issues import IssuePages
from jira_ci_sandbox.pages.request_log import RequestLogPages
from jira_ci_sandbox.pages.timeline import TimelinePages
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store


class Pages:
    """All pages of a store. `settings` returns the current settings, and `apply_settings` changes them."""

    def __init__(
        self, store: Store, settings: Callable[[], Settings], apply_settings: Callable[[Settings], None], cloud_id: str
    ) -> None:
        self._context = PageContext(store, settings, apply_settings, cloud_id)
        self.request_log = RequestLogPages(self._context)

    def routes(self) -> list[Route]:
        """Return the routes of all pages and forms; the stream of the request log is dispatched separately."""
        context = self._context
        groups = (context, IssuePages(context), TimelinePages(context), AppPages(context), self.request_log)
        return [route for group in groups for route in group.routes()]
