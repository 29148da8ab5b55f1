"""Builds and deployments that Jira holds: their addresses, and its answers when they are read, deleted or gated."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from jira_ci_core.errors import DeliveryError, SettingsError
from jira_ci_core.jira_api.problems import not_json, refused, unusable
from jira_ci_core.models import Build, Deployment, Kind, Report
from jira_ci_core.net.answers import is_html
from jira_ci_core.net.connection import Connection
from jira_ci_core.problem import Problem


class Address(NamedTuple):
    """What can be read or deleted: one build, one deployment, or all with the same properties."""

    kind: Kind
    path: str
    """The part of the path after `…/builds/0.1` or `…/deployments/0.1`."""

    def at(self, connection: Connection) -> str:
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
        what = f"the id {id!r} cannot be used in an address"
        raise SettingsError(Problem(what, "in the path of an address it means a folder", "give it another id"))
    return quote(id, safe="")


def asking_problem(site: str, status: int, headers: Mapping[str, str], body: str) -> Problem | None:
    """The problem with the response to a read or a deletion; None if it succeeded, or nothing is stored there."""
    if status in (200, 202, 204):
        is_page = is_html(headers, body)
        return unusable(site, "Jira answers with JSON", "it is an HTML page") if is_page else None
    if status == 404 and body.strip()[:1] in ("{", "["):
        return None
    return refused("asking", site, status, headers, body)


def read_entity(site: str, status: int, headers: Mapping[str, str], body: str) -> dict[str, Any] | None:
    """The build or deployment in an answer; None if there is none. Raises DeliveryError if the answer is not usable."""
    if status == 404:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        entity = json.loads(body)
        if isinstance(entity, dict):
            return entity
    raise DeliveryError(unusable(site, "Jira answers with a build or a deployment", not_json(headers, body)))


MOST_CHANGES = 20
"""How many change requests of a gate are shown."""


class Gate(NamedTuple):
    status: str
    """allowed, prevented, expired or invalid; until then awaiting."""
    changes: Mapping[str, str]
    """The change requests that it depends on: key to address, which may be empty."""


def read_gate(site: str, status: int, headers: Mapping[str, str], body: str) -> Gate | None:
    """The gate in an answer; None if the deployment is not stored yet. Raises DeliveryError if it is not a gate."""
    answer = read_entity(site, status, headers, body)
    if answer is None:
        return None
    word = answer.get("gatingStatus")
    if not isinstance(word, str):
        raise DeliveryError(unusable(site, "Jira answers with the status of the gate", "it lacks gatingStatus"))
    details = answer.get("details")
    issues = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    named = [one for one in issues if one.get("issueKey")][:MOST_CHANGES]
    return Gate(word, {str(one["issueKey"]): str(one.get("issueLink", "")) for one in named})


def is_newer(report: Report, stored: Mapping[str, Any]) -> bool:
    """Whether Jira holds an update that it takes for newer than this one."""
    sequence = stored.get("updateSequenceNumber")
    return isinstance(sequence, int) and sequence > report.entity.sequence


def storage_problem(report: Report, stored: Mapping[str, Any] | None) -> Problem | None:
    """How the stored entity differs from an accepted report; None if they are the same."""
    accepted = f"{report.site.name} accepted {report.title}"
    stored = stored or {}
    # Of two updates with the same number, Jira keeps the first.
    is_same_number = stored.get("updateSequenceNumber") == report.entity.sequence
    if is_same_number and stored.get("state", report.entity.state) == report.entity.state:
        return None
    if is_same_number or is_newer(report, stored):
        why = "it already holds a later update: another step reported later, or the clock of a machine is wrong"
        remedy = "compare the clocks of the machines; `jira-ci show` shows what Jira holds"
        return Problem(f"{accepted} and ignores it", why, remedy)
    why = "Jira stores asynchronously, and it was not readable within DEADLINE"
    remedy = "ask again later with `jira-ci show`; status.atlassian.com reports delays"
    return Problem(f"{accepted} and does not show it yet", why, remedy)
