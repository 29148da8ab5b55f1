"""Where Jira keeps builds and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Build, Deployment, Kind
from jira_ci_core.net.connection import Connection
from jira_ci_core.problem import Problem


class Address(NamedTuple):
    """What can be asked for, or deleted: one build, one deployment, or all with the same properties."""

    kind: Kind
    path: str
    """What comes after `…/builds/0.1` or `…/deployments/0.1`."""

    def at(self, connection: Connection) -> str:
        """The whole address at a site."""
        bulk = connection.builds_url if self.kind is Kind.BUILD else connection.deployments_url
        return bulk.removesuffix("/bulk") + self.path


def build_address(pipeline_id: str, number: int) -> Address:
    return Address(Kind.BUILD, f"/pipelines/{_in_path(pipeline_id)}/builds/{number}")


def deployment_address(pipeline_id: str, environment_id: str, number: int) -> Address:
    path = f"/pipelines/{_in_path(pipeline_id)}/environments/{_in_path(environment_id)}/deployments/{number}"
    return Address(Kind.DEPLOYMENT, path)


def properties_address(kind: Kind, properties: Mapping[str, str]) -> Address:
    """Where all builds, or all deployments, with these properties are; for deleting them."""
    return Address(kind, f"/bulkByProperties?{urlencode(properties)}")


def address_of(entity: Build | Deployment) -> Address:
    if isinstance(entity, Build):
        return build_address(entity.pipeline.id, entity.number)
    return deployment_address(entity.pipeline.id, entity.environment.id, entity.number)


def gate_address(deployment: Deployment) -> Address:
    return Address(Kind.DEPLOYMENT, address_of(deployment).path + "/gating-status")


def _in_path(id: str) -> str:
    if id in (".", ".."):
        what = f"what has the id {id!r} cannot be addressed"
        raise SettingsError(Problem(what, "in an address it means a folder", "give it another id"))
    return quote(id, safe="")
