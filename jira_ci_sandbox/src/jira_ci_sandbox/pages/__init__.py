"""The pages that people look at, one module for each noun: issues, the timeline, the app, the log of requests."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from jira_ci_sandbox.pages.app import AppPages
from jira_ci_sandbox.pages.context import Frame
from jira_ci_sandbox.pages.issues import IssuePages
from jira_ci_sandbox.pages.request_log import Log
from jira_ci_sandbox.pages.timeline import TimelinePages
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store


class Pages:
    """All pages, over a store. `keep` changes the settings that `settings` tells."""

    def __init__(
        self, store: Store, settings: Callable[[], Settings], keep: Callable[[Settings], None], cloud_id: str
    ) -> None:
        self._frame = Frame(store, settings, keep, cloud_id)
        self.log = Log(self._frame)

    def routes(self) -> list[Route]:
        """Return the address of every page and of every form on them."""
        parts = (self._frame, IssuePages(self._frame), TimelinePages(self._frame), AppPages(self._frame), self.log)
        return [route for part in parts for route in part.routes()]
