"""Jira's wire format: requests out, answers in. The only module that knows it.

https://developer.atlassian.com/cloud/jira/software/rest/ (builds, deployments)
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from jira_ci_core.errors import DeliveryError, SettingsError
from jira_ci_core.models import (
    Build,
    Connection,
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

LONGEST_TEXT = 255
LONGEST_MESSAGE = 500
PRODUCT = "jira-ci"

ZERO_WIDTH_JOINER = "\u200d"
# What belongs to the character before it and is no accent by its category: joiners, a vowel of Thai and of Lao, the
# vowels and finals of a Korean syllable, half-width voicing marks, skin tones, the letters in the flags of regions.
_JOINED = "[\u200c\u200d\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7ff\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"

_COLLECTION = {Kind.BUILD: "builds", Kind.DEPLOYMENT: "deployments"}


class Address(NamedTuple):
    """What can be asked for, or deleted: one build, one deployment, or all with the same properties."""

    kind: Kind
    path: str
    """What comes after `…/builds/0.1` or `…/deployments/0.1`."""

    def at(self, connection: Connection) -> str:
        """The whole address at a site."""
        bulk = connection.builds_url if self.kind is Kind.BUILD else connection.deployments_url
        return bulk.removesuffix("/bulk") + self.path


def build_address(pipeline: str, number: int) -> Address:
    """Where one build is. `pipeline` is its id."""
    return Address(Kind.BUILD, f"/pipelines/{_in_path(pipeline)}/builds/{number}")


def deployment_address(pipeline: str, environment: str, number: int) -> Address:
    """Where one deployment is. `pipeline` and `environment` are their ids."""
    path = f"/pipelines/{_in_path(pipeline)}/environments/{_in_path(environment)}/deployments/{number}"
    return Address(Kind.DEPLOYMENT, path)


def properties_address(kind: Kind, properties: Mapping[str, str]) -> Address:
    """Where all builds, or all deployments, with these properties are; for deleting them."""
    return Address(kind, f"/bulkByProperties?{urlencode(properties)}")


def address_of(entity: Build | Deployment) -> Address:
    """Where an entity is."""
    if isinstance(entity, Build):
        return build_address(entity.pipeline.id, entity.number)
    return deployment_address(entity.pipeline.id, entity.environment.id, entity.number)


def gate_address(deployment: Deployment) -> Address:
    """Where the verdict on a deployment is."""
    return Address(Kind.DEPLOYMENT, address_of(deployment).path + "/gating-status")


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


def cut(text: str, limit: int = LONGEST_TEXT) -> str:
    """The beginning of a text, at most `limit` characters, and none of them without its accents or joiners."""
    if len(text) <= limit:
        return text
    end = limit
    while end > 0 and _is_inside(text, end):
        end -= 1
    return text[: end or limit]


def read_answer(reports: Sequence[Report], status: int, headers: Mapping[str, str], body: str) -> Receipt:
    """What Jira's answer to one bulk call says of each report in it."""
    if status != 202:
        problem = _refusal(reports[0], status, headers, body)
        result = Result.REJECTED if status == 400 or (status == 413 and len(reports) == 1) else Result.NOT_DELIVERED
        return Receipt.for_all(reports, result, problem)
    try:
        return _read_accepted(reports, json.loads(body))
    except (ValueError, RecursionError, _NoAnswerError) as error:
        why = str(error) if isinstance(error, _NoAnswerError) else _not_json(headers, body)
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


def _is_inside(text: str, place: int) -> bool:
    """Whether a place is inside a character: before an accent, within a joined or coloured emoji, half a flag."""
    before, after = text[place - 1], text[place]
    return (
        unicodedata.category(after) in ("Mn", "Me", "Mc")
        or before == ZERO_WIDTH_JOINER
        or re.match(_JOINED, after) is not None
        or ("\U0001f1e6" <= after <= "\U0001f1ff" and _half_flags_before(text, place) % 2 == 1)
    )


def _half_flags_before(text: str, place: int) -> int:
    """How many letters of flags stand right before a place; two of them are a flag."""
    count = 0
    while count < place and "\U0001f1e6" <= text[place - count - 1] <= "\U0001f1ff":
        count += 1
    return count


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


def _in_path(id: str) -> str:
    if id in (".", ".."):
        raise SettingsError(
            Problem(
                f"what has the id {id!r} cannot be addressed", "in an address it means a folder", "give it another id"
            )
        )
    return quote(id, safe="")


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


def _not_json(headers: Mapping[str, str], body: str) -> str:
    kind = "an HTML page" if is_html(headers, body) else "not JSON" if body.strip() else "empty"
    return f"it is {kind}"


def is_html(headers: Mapping[str, str], body: str) -> bool:
    """Whether an answer is a web page: a proxy's login form, a gateway's error."""
    return "html" in headers.get("Content-Type", "") or body.lstrip()[:1] == "<"


def _no_answer(report: Report, why: str) -> Problem:
    return _unusable(report.site.name, "Jira answers a report with what it accepted and rejected", why)


def _unusable(site: str, expected: str, why: str) -> Problem:
    return Problem(
        f"{site} gave no usable answer",
        f"{expected}, and here {why}",
        "look for a proxy or gateway between this machine and Jira that answers in its place; check INSTANCE",
    )


_REMEDIES = {
    400: ("Jira refused the request as malformed", "`--dry-run` shows what is sent; correct what the message names"),
    401: (
        "Jira did not accept the credential",
        "check that it belongs to this site and was not revoked, and make a new one where in doubt",
    ),
    403: (
        "the credential may not report this",
        "give it the permission (OAuth: builds and deployments), and install the app on the site (Connect)",
    ),
    404: ("there is no such Jira site or app", "check INSTANCE and CLOUD_ID, and that the app is installed there"),
    405: ("the address does not take reports", "check INSTANCE, and API_URL where it is set"),
    413: ("the report is too large", "name fewer issue keys"),
    429: ("Jira's rate limit is used up", "try again later, and report less often where this happens a lot"),
}


def asking_problem(site: str, status: int, headers: Mapping[str, str], body: str) -> Problem | None:
    """What is wrong with the answer to a question or a deletion; None where Jira does it, or says "there is none"."""
    is_page = is_html(headers, body)
    if status in (200, 202, 204):
        return _unusable(site, "Jira answers with JSON", "it is an HTML page") if is_page else None
    if status == 404 and body.strip()[:1] in ("{", "["):
        return None
    return _refused("asking", site, status, headers, body)


def read_entity(site: str, status: int, headers: Mapping[str, str], body: str) -> dict[str, Any] | None:
    """The build or deployment in an answer; None where there is none. Raises DeliveryError where it is no answer."""
    if status == 404:
        return None
    try:
        entity = json.loads(body)
        if isinstance(entity, dict):
            return entity
    except (ValueError, RecursionError):
        pass
    problem = _unusable(site, "Jira answers with a build or a deployment", _not_json(headers, body))
    raise DeliveryError(problem)


class Gate(NamedTuple):
    """What Jira says of the gate of a deployment."""

    status: str
    """allowed, prevented, expired or invalid; until then awaiting."""
    changes: Mapping[str, str]
    """The change requests that it depends on: key to address, which may be empty."""


def read_gate(site: str, status: int, headers: Mapping[str, str], body: str) -> Gate | None:
    """The gate in an answer; None where the deployment is not stored yet. Raises DeliveryError where it is none."""
    answer = read_entity(site, status, headers, body)
    if answer is None:
        return None
    word = answer.get("gatingStatus")
    if not isinstance(word, str):
        problem = _unusable(site, "Jira answers with the status of the gate", "it lacks gatingStatus")
        raise DeliveryError(problem)
    details = answer.get("details")
    issues = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return Gate(word, {str(one["issueKey"]): str(one.get("issueLink", "")) for one in issues if one.get("issueKey")})


def is_newer(report: Report, stored: Mapping[str, Any]) -> bool:
    """Whether Jira holds an update that it takes for newer than this one."""
    sequence = stored.get("updateSequenceNumber")
    return isinstance(sequence, int) and sequence > report.entity.sequence


def storage_problem(report: Report, stored: Mapping[str, Any] | None) -> Problem | None:
    """What is wrong with what Jira holds after it accepted a report; None where it holds just that."""
    if stored is not None and stored.get("updateSequenceNumber") == report.entity.sequence:
        return None
    site = report.site.name
    if stored is not None and is_newer(report, stored):
        return Problem(
            f"{site} accepted {report.title} and ignores it",
            "it holds an update of a later time: another step was faster, or the clock of a machine is wrong",
            "compare the clocks of the machines; `jira-ci show` shows what Jira holds",
        )
    return Problem(
        f"{site} accepted {report.title} and does not show it yet",
        "Jira stores asynchronously, and within DEADLINE it did not come to be readable",
        "ask again later with `jira-ci show`; status.atlassian.com tells of delays",
    )


def _refusal(report: Report, status: int, headers: Mapping[str, str], body: str) -> Problem:
    return _refused(report.title, report.site.name, status, headers, body)


def _refused(subject: str, site: str, status: int, headers: Mapping[str, str], body: str) -> Problem:
    if 300 <= status < 400:
        return moved(site, headers.get("Location", ""))
    title, remedy = _REMEDIES.get(
        status,
        ("Jira has a problem of its own", "try again later; see status.atlassian.com")
        if status >= 500
        else ("Jira did not take the report", "`jira-ci doctor` checks the settings one by one"),
    )
    wait = f" (Retry-After: {headers['Retry-After']})" if "Retry-After" in headers else ""
    message = error_message(headers, body)
    return Problem(f"{title}: {subject}", f"{site} answered {status}{wait}{message}", remedy)


def moved(site: str, location: str) -> Problem:
    """What to say of a redirect; it is never followed, as it would turn a POST into a GET."""
    from jira_ci_core.urls import origin

    new = origin(location) or location or "an address it does not name"
    remedy = f"set INSTANCE to {new}, if that is the new address of your site"
    return Problem(f"the site {site} moved to {new}", "it answered with a redirect, which is never followed", remedy)


def error_message(headers: Mapping[str, str], body: str) -> str:
    """`: what Jira says`, from any of the shapes that it gives its errors, or nothing."""
    if is_html(headers, body):
        return " with an HTML page"
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return f": {beginning(body, LONGEST_MESSAGE)}" if body.strip() else ""
    entries = answer if isinstance(answer, list) else [answer]
    messages: list[str] = []
    for entry in entries:
        if isinstance(entry, dict):
            for name in ("message", "errorMessages", "error_description", "error"):
                value = entry.get(name)
                if value:
                    messages += map(str, value) if isinstance(value, list) else [str(value)]
                    break
        elif entry:
            messages.append(str(entry))
    return f": {beginning('; '.join(messages), LONGEST_MESSAGE)}" if messages else ""


def beginning(text: str, limit: int) -> str:
    """The first words of what a server says. None is cut in two: half a secret would not be known for one."""
    text = text.strip()
    if len(text) <= limit:
        return text
    whole = re.match(rf".{{0,{limit}}}(?!\S)", text, re.DOTALL)
    return f"{whole[0].rstrip() if whole else ''} …"
