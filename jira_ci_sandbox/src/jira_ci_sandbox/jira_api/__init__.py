"""Jira's endpoints: tokens, the cloud id, bulk calls, and single entities.

Paths are matched while still percent-encoded, because an id may hold a slash; the handlers decode them.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from jira_ci_sandbox.contract import Kind
from jira_ci_sandbox.jira_api.authentication import Authentication
from jira_ci_sandbox.jira_api.entities import EntityEndpoints
from jira_ci_sandbox.settings import Settings
from jira_ci_sandbox.store import Store

CLOUD_BASE = "/jira/{kind}/0.1/cloud/{{cloud_id}}"
SITE_BASE = "/rest/{kind}/0.1"
KINDS: tuple[Kind, ...] = ("builds", "deployments")


class JiraApi:
    """The endpoints of one store."""

    def __init__(self, store: Store, settings: Callable[[], Settings], cloud_id: str) -> None:
        self._authentication = Authentication(store, settings, cloud_id)
        self._entities = EntityEndpoints(store, settings)

    def routes(self) -> list[Route]:
        routes = self._authentication.routes()
        guard = self._authentication.require_credential
        for kind in KINDS:
            for base, credential_kind in ((CLOUD_BASE, "oauth"), (SITE_BASE, "connect")):
                path = base.format(kind=kind)
                routes += [
                    Route(path + end, guard(call, kind, credential_kind), methods=[method])
                    for method, end, call in self._entities.endpoints(kind)
                ]
        return routes
