"""Reading back and deleting: where an entity is, what an answer says, and the words of each problem in full."""

from __future__ import annotations

import json
from itertools import islice
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from jira_ci_core import Connection, DeliveryError, Kind, Problem, Report, Result, SettingsError
from jira_ci_core.gate import _waits
from jira_ci_core.jira_api.bulk import entity_payload, read_answer
from jira_ci_core.jira_api.stored import (
    Address,
    Gate,
    address_of,
    asking_problem,
    build_address,
    deployment_address,
    gate_address,
    is_newer,
    properties_address,
    read_entity,
    read_gate,
    storage_problem,
)
from jira_ci_core.net.answers import moved

JSON = {"Content-Type": "application/json"}
BUILD = {
    "kind": "build",
    "number": 42,
    "sequence": 1000,
    "name": "acme/shop #42",
    "url": "https://ci.example/42",
    "state": "successful",
    "last_updated": "2024-05-01T12:30:00+00:00",
    "issue_keys": ("MYT-1", "MYT-2"),
    "pipeline": {"id": "acme/shop", "name": "shop", "url": "https://ci.example"},
}
DEPLOYMENT = {**BUILD, "kind": "deployment", "environment": {"id": "prod eu", "name": "Production"}}


def make_report(entity=BUILD, **changes):
    return Report.model_validate({"site": {"url": "https://acme.atlassian.net"}, "entity": {**entity, **changes}})


class TestAddresses:
    CONNECTION = Connection(
        builds_url="https://api.example/jira/builds/0.1/cloud/1/bulk",
        deployments_url="https://api.example/jira/deployments/0.1/cloud/1/bulk",
        auth=lambda request: request,
        renew=lambda: None,
    )

    def test_a_build_is_below_the_address_that_takes_builds(self):
        address = address_of(make_report().entity)
        assert address == Address(Kind.BUILD, "/pipelines/acme%2Fshop/builds/42") == build_address("acme/shop", 42)
        assert address.at(self.CONNECTION) == (
            "https://api.example/jira/builds/0.1/cloud/1/pipelines/acme%2Fshop/builds/42"
        )

    def test_a_deployment_is_below_the_address_that_takes_deployments(self):
        address = address_of(make_report(DEPLOYMENT).entity)
        path = "/pipelines/acme%2Fshop/environments/prod%20eu/deployments/42"
        assert address == Address(Kind.DEPLOYMENT, path) == deployment_address("acme/shop", "prod eu", 42)
        assert address.at(self.CONNECTION) == f"https://api.example/jira/deployments/0.1/cloud/1{path}"

    @pytest.mark.parametrize("kind", Kind)
    def test_what_has_properties_is_asked_for_by_them(self, kind):
        address = properties_address(kind, {"team": "a b", "é": "1&2"})
        assert address == Address(kind, "/bulkByProperties?team=a+b&%C3%A9=1%262")

    @given(st.text(min_size=1).filter(lambda id: id not in (".", "..")))
    def test_any_other_id_is_one_step_of_a_path(self, id):
        path = build_address(id, 1).path
        assert path.count("/") == 4
        assert unquote(path.split("/")[2]) == id

    @pytest.mark.parametrize("id", [".", ".."])
    def test_an_id_that_means_a_folder_cannot_be_addressed(self, id):
        problem = Problem(
            f"the id {id!r} cannot be used in an address",
            "in the path of an address it means a folder",
            "give it another id",
        )
        for address in (lambda: build_address(id, 1), lambda: deployment_address("a", id, 1)):
            with pytest.raises(SettingsError) as caught:
                address()
            assert caught.value.problems == (problem,)


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 202, 204])
    @pytest.mark.parametrize("body", ["{}", "", "[]"])
    def test_what_jira_does_is_no_problem(self, status, body):
        assert asking_problem("acme", status, JSON, body) is None

    @pytest.mark.parametrize("body", ['{"message": "no"}', " []"])
    def test_neither_is_that_there_is_none(self, body):
        assert asking_problem("acme", 404, JSON, body) is None

    @pytest.mark.parametrize(
        ("status", "headers", "body"),
        [
            *((status, JSON, "{}") for status in (201, 203, 205, 400, 401, 403, 405, 429, 500, 503)),
            (404, JSON, ""),
            (404, JSON, "not found"),
            (404, {}, "<html>"),
            *((status, {"Content-Type": "text/html"}, "x") for status in (200, 202, 204)),
            *((status, {}, "<html>") for status in (200, 202, 204)),
        ],
    )
    def test_anything_else_is_one(self, status, headers, body):
        problem = asking_problem("acme", status, headers, body)
        assert problem is not None
        assert "acme" in problem.what + problem.why

    def test_it_names_the_site_the_status_and_what_jira_says(self):
        assert asking_problem("acme", 403, JSON, '{"message": "not you"}') == Problem(
            "the credential may not report this: asking",
            "acme answered 403: not you",
            "give it the permission (OAuth: builds and deployments), and install the app on the site (Connect)",
        )

    def test_a_moved_site_is_named(self):
        assert asking_problem("acme", 301, {"Location": "https://b.example/x"}, "") == Problem(
            "the site acme moved to https://b.example",
            "it answered with a redirect, which is never followed",
            "set INSTANCE to https://b.example, if that is the new address of your site",
        )
        assert moved("acme", "").what == "the site acme moved to an address that it does not name"
        assert moved("acme", "/login").what == "the site acme moved to /login"

    def test_an_entity_is_read(self):
        assert read_entity("acme", 200, JSON, '{"state": "failed"}') == {"state": "failed"}

    def test_one_that_is_not_there_is_none(self):
        assert read_entity("acme", 404, JSON, '{"message": "no such build"}') is None

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("oops", "it is not JSON"),
            ("[" * 100_000, "it is not JSON"),
            ("<html>", "it is an HTML page"),
        ],
    )
    def test_what_is_no_entity_is_an_error(self, body, why):
        with pytest.raises(DeliveryError) as caught:
            read_entity("acme", 200, JSON, body)
        assert caught.value.problems == (
            Problem(
                "acme gave no usable answer",
                f"Jira answers with a build or a deployment, and here {why}",
                "look for a proxy or gateway between this machine and Jira that answers in its place; check INSTANCE",
            ),
        )

    @pytest.mark.parametrize("body", ["[]", "1", "null", '"a"'])
    def test_neither_is_any_other_json(self, body):
        with pytest.raises(DeliveryError, match="acme gave no usable answer"):
            read_entity("acme", 200, JSON, body)


ANSWERS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["allowed", "awaiting"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["gatingStatus", "details", "issueKey", "issueLink"]), inner)
    ),
)


class TestGate:
    def test_it_is_read_with_the_changes_that_it_names(self):
        details = [
            {"type": "issue", "issueKey": "OPS-7", "issueLink": "https://acme/browse/OPS-7"},
            {"issueKey": "OPS-8"},
            {"type": "other"},
            "x",
        ]
        body = json.dumps({"gatingStatus": "prevented", "details": details})
        assert read_gate("acme", 200, JSON, body) == Gate(
            "prevented", {"OPS-7": "https://acme/browse/OPS-7", "OPS-8": ""}
        )

    def test_of_a_deployment_that_is_not_stored_yet_there_is_none(self):
        assert read_gate("acme", 404, JSON, '{"message": "none"}') is None

    def test_without_a_status_it_is_no_answer(self):
        with pytest.raises(DeliveryError, match="it lacks gatingStatus"):
            read_gate("acme", 200, JSON, "{}")

    @given(ANSWERS)
    def test_whatever_is_answered_is_read_or_is_no_answer(self, answer):
        try:
            gate = read_gate("acme", 200, JSON, json.dumps(answer))
        except DeliveryError:
            return
        assert gate.status == answer["gatingStatus"]
        assert all(isinstance(text, str) for pair in gate.changes.items() for text in pair)

    def test_it_is_asked_for_with_a_command_and_found_below_the_deployment(self):
        deployment = make_report(DEPLOYMENT).entity
        assert "commands" not in entity_payload(deployment)
        asking = deployment.model_copy(update={"asks_for_gate": True})
        assert entity_payload(asking)["commands"] == [{"command": "initiate_deployment_gating"}]
        assert gate_address(deployment).path == address_of(deployment).path + "/gating-status"

    def test_it_is_looked_at_ever_less_often(self):
        waits = list(islice(_waits(), 20))
        assert waits[0] == 1
        assert waits == sorted(waits)
        assert waits[-1] == 30


class TestStored:
    REPORT = make_report()

    def test_what_was_reported_is_no_problem(self):
        assert storage_problem(self.REPORT, {"updateSequenceNumber": 1000, "state": "successful"}) is None
        assert not is_newer(self.REPORT, {"updateSequenceNumber": 1000})

    def test_a_later_one_is(self):
        assert is_newer(self.REPORT, {"updateSequenceNumber": 1001})
        assert storage_problem(self.REPORT, {"updateSequenceNumber": 1001}) == Problem(
            "acme.atlassian.net accepted build 42 of shop and ignores it",
            "it already holds a later update: another step reported later, or the clock of a machine is wrong",
            "compare the clocks of the machines; `jira-ci show` shows what Jira holds",
        )

    def test_another_one_with_the_same_number_is(self):
        problem = storage_problem(self.REPORT, {"updateSequenceNumber": 1000, "state": "in_progress"})
        assert problem.what == "acme.atlassian.net accepted build 42 of shop and ignores it"

    @pytest.mark.parametrize("stored", [None, {}, {"updateSequenceNumber": 999}, {"updateSequenceNumber": "1001"}])
    def test_anything_earlier_is_not_there_yet(self, stored):
        assert stored is None or not is_newer(self.REPORT, stored)
        assert storage_problem(self.REPORT, stored) == Problem(
            "acme.atlassian.net accepted build 42 of shop and does not show it yet",
            "Jira stores asynchronously, and it was not readable within DEADLINE",
            "ask again later with `jira-ci show`; status.atlassian.com reports delays",
        )


class TestTheWordsOfRefusals:
    """What people read when Jira takes a report for none: three different sentences, each with what to do."""

    KEY = {"pipelineId": "acme/shop", "buildNumber": 42}

    def problem(self, answer, status=202):
        receipt = read_answer([make_report()], status, JSON, json.dumps(answer))
        [outcome] = receipt.outcomes
        [problem] = outcome.problems
        return outcome.result, problem

    def rejected(self, errors=None, **more):
        entry = {"key": self.KEY, **({} if errors is None else {"errors": errors})}
        return self.problem({"acceptedBuilds": [], "rejectedBuilds": [entry], **more})

    def test_no_key_is_known(self):
        unknown = ["MYT-2", "MYT-1"]
        result, problem = self.rejected([{"message": "no known keys"}], unknownIssueKeys=unknown)
        assert result is Result.REJECTED
        assert problem == Problem(
            "Jira knows none of the issue keys of build 42 of shop",
            "not known at acme.atlassian.net: MYT-1, MYT-2",
            "check the keys and PROJECT, that INSTANCE is the site the issues are at, and that they still exist",
        )

    def test_the_reasons_are_told(self):
        errors = [{"message": "too long"}, {"message": "too late", "errorTraceId": "1"}]
        assert self.rejected(errors, unknownIssueKeys=["MYT-1"]) == (
            Result.REJECTED,
            Problem(
                "Jira refused build 42 of shop",
                "too long; too late",
                "correct what it names; `--dry-run` shows what is sent",
            ),
        )

    @pytest.mark.parametrize("errors", [None, []])
    def test_no_reason_is_told_as_well(self, errors):
        assert self.rejected(errors)[1].why == "it gave no reason"

    @pytest.mark.parametrize(
        ("error", "reason"), [({"message": ""}, "{'message': ''}"), ({"code": 7}, "{'code': 7}"), ("words", "words")]
    )
    def test_a_reason_of_another_shape_is_told_as_it_is(self, error, reason):
        assert self.rejected([error])[1].why == reason

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ([], "it is not a JSON object"),
            ({}, "it lacks acceptedBuilds"),
            ({"acceptedBuilds": []}, "it lacks rejectedBuilds"),
            ({"acceptedBuilds": {}, "rejectedBuilds": []}, "its acceptedBuilds is not a list"),
            ({"acceptedBuilds": [], "rejectedBuilds": [{}]}, "it lacks key"),
            ({"acceptedBuilds": [], "rejectedBuilds": [1]}, "it lacks key"),
            ({"acceptedBuilds": [1], "rejectedBuilds": []}, "a key in it is not an object"),
            ({"acceptedBuilds": [], "rejectedBuilds": [], "unknownIssueKeys": 1}, "its unknownIssueKeys is not a list"),
            (
                {"acceptedBuilds": [], "rejectedBuilds": [], "unknownAssociations": [{"associationType": "issueKeys"}]},
                "it lacks values",
            ),
            ({"acceptedBuilds": [], "rejectedBuilds": [], "unknownAssociations": [{}]}, "it lacks associationType"),
            (
                {"acceptedBuilds": [], "rejectedBuilds": []},
                "it says neither that build 42 of shop was accepted nor that it was rejected",
            ),
            (
                {"acceptedBuilds": [{"pipelineId": "acme/shop", "number": 42}], "rejectedBuilds": []},
                "it says neither that build 42 of shop was accepted nor that it was rejected",
            ),
        ],
    )
    def test_an_answer_that_is_none(self, answer, why):
        assert self.problem(answer) == (
            Result.NOT_DELIVERED,
            Problem(
                "acme.atlassian.net gave no usable answer",
                f"Jira answers a report with what it accepted and rejected, and here {why}",
                "look for a proxy or gateway between this machine and Jira that answers in its place; check INSTANCE",
            ),
        )

    @pytest.mark.parametrize(
        ("status", "result", "what", "remedy"),
        [
            (
                413,
                Result.REJECTED,
                "the report is too large",
                "name fewer issue keys",
            ),
            (
                402,
                Result.NOT_DELIVERED,
                "Jira did not take the report",
                "`jira-ci doctor` checks the settings one by one",
            ),
            (
                499,
                Result.NOT_DELIVERED,
                "Jira did not take the report",
                "`jira-ci doctor` checks the settings one by one",
            ),
            (
                500,
                Result.NOT_DELIVERED,
                "Jira has a problem of its own",
                "try again later; see status.atlassian.com",
            ),
        ],
    )
    def test_a_status(self, status, result, what, remedy):
        assert self.problem({"message": "so"}, status) == (
            result,
            Problem(f"{what}: build 42 of shop", f"acme.atlassian.net answered {status}: so", remedy),
        )

    def test_a_413_for_two_is_not_a_refusal_of_each(self):
        receipt = read_answer([make_report(), make_report(number=43)], 413, JSON, "{}")
        assert [outcome.result for outcome in receipt.outcomes] == [Result.NOT_DELIVERED] * 2

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"message": ["a", "b"]}, ": a; b"),
            ({"errorMessages": ["a", 1]}, ": a; 1"),
            ({"error_description": "a", "error": "b"}, ": a"),
            ({"error": "b"}, ": b"),
            ([{"message": "a"}, {"message": "b"}], ": a; b"),
            (["a", None, "", "b"], ": a; b"),
            ([{}], ""),
            (None, ""),
        ],
    )
    def test_what_jira_says_in_any_of_its_shapes(self, answer, reason):
        assert self.problem(answer, 400)[1].why == f"acme.atlassian.net answered 400{reason}"
