"""The contract, rule by rule."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from jira_ci_sandbox.contract import (
    build_problems,
    deployment_problems,
    entity_key,
    entity_problems,
    request_problems,
)

MISSING = object()
PROBLEMS = {"build": build_problems, "deployment": deployment_problems}
ASSOCIATIONS = [{"associationType": "issueKeys", "values": ["DEMO-1"]}]

# The kind of entity, the path of a field, an invalid value, and words of the rule.
INVALID: list[tuple[str, str, Any, str]] = [
    ("both", "schemaVersion", "1.1", "one of 1.0"),
    ("both", "schemaVersion", None, "one of 1.0"),
    ("both", "updateSequenceNumber", MISSING, "required"),
    ("both", "updateSequenceNumber", True, "is a boolean; it must be an integer"),
    ("both", "updateSequenceNumber", 1.0, "is a number with a fraction; it must be an integer"),
    ("both", "updateSequenceNumber", "1", "is a string; it must be an integer"),
    ("both", "updateSequenceNumber", 2**63, "integer from"),
    ("both", "updateSequenceNumber", -(2**63) - 1, "integer from"),
    ("both", "displayName", MISSING, "required"),
    ("both", "displayName", "", "at least 1"),
    ("both", "displayName", "ä" * 256, "at most 255"),
    ("both", "displayName", 7, "is an integer; it must be a string"),
    ("both", "displayName", None, "is null; it must be a string"),
    ("both", "displayName", "half \ud83d", "valid Unicode"),
    ("both", "description", "x" * 256, "at most 255"),
    ("both", "label", "x" * 256, "at most 255"),
    ("both", "url", MISSING, "required"),
    ("both", "url", "", "at least 1"),
    ("both", "url", "/run/1", "absolute URL"),
    ("both", "url", "ci.example.com/run/1", "absolute URL"),
    ("both", "url", "mailto:user@example.com", "absolute URL"),
    ("both", "url", "https://", "absolute URL"),
    ("both", "url", "https://ci.example.com/a b", "absolute URL"),
    ("both", "url", "https://ci.example.com/\n", "absolute URL"),
    ("both", "url", "https://[::1/", "absolute URL"),
    ("both", "url", "https://ci.example.com:port/", "absolute URL"),
    ("both", "url", "https://ci.example.com/" + "x" * 1978, "at most 2000"),
    ("both", "url", 5, "must be a string"),
    ("both", "state", MISSING, "required"),
    ("both", "state", "SUCCESSFUL", "one of pending, in_progress"),
    ("both", "state", ["failed"], "one of pending, in_progress"),
    ("build", "state", "rolled_back", "one of pending, in_progress, successful, failed, cancelled, unknown"),
    ("both", "lastUpdated", MISSING, "required"),
    ("both", "lastUpdated", 1714566600, "must be a string"),
    ("both", "lastUpdated", "2024-05-01T12:30:00", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01 12:30:00Z", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01T12:30Z", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01", "RFC 3339"),
    ("both", "lastUpdated", "2024-13-01T12:30:00Z", "RFC 3339"),
    ("both", "lastUpdated", "2024-02-30T12:30:00Z", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01T24:30:00Z", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01T12:30:00+25:00", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01T12:30:00+0200", "RFC 3339"),
    ("both", "lastUpdated", "2024-05-01T12:30:00.Z", "RFC 3339"),
    ("both", "lastUpdated", "٢٠٢٤-05-01T12:30:00Z", "RFC 3339"),
    ("both", "stat", "failed", "not a field of the contract"),
    ("build", "pipelineId", MISSING, "required"),
    ("build", "pipelineId", "", "at least 1"),
    ("build", "pipelineId", "x" * 256, "at most 255"),
    ("build", "buildNumber", MISSING, "required"),
    ("build", "buildNumber", -1, "integer from 0"),
    ("build", "buildNumber", "1", "must be an integer"),
    ("build", "buildNumber", False, "must be an integer"),
    ("build", "issueKeys", MISSING, "one of the two is required"),
    ("build", "issueKeys", [], "at least 1"),
    ("build", "issueKeys", ["DEMO-1"] * 501, "at most 500"),
    ("build", "issueKeys", ["DEMO-1", ""], "issueKeys[1]: is empty"),
    ("build", "issueKeys", "DEMO-1", "is a string; it must be an array"),
    ("build", "issueKeys", [1], "issueKeys[0]: is an integer"),
    ("build", "associations", ASSOCIATIONS, "only one of the two"),
    ("build", "testInfo", [], "is an array; it must be an object"),
    ("build", "testInfo.totalNumber", MISSING, "required"),
    ("build", "testInfo.numberPassed", "1", "must be an integer"),
    ("build", "testInfo.numberFailed", 1.5, "must be an integer"),
    ("build", "testInfo.numberSkipped", True, "must be an integer"),
    ("build", "testInfo.numberSkiped", 1, "not a field of the contract"),
    ("build", "references", [{}] * 6, "at most 5"),
    ("build", "references.0.commit.id", "", "at least 1"),
    ("build", "references.0.commit.repositoryUri", "", "at least 1"),
    ("build", "references.0.ref.name", "", "at least 1"),
    ("build", "references.0.ref.uri", "", "at least 1"),
    ("build", "references.0.ref.uri", MISSING, "required"),
    ("build", "references.0.tag", "v1", "not a field of the contract"),
    ("deployment", "deploymentSequenceNumber", MISSING, "required"),
    ("deployment", "deploymentSequenceNumber", "1", "must be an integer"),
    ("deployment", "deploymentSequenceNumber", True, "must be an integer"),
    ("deployment", "description", MISSING, "required"),
    ("deployment", "duration", 1.5, "must be an integer"),
    ("deployment", "duration", -1, "integer from 0"),
    ("deployment", "pipeline", MISSING, "required"),
    ("deployment", "pipeline", "pipeline", "is a string; it must be an object"),
    ("deployment", "pipeline.id", "", "at least 1"),
    ("deployment", "pipeline.id", "x" * 256, "at most 255"),
    ("deployment", "pipeline.displayName", MISSING, "required"),
    ("deployment", "pipeline.url", MISSING, "required"),
    ("deployment", "pipeline.url", "ci", "absolute URL"),
    ("deployment", "environment", MISSING, "required"),
    ("deployment", "environment.id", "", "at least 1"),
    ("deployment", "environment.id", "x" * 256, "at most 255"),
    ("deployment", "environment.displayName", "x" * 256, "at most 255"),
    ("deployment", "environment.type", "prod", "one of unmapped, development, testing, staging, production"),
    ("deployment", "environment.type", MISSING, "required"),
    ("deployment", "commands", {}, "must be an array"),
    ("deployment", "commands.0.command", "stop", "one of initiate_deployment_gating"),
    ("deployment", "state", "successful", "allowed with state pending only"),
    ("deployment", "state", MISSING, "allowed with state pending only"),
    ("deployment", "associations", MISSING, "one of the two is required"),
    ("deployment", "associations", [], "at least 1"),
    ("deployment", "associations", "DEMO-1", "must be an array"),
    (
        "deployment",
        "associations.0.associationType",
        "issues",
        "one of issueIdOrKeys, issueKeys, serviceIdOrKeys, commit",
    ),
    ("deployment", "associations.0.associationType", ["commit"], "one of issueIdOrKeys"),
    ("deployment", "associations.0.associationType", "commit", "is a string; it must be an object"),
    ("deployment", "associations", [{"associationType": "commit", "values": [{"commitHash": "a"}]}], "required"),
    ("deployment", "associations", [{"associationType": "repository", "values": [{}]}], "values[0].repositoryId"),
    ("deployment", "associations", [{"associationType": "repository", "values": [{"repositoryId": ""}]}], "at least 1"),
    ("deployment", "associations", [{"associationType": "repository", "values": [{"repositoryId": "7"}] * 501}], "501"),
    ("deployment", "associations.0.values", [], "at least 1"),
    ("deployment", "associations.0.values", [""], "is empty"),
    ("deployment", "associations.0.values", MISSING, "required"),
    ("deployment", "associations.0.values", ["DEMO-1"] * 501, "at most 500"),
    (
        "deployment",
        "associations",
        [{"associationType": "issueKeys", "values": ["D-1"] * 251}] * 2,
        "502 values in all",
    ),
    ("deployment", "issueKeys", ["DEMO-1"], "only one of the two"),
]


def changed(entity: Any, path: str, value: Any) -> Any:
    """Return an entity with the value at a path changed or missing."""
    entity = copy.deepcopy(entity)
    target = entity
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    for part in parents:
        target = target[part]
    if value is MISSING:
        del target[last]
    else:
        target[last] = value
    return entity


CASES = [
    pytest.param(kind, path, value, rule, id=f"{kind}-{path}-{index}")
    for index, (kinds, path, value, rule) in enumerate(INVALID)
    for kind in (PROBLEMS if kinds == "both" else (kinds,))
]


@pytest.fixture
def entities(build: Any, deployment: Any) -> dict[str, Any]:
    return {"build": build(), "deployment": deployment()}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_entity_that_breaks_no_rule_has_no_problems(kind: str, entities: dict[str, Any]) -> None:
    assert PROBLEMS[kind](entities[kind]) == []


@pytest.mark.parametrize(("kind", "path", "value", "rule"), CASES)
def test_each_broken_rule_is_one_sentence_with_the_path_and_the_rule(
    kind: str, path: str, value: Any, rule: str, entities: dict[str, Any]
) -> None:
    problems = PROBLEMS[kind](changed(entities[kind], path, value))
    about = [problem for problem in problems if rule in problem]
    assert len(about) == 1, problems
    assert path.partition(".")[0] in about[0]
    assert len(problems) == 1 or path == "state", problems


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("entity", [None, True, 1, 1.5, "build", [], [{}]])
def test_entity_that_is_no_object_is_a_problem(kind: str, entity: Any) -> None:
    assert PROBLEMS[kind](entity) == [PROBLEMS[kind](entity)[0]]
    assert "entity: is" in PROBLEMS[kind](entity)[0]


OPTIONAL = {
    "build": ["schemaVersion", "description", "label", "testInfo", "testInfo.numberSkipped", "references"],
    "deployment": ["schemaVersion", "label", "duration", "commands"],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in OPTIONAL.items() for name in names])
def test_optional_field_may_be_absent(kind: str, name: str, entities: dict[str, Any]) -> None:
    assert PROBLEMS[kind](changed(entities[kind], name, MISSING)) == []


VALID: list[tuple[str, str, Any]] = [
    ("both", "displayName", "𝄞" * 255),
    ("both", "label", ""),
    ("both", "url", "https://ci.example.com/" + "x" * 1977),
    ("both", "url", "http://[::1]:8080/ü?q#f"),
    ("both", "url", "ssh://git@ci.example.com/run"),
    ("both", "updateSequenceNumber", 2**63 - 1),
    ("both", "updateSequenceNumber", -(2**63)),
    ("both", "lastUpdated", "2024-02-29T23:59:59.123456789-11:30"),
    ("both", "lastUpdated", "2024-05-01t12:30:00z"),
    ("build", "buildNumber", 0),
    ("build", "issueKeys", ["D-1"] * 500),
    ("build", "references", []),
    ("build", "references", [{}] * 5),
    ("deployment", "deploymentSequenceNumber", -1),
    ("deployment", "associations", [{"associationType": "serviceIdOrKeys", "values": ["s"] * 250}] * 2),
    ("deployment", "associations", [{"associationType": "repository", "values": [{"repositoryId": "7"}] * 500}]),
    (
        "deployment",
        "associations",
        [{"associationType": "commit", "values": [{"commitHash": "a", "repositoryId": "7"}]}],
    ),
]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [(k, *rest) for kinds, *rest in VALID for k in (PROBLEMS if kinds == "both" else [kinds])],
)
def test_value_at_the_limit_of_a_rule_is_valid(kind: str, path: str, value: Any, entities: dict[str, Any]) -> None:
    assert PROBLEMS[kind](changed(entities[kind], path, value)) == []


def test_build_may_have_associations_in_place_of_issue_keys(build: Any) -> None:
    assert build_problems(changed(build(associations=ASSOCIATIONS), "issueKeys", MISSING)) == []


@pytest.mark.parametrize("type", ["serviceIdOrKeys", "commit", "repository"])
def test_build_is_of_issues_alone(build: Any, type: str) -> None:
    associations = [{"associationType": type, "values": ["x"]}]
    assert "one of issueIdOrKeys, issueKeys" in str(
        build_problems(changed(build(associations=associations), "issueKeys", MISSING))
    )


def test_deployment_may_have_issue_keys_in_place_of_associations(deployment: Any) -> None:
    assert deployment_problems(changed(deployment(issueKeys=["DEMO-1"]), "associations", MISSING)) == []


def test_deployment_may_be_rolled_back(deployment: Any) -> None:
    assert deployment_problems(changed(deployment(state="rolled_back"), "commands", MISSING)) == []


def test_all_problems_of_an_entity_are_reported_at_once(build: Any) -> None:
    assert len(build_problems(build(buildNumber=-1, state="done", url="x"))) == 3


def test_problem_with_a_long_value_is_still_a_sentence(build: Any) -> None:
    [problem] = build_problems(build(state="x" * 10_000))
    assert len(problem) < 250


@given(st.integers())
def test_build_number_is_any_integer_from_0_to_64_bits(number: int) -> None:
    problems = [p for p in build_problems({"buildNumber": number}) if p.startswith("buildNumber")]
    assert (not problems) == (0 <= number < 2**63)


@given(st.integers(0, 600))
def test_text_is_measured_in_characters(length: int) -> None:
    problems = [p for p in build_problems({"displayName": "€" * length}) if p.startswith("displayName")]
    assert (not problems) == (1 <= length <= 255)


@given(
    st.datetimes(
        min_value=datetime(1, 1, 2),
        timezones=st.sampled_from([UTC]),
    ),
    st.sampled_from(["Z", "+00:00", "-23:59", "+14:00"]),
)
def test_every_moment_with_an_offset_is_rfc_3339(moment: datetime, offset: str) -> None:
    text = moment.replace(tzinfo=None).isoformat() + offset
    assert not [p for p in build_problems({"lastUpdated": text}) if p.startswith("lastUpdated")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELD_NAMES = st.sampled_from(sorted({path.partition(".")[0] for _, path, _, _ in INVALID}))


@given(st.dictionaries(FIELD_NAMES, JSON))
def test_any_json_is_validated_without_an_exception(entity: Any) -> None:
    for kind in ("builds", "deployments"):
        assert entity_problems(entity, kind)
        assert set(map(type, entity_key(entity, kind).values())) <= {str, int, type(None)}
        request_problems(entity, kind)


def test_key_is_the_identity_of_an_entity(build: Any, deployment: Any) -> None:
    assert entity_key(build(), "builds") == {"pipelineId": "pipeline", "buildNumber": 1}
    assert entity_key(deployment(), "deployments") == {
        "pipelineId": "pipeline",
        "environmentId": "prod",
        "deploymentSequenceNumber": 1,
    }


GOOD_PROPERTIES = {f"name-{number}": "value" for number in range(5)}


def test_request_with_properties_and_provider_has_no_problems() -> None:
    more = {"properties": GOOD_PROPERTIES | {"name-1": ""}, "providerMetadata": {"product": "CI"}}
    assert request_problems({"builds": [1], **more}, "builds") == []
    assert request_problems({"deployments": [1], **more}, "deployments") == []


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (None, "body: is null; it must be an object"),
        ([], "body: is an array; it must be an object"),
        ({}, "builds: is missing"),
        ({"deployments": [1]}, "builds: is missing"),
        ({"builds": [1], "deployments": [1]}, "not a field"),
        ({"builds": {}}, "must be an array"),
        ({"builds": []}, "at least 1"),
        ({"builds": [1], "extra": 1}, "not a field"),
        ({"builds": [1], "properties": []}, "must be an object"),
        ({"builds": [1], "properties": GOOD_PROPERTIES | {"sixth": ""}}, "at most 5"),
        ({"builds": [1], "properties": {"a:b": "c"}}, "holds a colon"),
        ({"builds": [1], "properties": {"_a": "c"}}, "starts with an underscore"),
        ({"builds": [1], "properties": {"a": 1}}, "must be a string"),
        ({"builds": [1], "properties": {"": "a"}}, "at least 1"),
        ({"builds": [1], "properties": {"\ud800": "a"}}, "valid Unicode"),
        ({"builds": [1], "providerMetadata": "CI"}, "must be an object"),
        ({"builds": [1], "providerMetadata": {}}, "required"),
        ({"builds": [1], "providerMetadata": {"product": 1}}, "must be a string"),
        ({"builds": [1], "providerMetadata": {"product": "CI", "version": "1"}}, "not a field"),
    ],
)
def test_malformed_request_says_what_is_wrong_with_it(body: Any, rule: str) -> None:
    assert any(rule in problem for problem in request_problems(body, "builds")), request_problems(body, "builds")
