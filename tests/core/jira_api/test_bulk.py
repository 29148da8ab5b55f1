"""Jira's wire format: requests that it takes, whatever the report, and answers told apart."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings, strategies as st
from pydantic import ValidationError

from jira_ci_core import (
    Build,
    Commit,
    CountedTests,
    Deployment,
    Environment,
    EnvironmentType,
    PipelineIdentity,
    Reference,
    Report,
    Result,
    Site,
    State,
)
from jira_ci_core.jira_api.bulk import bulk_request, entity_payload, read_answer
from jira_ci_core.jira_api.stored import asking_problem
from jira_ci_core.jira_api.text import LONGEST_TEXT, cut
from jira_ci_core.net.answers import is_html, moved
from jira_ci_core.reporting.identity import stable_id
from jira_ci_sandbox import contract

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=600)
ids = texts.map(stable_id)
urls = st.one_of(
    st.sampled_from(["https://ci.example/run/1", "http://[::1]:8080/x", "https://ci.example/größe?a=b c#d e"]),
    st.text(st.characters(codec="utf-8"), max_size=100).map("https://ci.example/".__add__),
)
moments = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2199, 1, 1),
    timezones=st.one_of(
        st.just(UTC),
        st.integers(-86_000, 86_000).map(lambda seconds: timezone(timedelta(seconds=seconds))),
    ),
)
keys = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{1,9}-[1-9][0-9]{0,9}", fullmatch=True)
numbers = st.integers(0, 2**63 - 1)
pipelines = st.builds(PipelineIdentity, id=ids, name=texts, url=urls)
references = st.builds(
    Reference,
    commit=st.none() | texts,
    repository_url=st.none() | urls,
    branch=st.none() | texts,
    branch_url=st.none() | urls,
)
counts = st.integers(0, 2**61)
common = {
    "number": numbers,
    "sequence": numbers,
    "name": texts,
    "description": st.text(st.characters(codec="utf-8"), max_size=600),
    "label": st.none() | texts,
    "url": urls,
    "last_updated": moments,
    "issue_keys": st.lists(keys | st.integers(1, 2**31).map(str), min_size=1, max_size=20).map(tuple),
    "pipeline": pipelines,
}
builds = st.builds(
    Build,
    **common,
    state=st.sampled_from([state for state in State if state is not State.ROLLED_BACK]),
    references=st.lists(references, max_size=5).map(tuple),
    tests=st.none() | st.builds(CountedTests, passed=counts, failed=counts, skipped=counts),
)
deployments = st.builds(
    Deployment,
    **common,
    state=st.sampled_from(State),
    environment=st.builds(Environment, id=ids, name=texts, type=st.sampled_from(EnvironmentType)),
    duration=st.none() | counts,
    service_ids=st.lists(texts, max_size=400).map(tuple),
    commits=st.lists(st.builds(Commit, hash=texts, repository_id=texts), max_size=40).map(tuple),
    repository_ids=st.lists(texts, max_size=40).map(tuple),
)
sites = st.sampled_from([Site(url="https://acme.atlassian.net"), Site(cloud_id="a436116f-02ce-4520-8fbb-7301462a1674")])

BUILD = Build(
    number=42,
    sequence=1_700_000_000_123,
    name="acme/shop #42",
    url="https://ci.example/42",
    state=State.SUCCESSFUL,
    last_updated=datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    issue_keys=("MYT-1", "MYT-2"),
    pipeline=PipelineIdentity(id="acme/shop", name="shop", url="https://ci.example/42"),
)
DEPLOYMENT = Deployment(
    **BUILD.model_dump(exclude={"kind", "references", "tests"}),
    environment=Environment(id="prod", name="Prod", type="production"),
)
SITE = Site(url="https://acme.atlassian.net")
BUILD_KEY = {"pipelineId": "acme/shop", "buildNumber": 42}
DEPLOYMENT_KEY = {"pipelineId": "acme/shop", "environmentId": "prod", "deploymentSequenceNumber": 42}
JSON = {"Content-Type": "application/json"}


def report(entity=BUILD):
    return Report(site=SITE, entity=entity)


class TestTheRequest:
    @given(builds)
    @settings(max_examples=60)
    def test_every_build_keeps_the_contract(self, build):
        payload = entity_payload(build)
        assert contract.build_problems(json.loads(json.dumps(payload))) == []

    @given(deployments)
    @settings(max_examples=60)
    def test_every_deployment_keeps_the_contract(self, deployment):
        payload = entity_payload(deployment)
        assert contract.deployment_problems(json.loads(json.dumps(payload))) == []

    @given(
        st.one_of(
            st.lists(st.builds(Report, site=sites, entity=builds), min_size=1, max_size=3),
            st.lists(st.builds(Report, site=sites, entity=deployments), min_size=1, max_size=3),
        )
    )
    @settings(max_examples=25)
    def test_every_request_keeps_the_contract(self, reports):
        body = bulk_request(reports)
        [kind] = {"builds", "deployments"} & body.keys()
        assert contract.request_problems(body, kind) == []
        assert len(body[kind]) == len(reports)

    @given(st.one_of(builds, deployments))
    @settings(max_examples=40)
    def test_a_report_survives_a_journey_as_json(self, entity):
        sent = Report(site=SITE, entity=entity)
        assert entity_payload(Report.model_validate_json(sent.model_dump_json()).entity) == entity_payload(entity)

    def test_tests_are_written_as(self):
        build = BUILD.model_copy(update={"tests": CountedTests(passed=5, failed=2, skipped=1)})
        counted = {"totalNumber": 8, "numberPassed": 5, "numberFailed": 2, "numberSkipped": 1}
        assert entity_payload(build)["testInfo"] == counted
        build = BUILD.model_copy(update={"tests": CountedTests(passed=5, failed=2)})
        assert entity_payload(build)["testInfo"] == {"totalNumber": 7, "numberPassed": 5, "numberFailed": 2}
        assert "testInfo" not in entity_payload(BUILD)

    @pytest.mark.parametrize(
        ("keys", "written"),
        [
            (("MYT-1",), {"issueKeys": ["MYT-1"]}),
            (("10042",), {"associations": [{"associationType": "issueIdOrKeys", "values": ["10042"]}]}),
            (("MYT-1", "7"), {"associations": [{"associationType": "issueIdOrKeys", "values": ["MYT-1", "7"]}]}),
        ],
    )
    def test_the_issues_of_a_build_are_written_as(self, keys, written):
        payload = entity_payload(BUILD.model_copy(update={"issue_keys": keys}))
        assert {name: payload[name] for name in ("issueKeys", "associations") if name in payload} == written
        assert contract.build_problems(payload) == []

    def test_what_a_deployment_is_about_is_written_as(self):
        about = {
            "issue_keys": (),
            "service_ids": ("b:shop",),
            "commits": (Commit(hash="8a7b6c5", repository_id="7"), Commit(hash="1234567", repository_id="8")),
            "repository_ids": ("7",),
        }
        payload = entity_payload(DEPLOYMENT.model_copy(update=about))
        assert payload["associations"] == [
            {"associationType": "serviceIdOrKeys", "values": ["b:shop"]},
            {
                "associationType": "commit",
                "values": [
                    {"commitHash": "8a7b6c5", "repositoryId": "7"},
                    {"commitHash": "1234567", "repositoryId": "8"},
                ],
            },
            {"associationType": "repository", "values": [{"repositoryId": "7"}]},
        ]
        assert "issueKeys" not in payload
        assert contract.deployment_problems(payload) == []

    @pytest.mark.parametrize(
        ("about", "why"),
        [
            ({"issue_keys": ()}, "neither an issue key nor a service"),
            ({"issue_keys": (), "repository_ids": ("7",)}, "neither an issue key nor a service"),
            ({"repository_ids": ("7",) * 499}, "more than 500"),
            ({"commits": ({"hash": "a", "repository_id": "7"},) * 499}, "more than 500"),
            ({"issue_keys": ("0",)}, "not an issue key"),
            ({"issue_keys": ("9" * 20,)}, "not an issue key"),
            ({"commits": ({"hash": "", "repository_id": "7"},)}, "at least 1"),
        ],
    )
    def test_what_is_about_nothing_or_too_much_cannot_be_made(self, about, why):
        with pytest.raises(ValidationError, match=why):
            Deployment.model_validate(DEPLOYMENT.model_dump() | about)

    def test_a_build_is_written_as(self):
        reference = Reference(
            commit="8a7b6c5",
            repository_url="https://git.example/acme/shop",
            branch="main",
            branch_url="https://git.example/acme/shop/tree/main",
        )
        build = BUILD.model_copy(update={"references": (reference,), "label": "v1", "description": "Pay"})
        assert bulk_request([report(build)]) == {
            "providerMetadata": {"product": "jira-ci"},
            "builds": [
                {
                    "schemaVersion": "1.0",
                    "pipelineId": "acme/shop",
                    "buildNumber": 42,
                    "updateSequenceNumber": 1_700_000_000_123,
                    "displayName": "acme/shop #42",
                    "description": "Pay",
                    "label": "v1",
                    "url": "https://ci.example/42",
                    "state": "successful",
                    "lastUpdated": "2024-05-01T12:30:00.000+00:00",
                    "issueKeys": ["MYT-1", "MYT-2"],
                    "references": [
                        {
                            "commit": {"id": "8a7b6c5", "repositoryUri": "https://git.example/acme/shop"},
                            "ref": {"name": "main", "uri": "https://git.example/acme/shop/tree/main"},
                        }
                    ],
                }
            ],
        }

    def test_a_deployment_is_written_as(self):
        assert bulk_request([report(DEPLOYMENT)]) == {
            "providerMetadata": {"product": "jira-ci"},
            "deployments": [
                {
                    "schemaVersion": "1.0",
                    "deploymentSequenceNumber": 42,
                    "updateSequenceNumber": 1_700_000_000_123,
                    "displayName": "acme/shop #42",
                    "description": "",
                    "url": "https://ci.example/42",
                    "state": "successful",
                    "lastUpdated": "2024-05-01T12:30:00.000+00:00",
                    "associations": [{"associationType": "issueIdOrKeys", "values": ["MYT-1", "MYT-2"]}],
                    "pipeline": {"id": "acme/shop", "displayName": "shop", "url": "https://ci.example/42"},
                    "environment": {"id": "prod", "displayName": "Prod", "type": "production"},
                }
            ],
        }

    @pytest.mark.parametrize(
        "wrong",
        [
            {"state": "rolled_back"},
            {"issue_keys": ()},
            {"issue_keys": ("MYT",)},
            {"issue_keys": tuple(f"MYT-{number}" for number in range(1, 502))},
            {"number": -1},
            {"number": 2**63},
            {"name": ""},
            {"url": "ci.example/42"},
            {"last_updated": datetime(2024, 5, 1)},
            {"pipeline": {"id": "x" * 256, "name": "x", "url": "https://ci.example"}},
            {"pipeline": {"id": "", "name": "x", "url": "https://ci.example"}},
            {"references": tuple({} for _ in range(6))},
            {"name": "half a \ud83d pair"},
            {"colour": "red"},
        ],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_a_build_that_jira_would_refuse_cannot_be_made(self, wrong):
        with pytest.raises(ValidationError):
            Build.model_validate(BUILD.model_dump() | wrong)

    def test_an_environment_whose_id_jira_would_refuse_cannot_be_made(self):
        with pytest.raises(ValidationError):
            Environment(id="x" * 256, name="x")

    def test_keys_are_sent_in_upper_case(self):
        assert Build.model_validate(BUILD.model_dump() | {"issue_keys": ("myt-1",)}).issue_keys == ("MYT-1",)

    def test_a_report_is_called(self):
        assert report().title == "build 42 of shop"
        assert report(DEPLOYMENT).title == "deployment 42 of shop to Prod"


FAMILY = "👩\u200d👩\u200d👧\u200d👦"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
# Each is one character to a reader.
SAMPLES = ["a", "修", "e\u0301", "❤\ufe0f", "1\ufe0f\u20e3", "👍🏽", "🇩🇪", FAMILY, ENGLAND]
SAMPLES += ["\u1112\u1161\u11ab", "\u1100\ud7b0", "กำ", "ກຳ", "กี่", "ｶﾞ", "நி", "ह\u200c"]
CHARACTERS = st.one_of(
    st.sampled_from(SAMPLES),
    # Any letter with any accents, in any script.
    st.tuples(
        st.characters(categories=["Lu", "Ll", "Nd"]),
        st.text(st.characters(categories=["Mn", "Mc", "Me"]), max_size=4),
    ).map("".join),
    # The flags of countries, and several emoji joined into one.
    st.text("🇦🇧🇨🇩🇪🇫🇬🇭", min_size=2, max_size=2),
    st.lists(st.sampled_from("👩👨👧👦🚀❤"), min_size=2, max_size=4).map("\u200d".join),
)


class TestCutting:
    @given(st.text(st.characters(codec="utf-8")), st.integers(1, 300))
    def test_a_cut_text_is_a_beginning_that_fits(self, text, limit):
        assert text.startswith(cut(text, limit))
        assert len(cut(text, limit)) <= limit
        assert cut(text, limit) == text or len(text) > limit
        assert bool(cut(text, limit)) == bool(text)
        assert cut(cut(text, limit), limit) == cut(text, limit)

    @given(st.lists(CHARACTERS, min_size=2, max_size=60), st.integers(12, 80))
    @example(["🇩🇪"] * 40, 13)
    @example(["a", *["🇩🇪"] * 40], 13)
    @example([ENGLAND] * 8, 12)
    def test_no_cut_text_ends_inside_a_character(self, characters, limit):
        wholes = ["".join(characters[:count]) for count in range(len(characters) + 1)]
        kept = cut("".join(characters), limit)
        assert kept in wholes
        # And no more is cut than has to be.
        assert len(kept) == max(len(whole) for whole in wholes if len(whole) <= limit)

    @pytest.mark.parametrize("character", SAMPLES)
    def test_a_character_is_kept_whole_or_not_at_all(self, character):
        for inside in range(1, len(character)):
            assert cut(f"x{character}", 1 + inside) == "x"
        assert cut(f"x{character}y", 1 + len(character)) == f"x{character}"

    @given(st.text("ab🇩", min_size=1), CHARACTERS)
    def test_no_cut_text_ends_inside_its_last_character(self, before, character):
        for inside in range(1, len(character)):
            kept = cut(f"a{before}a{character}", len(before) + 2 + inside)
            assert kept == f"a{before}a"

    @given(st.text(st.characters(categories=["Mn", "Mc", "Me", "Ll"]), min_size=2, max_size=400))
    def test_no_accent_is_cut_off_its_letter(self, text):
        kept = cut(text)
        rest = text[len(kept) :]
        if rest and any(unicodedata.category(letter) == "Ll" for letter in text[:LONGEST_TEXT][1:]):
            assert unicodedata.category(rest[0]) == "Ll" or kept == text[:LONGEST_TEXT]

    def test_a_character_longer_than_the_limit_is_cut_all_the_same(self):
        assert len(cut("e" + "\u0301" * 500)) in (1, LONGEST_TEXT)
        assert cut("\u0301" * 500) == "\u0301" * LONGEST_TEXT


def answered(accepted=(), rejected=(), unknown=(), associations=None, kind="Builds", **more):
    body = {f"accepted{kind}": list(accepted), f"rejected{kind}": list(rejected), "unknownIssueKeys": list(unknown)}
    return json.dumps(body | ({"unknownAssociations": associations} if associations is not None else {}) | more)


class TestA202:
    def test_says_what_was_accepted(self):
        receipt = read_answer([report()], 202, JSON, answered([BUILD_KEY]))
        assert [outcome.result for outcome in receipt.outcomes] == [Result.ACCEPTED]
        assert receipt.unknown_issue_keys == receipt.unknown_associations == ()

    def test_says_what_was_rejected_with_jira_s_messages(self):
        errors = [{"message": "label is too long", "errorTraceId": "x"}, {"message": "and so is the url"}, "odd"]
        receipt = read_answer([report()], 202, JSON, answered(rejected=[{"key": BUILD_KEY, "errors": errors}]))
        [outcome] = receipt.outcomes
        assert outcome.result is Result.REJECTED
        [problem] = outcome.problems
        assert problem.what == "Jira refused build 42 of shop"
        assert problem.why == "label is too long; and so is the url; odd"
        assert problem.remedy

    @pytest.mark.parametrize("more", [{}, {"errors": []}, {"errors": None}])
    def test_a_rejection_without_a_reason_says_so(self, more):
        receipt = read_answer([report()], 202, JSON, answered(rejected=[{"key": BUILD_KEY, **more}]))
        assert receipt.outcomes[0].problems[0].why == "it gave no reason"

    def test_that_knows_none_of_the_keys_is_a_sentence_of_its_own(self):
        body = answered(rejected=[{"key": BUILD_KEY, "errors": [{"message": "x"}]}], unknown=["MYT-2", "MYT-1"])
        [outcome] = read_answer([report()], 202, JSON, body).outcomes
        assert outcome.problems[0].what == "Jira knows none of the issue keys of build 42 of shop"
        assert "MYT-1, MYT-2" in outcome.problems[0].why
        assert "acme.atlassian.net" in outcome.problems[0].why

    def test_that_does_not_know_some_is_accepted_and_names_them(self):
        receipt = read_answer([report()], 202, JSON, answered([BUILD_KEY], unknown=["MYT-2", "MYT-2"]))
        assert receipt.outcomes[0].result is Result.ACCEPTED
        assert receipt.unknown_issue_keys == ("MYT-2",)

    def test_tells_unknown_keys_and_other_associations_apart(self):
        associations = [
            {"associationType": "issueIdOrKeys", "values": ["MYT-2"]},
            {"associationType": "serviceIdOrKeys", "values": ["b:1"]},
        ]
        body = answered([DEPLOYMENT_KEY], associations=associations, kind="Deployments")
        receipt = read_answer([report(DEPLOYMENT)], 202, JSON, body)
        assert (receipt.unknown_issue_keys, receipt.unknown_associations) == (("MYT-2",), ("b:1",))

    def test_knows_each_of_several_reports_by_its_identity(self):
        other = report(BUILD.model_copy(update={"number": 43}))
        body = answered([{"buildNumber": "43", "pipelineId": "acme/shop"}], [{"key": BUILD_KEY, "errors": []}])
        receipt = read_answer([report(), other], 202, JSON, body)
        assert [outcome.result for outcome in receipt.outcomes] == [Result.REJECTED, Result.ACCEPTED]

    def test_that_says_both_is_a_rejection(self):
        body = answered([BUILD_KEY], [{"key": BUILD_KEY, "errors": []}])
        assert read_answer([report()], 202, JSON, body).outcomes[0].result is Result.REJECTED

    @pytest.mark.parametrize(
        ("services", "what", "why"),
        [
            (("b:old",), "Jira knows none of the services of", "not known at acme.atlassian.net: b:old"),
            (("b:old", "b:shop"), "Jira refused", "it is too old"),
        ],
    )
    def test_that_refuses_a_deployment_of_services_alone_is_not_about_keys(self, services, what, why):
        entity = DEPLOYMENT.model_copy(update={"issue_keys": (), "service_ids": services})
        answer = {
            "acceptedDeployments": [],
            "rejectedDeployments": [{"key": DEPLOYMENT_KEY, "errors": [{"message": "it is too old"}]}],
            "unknownAssociations": [
                {"associationType": "serviceIdOrKeys", "values": ["b:old"]},
                {"associationType": "commit", "values": [{"commitHash": "8a7b6c5", "repositoryId": "7"}]},
                {"associationType": "repository", "values": [{"repositoryId": "7"}]},
            ],
        }
        receipt = read_answer([report(entity)], 202, JSON, json.dumps(answer))
        [problem] = receipt.outcomes[0].problems
        assert (problem.what, problem.why) == (f"{what} {report(entity).title}", why)
        assert receipt.unknown_associations == ("b:old", "commit 8a7b6c5 of repository 7", "repository 7")

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ("", "it is empty"),
            ("not json", "it is not JSON"),
            ("<html>login</html>", "it is an HTML page"),
            ("[]", "it is not a JSON object"),
            ("null", "it is not a JSON object"),
            ("{}", "it lacks acceptedBuilds"),
            ('{"acceptedBuilds": []}', "it lacks rejectedBuilds"),
            ('{"acceptedBuilds": {}, "rejectedBuilds": []}', "its acceptedBuilds is not a list"),
            (answered([7]), "a key in it is not an object"),
            (answered(rejected=[{}]), "it lacks key"),
            (answered(rejected=[7]), "it lacks key"),
            (answered([]), "neither that build 42 of shop was accepted nor that it was rejected"),
            (answered([{"pipelineId": "other", "buildNumber": 42}]), "neither that build 42"),
            (answered([BUILD_KEY], associations=7), "its unknownAssociations is not a list"),
            (answered([BUILD_KEY], associations=[{"associationType": "issueKeys"}]), "it lacks values"),
            ("[" * 100_000, "it is not JSON"),
            ("1" * 5000, "it is not JSON"),
        ],
        ids=range(17),
    )
    def test_without_what_such_an_answer_holds_is_no_answer(self, body, why):
        [outcome] = read_answer([report()], 202, JSON, body).outcomes
        assert outcome.result is Result.NOT_DELIVERED
        [problem] = outcome.problems
        assert problem.what == "acme.atlassian.net gave no usable answer"
        assert why in problem.why
        assert problem.remedy

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "acceptedBuilds",
                            "rejectedBuilds",
                            "key",
                            "errors",
                            "message",
                            "unknownIssueKeys",
                            "unknownAssociations",
                            "associationType",
                            "values",
                            "pipelineId",
                            "buildNumber",
                        ]
                    ),
                    inner,
                )
            ),
        )
    )
    def test_of_any_shape_is_read_without_an_exception(self, answer):
        assert len(read_answer([report()], 202, JSON, json.dumps(answer)).outcomes) == 1


class TestAnyOtherStatus:
    @pytest.mark.parametrize(
        ("status", "result", "what", "remedy"),
        [
            (400, Result.REJECTED, "malformed", "--dry-run"),
            (401, Result.NOT_DELIVERED, "did not accept the credential", "revoked"),
            (403, Result.NOT_DELIVERED, "may not report", "permission"),
            (404, Result.NOT_DELIVERED, "no such Jira site or app", "INSTANCE"),
            (405, Result.NOT_DELIVERED, "does not take reports", "INSTANCE"),
            (413, Result.REJECTED, "too large", "fewer issue keys"),
            (418, Result.NOT_DELIVERED, "did not take", "doctor"),
            (429, Result.NOT_DELIVERED, "rate limit", "later"),
            (200, Result.NOT_DELIVERED, "did not take", "doctor"),
            (500, Result.NOT_DELIVERED, "problem of its own", "later"),
            (503, Result.NOT_DELIVERED, "problem of its own", "later"),
        ],
    )
    def test_is_an_error_with_status_message_and_remedy(self, status, result, what, remedy):
        [outcome] = read_answer([report()], status, JSON, '{"message": "Jira says so"}').outcomes
        assert outcome.result is result
        [problem] = outcome.problems
        assert what in problem.what
        assert "build 42 of shop" in problem.what
        assert problem.why == f"acme.atlassian.net answered {status}: Jira says so"
        assert remedy in problem.remedy

    @pytest.mark.parametrize(
        ("headers", "body", "why"),
        [
            (JSON, '[{"message": "a"}, {"message": "b"}]', ": a; b"),
            (JSON, '{"code": 7, "message": "a"}', ": a"),
            (JSON, '{"errorMessages": ["a", "b"], "errors": {}}', ": a; b"),
            (JSON, '{"error": "invalid", "error_description": "a"}', ": a"),
            (JSON, '["a", "", null]', ": a"),
            (JSON, '{"other": 1}', ""),
            (JSON, "plain words", ": plain words"),
            (JSON, "", ""),
            (JSON, "[" * 100_000, ": " + "[" * 100_000),
            ({"Content-Type": "text/html"}, "x", " with an HTML page"),
            ({}, "  <!DOCTYPE html>", " with an HTML page"),
            ({"Retry-After": "30"}, "", " (Retry-After: 30)"),
            ({"X-RateLimit-Reset": "2026-03-26T16:00Z"}, "", " (X-RateLimit-Reset: 2026-03-26T16:00Z)"),
            (
                {"Retry-After": "30", "X-RateLimit-Reset": "2026-03-26T16:00Z", "RateLimit-Reason": "jira-burst-based"},
                "",
                " (Retry-After: 30; RateLimit-Reason: jira-burst-based)",
            ),
        ],
        ids=range(14),
    )
    def test_jira_s_message_is_found_in_any_of_its_shapes(self, headers, body, why):
        [outcome] = read_answer([report()], 500, headers, body).outcomes
        assert outcome.problems[0].why == f"acme.atlassian.net answered 500{why}"

    @pytest.mark.parametrize(
        ("reason", "remedy"),
        [
            ("jira-quota-global-based", "all who share its credentials"),
            ("jira-quota-tenant-based", "all who share its credentials"),
            ("jira-burst-based", "too many calls in one second"),
            ("jira-per-issue-on-write", "one issue was updated too often"),
            ("something new", "report less often if this happens a lot"),
        ],
    )
    def test_a_rate_limit_is_told_by_its_reason(self, reason, remedy):
        [outcome] = read_answer([report()], 429, {"RateLimit-Reason": reason}, "").outcomes
        assert remedy in outcome.problems[0].remedy

    def test_a_report_too_large_among_others_may_be_sent_again_alone(self):
        receipt = read_answer([report(), report()], 413, JSON, "")
        assert [outcome.result for outcome in receipt.outcomes] == [Result.NOT_DELIVERED] * 2

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    @pytest.mark.parametrize(
        ("headers", "new"),
        [
            ({"Location": "https://new.atlassian.net/rest/builds/0.1/bulk"}, "https://new.atlassian.net"),
            ({"Location": "/login"}, "/login"),
            ({}, "an address that it does not name"),
        ],
    )
    def test_a_redirect_names_the_new_site(self, status, headers, new):
        [outcome] = read_answer([report()], status, headers, "").outcomes
        assert outcome.result is Result.NOT_DELIVERED
        [problem] = outcome.problems
        assert problem.what == f"the site acme.atlassian.net moved to {new}"
        assert "never followed" in problem.why
        assert "INSTANCE" in problem.remedy
        assert moved("acme.atlassian.net", headers.get("Location", "")) == problem


@pytest.mark.parametrize(("status", "body"), [(404, '{"message": "no"}'), (200, "{}"), (404, " []")])
def test_reading_back_what_is_not_there_is_no_problem(status, body):
    assert asking_problem("acme", status, JSON, body) is None


@pytest.mark.parametrize(("status", "body"), [(404, "<html>"), (404, ""), (401, "{}"), (500, "{}"), (302, "")])
def test_reading_back_anything_else_is_one(status, body):
    problem = asking_problem("acme", status, {"Location": "https://b.example"}, body)
    assert problem.what
    assert "acme" in problem.what + problem.why


def test_a_web_page_is_known_by_its_type_or_its_beginning():
    assert is_html({"Content-Type": "text/html; charset=utf-8"}, "{}")
    assert is_html({}, "\n <html>")
    assert not is_html(JSON, "{}")


def test_a_site_is_called_by_its_host_or_its_cloud_id():
    assert Site(url="https://acme.atlassian.net").name == "acme.atlassian.net"
    assert Site(cloud_id="a-b").name == "cloud id a-b"
