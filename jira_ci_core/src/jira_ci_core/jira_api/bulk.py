"""The bulk calls: what is sent, and what the answer says of each report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jira_ci_core.jira_api.problems import not_json, refused, unusable
from jira_ci_core.jira_api.text import cut
from jira_ci_core.models import (
    Build,
    CountedTests,
    Deployment,
    Kind,
    Outcome,
    Receipt,
    Reference,
    Report,
    Result,
)
from jira_ci_core.problem import Problem

PRODUCT = "jira-ci"

_COLLECTION = {Kind.BUILD: "builds", Kind.DEPLOYMENT: "deployments"}


def bulk_request(reports: Sequence[Report]) -> dict[str, Any]:
    """The body of one bulk call, for reports of one kind that have the same properties."""
    kind, properties = reports[0].entity.kind, reports[0].properties
    return {
        **({"properties": properties} if properties else {}),
        "providerMetadata": {"product": PRODUCT},
        _COLLECTION[kind]: [entity_payload(report.entity) for report in reports],
    }


def entity_payload(entity: Build | Deployment) -> dict[str, Any]:
    """One build or deployment as Jira takes it, with every text cut to its limit."""
    common: dict[str, Any] = {
        "schemaVersion": "1.0",
        "updateSequenceNumber": entity.sequence,
        "displayName": cut(entity.name),
        "url": entity.url,
        "state": entity.state.value,
        "lastUpdated": entity.last_updated.isoformat(timespec="milliseconds"),
        **({"label": cut(entity.label)} if entity.label else {}),
    }
    if isinstance(entity, Build):
        return {
            "pipelineId": entity.pipeline.id,
            "buildNumber": entity.number,
            **common,
            **({"description": cut(entity.description)} if entity.description else {}),
            "issueKeys": list(entity.issue_keys),
            **({"testInfo": _test_info(entity.tests)} if entity.tests else {}),
            **({"references": [_reference(one) for one in entity.references]} if entity.references else {}),
        }
    return {
        "deploymentSequenceNumber": entity.number,
        **common,
        "description": cut(entity.description),
        "associations": [
            {"associationType": name, "values": list(values)}
            for name, values in (("issueIdOrKeys", entity.issue_keys), ("serviceIdOrKeys", entity.service_ids))
            if values
        ],
        **({"duration": entity.duration} if entity.duration is not None else {}),
        "pipeline": {
            "id": entity.pipeline.id,
            "displayName": cut(entity.pipeline.name),
            "url": entity.pipeline.url,
        },
        "environment": {
            "id": entity.environment.id,
            "displayName": cut(entity.environment.name),
            "type": entity.environment.type.value,
        },
        **({"commands": [{"command": "initiate_deployment_gating"}]} if entity.asks_for_gate else {}),
    }


def read_answer(reports: Sequence[Report], status: int, headers: Mapping[str, str], body: str) -> Receipt:
    """What Jira's answer to one bulk call says of each report in it."""
    if status != 202:
        problem = _refusal(reports[0], status, headers, body)
        result = Result.REJECTED if status == 400 or (status == 413 and len(reports) == 1) else Result.NOT_DELIVERED
        return Receipt.for_all(reports, result, problem)
    try:
        return _read_accepted(reports, json.loads(body))
    except (ValueError, RecursionError, _NoAnswerError) as error:
        why = str(error) if isinstance(error, _NoAnswerError) else not_json(headers, body)
        return Receipt.for_all(reports, Result.NOT_DELIVERED, _no_answer(reports[0], why))


class _NoAnswerError(Exception):
    """An answer to a bulk call that lacks what such answers hold."""


def _test_info(tests: CountedTests) -> dict[str, int]:
    return {
        "totalNumber": tests.total,
        "numberPassed": tests.passed,
        "numberFailed": tests.failed,
        "numberSkipped": tests.skipped,
    }


def _reference(reference: Reference) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if reference.commit and reference.repository_url:
        payload["commit"] = {"id": reference.commit, "repositoryUri": reference.repository_url}
    if reference.branch and reference.branch_url:
        payload["ref"] = {"name": reference.branch, "uri": reference.branch_url}
    return payload


def _read_accepted(reports: Sequence[Report], answer: object) -> Receipt:
    if not isinstance(answer, dict):
        raise _NoAnswerError("it is not a JSON object")
    name = _COLLECTION[reports[0].entity.kind].capitalize()
    accepted = {_identity(key) for key in _list(answer, f"accepted{name}")}
    rejected = {_identity(_field(one, "key")): one for one in _list(answer, f"rejected{name}")}
    unknown = tuple(map(str, _list(answer, "unknownIssueKeys", optional=True)))
    associations = tuple(
        str(value)
        for one in _list(answer, "unknownAssociations", optional=True)
        if _field(one, "associationType") not in ("issueKeys", "issueIdOrKeys")
        for value in _list(one, "values")
    )
    # Keys that Jira does not know are listed as associations too where they were sent as such.
    unknown += tuple(
        str(value)
        for one in _list(answer, "unknownAssociations", optional=True)
        if _field(one, "associationType") in ("issueKeys", "issueIdOrKeys")
        for value in _list(one, "values")
    )
    outcomes = []
    for report in reports:
        identity = _identity(_key(report.entity))
        if identity in rejected:
            outcomes.append(_rejected(report, rejected[identity], unknown))
        elif identity in accepted:
            outcomes.append(Outcome(result=Result.ACCEPTED))
        else:
            raise _NoAnswerError(f"it says neither that {report.title} was accepted nor that it was rejected")
    return Receipt(
        outcomes=tuple(outcomes),
        unknown_issue_keys=tuple(dict.fromkeys(unknown)),
        unknown_associations=tuple(dict.fromkeys(associations)),
    )


def _rejected(report: Report, entry: object, unknown: Sequence[str]) -> Outcome:
    keys = report.entity.issue_keys
    if set(keys) <= set(unknown):
        problem = Problem(
            f"Jira knows none of the issue keys of {report.title}",
            f"not known at {report.site.name}: {', '.join(keys)}",
            "check the keys and PROJECT, that INSTANCE is the site the issues are at, and that they still exist",
        )
    else:
        messages = [
            str(_field(error, "message", optional=True) or error)
            for error in _list(entry if isinstance(entry, dict) else {}, "errors", optional=True)
        ]
        problem = Problem(
            f"Jira refused {report.title}",
            "; ".join(messages) or "it gave no reason",
            "correct what it names; `--dry-run` shows what is sent",
        )
    return Outcome(result=Result.REJECTED, problems=(problem,))


def _key(entity: Build | Deployment) -> dict[str, Any]:
    if isinstance(entity, Build):
        return {"pipelineId": entity.pipeline.id, "buildNumber": entity.number}
    return {
        "pipelineId": entity.pipeline.id,
        "environmentId": entity.environment.id,
        "deploymentSequenceNumber": entity.number,
    }


def _identity(key: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(key, dict):
        raise _NoAnswerError("a key in it is not an object")
    return tuple(sorted((str(name), str(value)) for name, value in key.items()))


def _list(answer: object, name: str, *, optional: bool = False) -> list[Any]:
    value = _field(answer, name, optional=optional)
    if value is None and optional:
        return []
    if not isinstance(value, list):
        raise _NoAnswerError(f"its {name} is not a list")
    return value


def _field(answer: object, name: str, *, optional: bool = False) -> Any:
    if not isinstance(answer, dict):
        return None if optional else _raise(f"it lacks {name}")
    if name not in answer and not optional:
        raise _NoAnswerError(f"it lacks {name}")
    return answer.get(name)


def _raise(why: str) -> Any:
    raise _NoAnswerError(why)


def _no_answer(report: Report, why: str) -> Problem:
    return unusable(report.site.name, "Jira answers a report with what it accepted and rejected", why)


def _refusal(report: Report, status: int, headers: Mapping[str, str], body: str) -> Problem:
    return refused(report.title, report.site.name, status, headers, body)
