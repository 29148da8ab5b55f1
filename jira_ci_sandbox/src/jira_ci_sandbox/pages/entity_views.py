"""Builds and deployments as dictionaries for the templates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jira_ci_sandbox.contract import ENVIRONMENT_TYPES
from jira_ci_sandbox.records import Update

# The order on the pages: what customers use comes first.
ENVIRONMENT_ORDER = ("production", "staging", "testing", "development", "unmapped")
assert set(ENVIRONMENT_ORDER) == set(ENVIRONMENT_TYPES)


def entity_view(update: Update) -> dict[str, Any]:
    """Return what a page shows of a build or deployment."""
    entity = update.entity
    pipeline = entity.get("pipeline", {})
    return {
        "id": update.id,
        "kind": update.kind.removesuffix("s"),
        "state": entity["state"],
        "number": entity.get("buildNumber", entity.get("deploymentSequenceNumber")),
        "name": entity["displayName"],
        "pipeline": pipeline.get("displayName", entity.get("pipelineId")),
        "environment": entity.get("environment"),
        "version": entity.get("label", ""),
        "tests": entity.get("testInfo"),
        "description": entity.get("description", ""),
        "url": entity["url"],
        "time": entity["lastUpdated"],
        "keys": list(update.issue_keys),
        "references": entity.get("references", []),
        "services": values_of(entity, "serviceIdOrKeys"),
        "commits": values_of(entity, "commit"),
        "repositories": [value["repositoryId"] for value in values_of(entity, "repository")],
    }


def values_of(entity: dict[str, Any], type: str) -> list[Any]:
    """Return the values of an entity's associations of this type."""
    found = [one["values"] for one in entity.get("associations", []) if one["associationType"] == type]
    return [value for values in found for value in values]


def group_by_type(updates: Iterable[Update]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Group deployments by the type of their environment, production first. Types without deployments are left out."""
    found = [entity_view(update) for update in updates]
    groups = [(name, [one for one in found if one["environment"]["type"] == name]) for name in ENVIRONMENT_ORDER]
    return [
        (name, sorted(group, key=lambda one: (one["environment"]["displayName"], one["pipeline"])))
        for name, group in groups
        if group
    ]


def update_view(update: Update) -> dict[str, Any]:
    """Return what a page shows of an update: what was received, when, by which credential, and its outcome."""
    sent = update.received or update.entity
    return {
        "id": update.id,
        "sequence": update.sequence,
        "state": sent["state"],
        "received_at": update.received_at,
        "credential": update.credential,
        "product": update.product,
        "properties": update.properties,
        "outcome": update.outcome,
        "reason": update.reason,
        "json": json.dumps(sent, indent=2, ensure_ascii=False),
        "was_cut": update.received is not None,
    }
