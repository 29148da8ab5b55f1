"""The bulk calls: the request, and the outcome of each report from the response."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jira_ci_core.jira_api.problems import not_json, refused, unusable
from jira_ci_core.jira_api.text import cut
from jira_ci_core.models import (
    MOST_ASSOCIATIONS,
    Build,
    Deployment,
    Kind,
    Outcome,
    Receipt,
    Reference,
    Report,
    Result,
    is_issue_id,
)
from jira_ci_core.problem import Problem

_COLLECTION = {Kind.BUILD: "builds", Kind.DEPLOYMENT: "deployments"}


def bulk_request(reports: Sequence[Report]) -> dict[str, Any]:
    """The body of one bulk call, for reports of one kind that have the same properties."""
    kind, properties = reports[0].entity.kind, reports[0].properties
    return {
        **({"properties": properties} if properties else {}),
        "providerMetadata": {"product": "jira-ci"},
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
        tests = entity.tests and {
            "totalNumber": entity.tests.total,
            "numberPassed": entity.tests.passed,
            "numberFailed": entity.tests.failed,
            **({"numberSkipped": entity.tests.skipped} if entity.tests.skipped is not None else {}),
        }
        return {
            **_key(entity),
            **common,
            **({"description": cut(entity.description)} if entity.description else {}),
            **_issues(entity),
            **({"testInfo": tests} if tests else {}),
            **({"references": [_reference(one) for one in entity.references]} if entity.references else {}),
        }
    pipeline, environment = entity.pipeline, entity.environment
    return {
        "deploymentSequenceNumber": entity.number,
        **common,
        "description": cut(entity.description),
        "associations": [
            {"associationType": name, "values": values} for name, values in _associations(entity).items() if values
        ],
        **({"duration": entity.duration} if entity.duration is not None else {}),
        "pipeline": {"id": pipeline.id, "displayName": cut(pipeline.name), "url": pipeline.url},
        "environment": {"id": environment.id, "displayName": cut(environment.name), "type": environment.type.value},
        **({"commands": [{"command": "initiate_deployment_gating"}]} if entity.asks_for_gate else {}),
    }


def _issues(build: Build) -> dict[str, Any]:
    """The issues of a build; with an id among them they are associations, since `issueKeys` takes keys alone."""
    values = list(build.issue_keys)
    if any(map(is_issue_id, values)):
        return {"associations": [{"associationType": "issueIdOrKeys", "values": values}]}
    return {"issueKeys": values}


def _associations(deployment: Deployment) -> dict[str, list[Any]]:
    """https://developer.atlassian.com/cloud/jira/software/rest/api-group-deployments/"""
    return {
        "issueIdOrKeys": list(deployment.issue_keys),
        "serviceIdOrKeys": list(deployment.service_ids),
        "commit": [{"commitHash": one.hash, "repositoryId": one.repository_id} for one in deployment.commits],
        "repository": [{"repositoryId": id} for id in deployment.repository_ids],
    }


def read_answer(reports: Sequence[Report], status: int, headers: Mapping[str, str], body: str) -> Receipt:
    """The outcome of each report in one bulk call, from Jira's response."""
    first = reports[0]
    if status != 202:
        problem = refused(first.title, first.site.name, status, headers, body)
        result = Result.REJECTED if status == 400 or (status == 413 and len(reports) == 1) else Result.NOT_DELIVERED
        return Receipt.for_all(reports, result, problem)
    try:
        return _read_accepted(reports, json.loads(body))
    except _NoAnswerError as error:
        why = str(error)
    except (ValueError, RecursionError):
        why = not_json(headers, body)
    problem = unusable(first.site.name, "Jira answers a report with what it accepted and rejected", why)
    return Receipt.for_all(reports, Result.NOT_DELIVERED, problem)


class _NoAnswerError(Exception):
    """The response to a bulk call lacks a required field."""


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
    sent = {key for report in reports for key in report.entity.issue_keys}
    rejected = {_identity(_field(one, "key")): one for one in _list(answer, f"rejected{name}")}
    unknown = [str(key) for key in _optional_list(answer, "unknownIssueKeys")]
    associations: list[str] = []
    for one in _optional_list(answer, "unknownAssociations"):
        # Keys that Jira does not know are listed as associations too if they were sent as such.
        is_of_keys = _field(one, "associationType") in ("issueKeys", "issueIdOrKeys")
        (unknown if is_of_keys else associations).extend(map(_in_words, _list(one, "values")))
    # Jira can only say this of what was sent.
    unknown = [key for key in unknown if key in sent]
    outcomes = []
    for report in reports:
        identity = _identity(_key(report.entity))
        if identity in rejected:
            outcomes.append(_rejected(report, rejected[identity], unknown, associations))
        elif identity in accepted:
            outcomes.append(Outcome(result=Result.ACCEPTED))
        else:
            raise _NoAnswerError(f"it says neither that {report.title} was accepted nor that it was rejected")
    return Receipt(
        outcomes=tuple(outcomes),
        unknown_issue_keys=tuple(dict.fromkeys(unknown)),
        unknown_associations=tuple(dict.fromkeys(associations))[:MOST_ASSOCIATIONS],
    )


def _in_words(value: object) -> str:
    """An association that Jira does not know: a key or an id, or an object that names a commit or a repository."""
    if not isinstance(value, dict):
        return str(value)
    repository = f"repository {value.get('repositoryId')}"
    return f"commit {value['commitHash']} of {repository}" if "commitHash" in value else repository


def _rejected(report: Report, entry: dict[str, Any], unknown: Sequence[str], associations: Sequence[str]) -> Outcome:
    keys = report.entity.issue_keys
    services = report.entity.service_ids if isinstance(report.entity, Deployment) else ()
    if services and not keys and set(services) <= set(associations):
        what = f"Jira knows none of the services of {report.title}"
        why = f"not known at {report.site.name}: {', '.join(services)}"
        remedy = "check SERVICE_IDS, that INSTANCE is the site of these services, and that they still exist"
    elif keys and set(keys) <= set(unknown):
        what = f"Jira knows none of the issue keys of {report.title}"
        why = f"not known at {report.site.name}: {', '.join(keys)}"
        remedy = "check the keys and PROJECT, that INSTANCE is the site the issues are at, and that they still exist"
    else:
        what = f"Jira refused {report.title}"
        errors = _optional_list(entry, "errors")
        messages = [str((isinstance(error, dict) and error.get("message")) or error) for error in errors]
        why = "; ".join(messages) or "it gave no reason"
        remedy = "correct what it names; `--dry-run` shows what is sent"
    return Outcome(result=Result.REJECTED, problems=(Problem(what, why, remedy),))


def _key(entity: Build | Deployment) -> dict[str, Any]:
    key = {"pipelineId": entity.pipeline.id}
    if isinstance(entity, Build):
        return {**key, "buildNumber": entity.number}
    return {**key, "environmentId": entity.environment.id, "deploymentSequenceNumber": entity.number}


def _identity(key: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(key, dict):
        raise _NoAnswerError("a key in it is not an object")
    return tuple(sorted((str(name), str(value)) for name, value in key.items()))


def _optional_list(answer: dict[str, Any], name: str) -> list[Any]:
    return [] if answer.get(name) is None else _list(answer, name)


def _list(answer: object, name: str) -> list[Any]:
    value = _field(answer, name)
    if not isinstance(value, list):
        raise _NoAnswerError(f"its {name} is not a list")
    return value


def _field(answer: object, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise _NoAnswerError(f"it lacks {name}")
    return answer[name]
