"""What Jira and the token endpoints may answer, and how the step ends then."""

from __future__ import annotations

import json

import pytest

from jira_ci_core.net.client import RETRY

pytestmark = pytest.mark.usefixtures("in_process", "two_tries")

SHAPES = [
    '[{"message": "Jira says so"}]',
    '{"code": 1, "message": "Jira says so"}',
    '{"errorMessages": ["Jira says so"]}',
    "Jira says so",
]


@pytest.fixture
def two_tries(monkeypatch):
    """What fails for the moment is tried once more, at once; the next wait would be beyond the deadline."""
    monkeypatch.setattr("jira_ci_core.net.client.RETRY", RETRY.new(backoff_factor=1000, backoff_max=1000))


@pytest.fixture(params=["oauth", "connect"])
def signed_in(request, harness):
    """A step of a Harness run, once with each kind of credentials."""
    harness.environ |= request.getfixturevalue(request.param)
    harness.kind = request.param
    return harness


class TestRefusals:
    """Each status ends in an error with the status, what Jira says, and a remedy."""

    @pytest.mark.parametrize(
        ("status", "what", "do"),
        [
            (400, "Jira refused the request as malformed: build 42 of checkout", "--dry-run"),
            (403, "the credential may not report this", "permission"),
            (404, "there is no such Jira site or app", "INSTANCE"),
            (405, "the address does not take reports", "API_URL"),
            (413, "the report is too large", "fewer issue keys"),
            (418, "Jira did not take the report", "doctor"),
            (429, "Jira's rate limit is used up", "later"),
            (500, "Jira has a problem of its own", "status.atlassian.com"),
            (502, "Jira has a problem of its own", "status.atlassian.com"),
            (503, "Jira has a problem of its own", "status.atlassian.com"),
        ],
    )
    @pytest.mark.parametrize("body", SHAPES)
    def test_a_status_has_its_own_sentence_and_remedy(self, harness_oauth, jira, failed, status, what, do, body):
        jira.fault("answer", status=status, body=body, count=2)
        failure = failed(harness_oauth(), 1)
        assert failure.what.startswith(what)
        assert f"answered {status}" in failure.why
        assert "Jira says so" in failure.why
        assert do in failure.do

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 429, 500, 503])
    def test_a_web_page_in_place_of_an_error_is_said_to_be_one(self, harness_oauth, jira, failed, status):
        page = "<html><script>var x</script>Blocked</html>"
        jira.fault("answer", status=status, body=page, count=2, headers={"content-type": "text/html"})
        failure = failed(harness_oauth(), 1)
        assert f"answered {status} with an HTML page" in failure.why
        assert "script" not in failure.why

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", "7", '"x"', '{"message": null}', "[" * 100_000])
    def test_an_error_without_a_message_has_its_status(self, harness_oauth, jira, failed, body):
        jira.fault("answer", status=403, body=body)
        assert "answered 403" in failed(harness_oauth(), 1).why

    @pytest.mark.parametrize("after", ["120", "Wed, 21 Oct 2076 07:28:00 GMT"])
    def test_a_rate_limit_says_how_long(self, harness_oauth, jira, failed, after):
        jira.fault("answer", status=429, headers={"retry-after": after})
        assert after in failed(harness_oauth(), 1).why

    def test_the_rate_limit_of_the_site(self, signed_in, jira, failed):
        jira.configure(rate_limit=1)
        assert signed_in().code == 0
        failure = failed(signed_in(), 1)
        assert "rate limit" in failure.what
        assert "Retry-After" in failure.why

    def test_a_credential_without_permission(self, harness, jira, failed):
        for kind in ("oauth", "connect"):
            made = jira.mint(kind, permission=False)
            given = {name: made[name] for name in ("client_id", "client_secret", "connect_key") if name in made}
            failure = failed(harness(**given), 1)
            assert "may not report this" in failure.what
            assert "the permission" in failure.do

    def test_another_sites_cloud_id(self, harness_oauth, jira, failed):
        failure = failed(harness_oauth(cloud_id="0" * 32), 1)
        assert "no such Jira site" in failure.what
        assert "CLOUD_ID" in failure.do

    def test_a_request_larger_than_the_site_takes(self, signed_in, jira, failed):
        jira.configure(max_bytes=300)
        assert "too large" in failed(signed_in(), 1).what

    def test_a_failed_deployment_says_which(self, harness_oauth, jira, failed):
        jira.fault("answer", status=500, count=20)
        assert "deployment 42 of checkout to prod" in failed(harness_oauth(environment_name="prod,qa"), 1).what


class TestExpiredTokens:
    """A 401 renews the token, once."""

    def test_a_token_that_expired_is_renewed_once_and_the_build_delivered(self, signed_in, jira):
        jira.fault("answer", status=401)
        done = signed_in()
        assert done.code == 0, done.text
        assert len(jira.builds()) == 1
        assert [request["status"] for request in jira.requests("bulk")] == [401, 202]
        assert len(jira.requests("token")) == 2

    def test_a_second_401_is_an_error(self, signed_in, jira, failed):
        jira.fault("answer", status=401, count=3, body='{"errorMessages": ["not you"]}')
        failure = failed(signed_in(), 1)
        assert "Jira did not accept the credential" in failure.what
        assert "not you" in failure.why
        assert "revoked" in failure.do
        assert len(jira.requests("bulk")) == len(jira.requests("token")) == 2

    def test_a_token_that_cannot_be_renewed_is_an_error_of_its_own(self, signed_in, jira, failed):
        jira.fault("answer", status=401)
        jira.fault("answer", match="token", status=200, body=jira_token(signed_in, jira))
        jira.fault("answer", match="token", status=503, count=2)
        failure = failed(signed_in(), 1)
        assert "did not give a token" in failure.what
        assert "answered 503" in failure.why


def jira_token(step, jira):
    """What a token endpoint answers that gives a token which Jira does not know."""
    if step.kind == "oauth":
        return {"access_token": "a-token-of-nobody"}
    return "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"


class TestAnswersThatAreNone:
    """What a proxy, a gateway or a broken connection leaves of Jira's answer."""

    @pytest.mark.parametrize(
        ("action", "why"),
        [
            ("html", "answered 200 with an HTML page"),
            ("malformed", "it is not JSON"),
            ("empty", "it is empty"),
        ],
    )
    def test_it_is_said_what_it_is(self, signed_in, jira, failed, action, why):
        jira.fault(action)
        failure = failed(signed_in(), 1)
        assert why in failure.why

    @pytest.mark.parametrize("name", ["acceptedBuilds", "rejectedBuilds"])
    def test_a_missing_field_is_named(self, harness_oauth, jira, failed, name):
        jira.fault("missing", fields=[name])
        failure = failed(harness_oauth(), 1)
        assert f"it lacks {name}" in failure.why
        assert "gave no usable answer" in failure.what

    def test_lists_of_what_is_unknown_may_be_missing(self, harness_oauth, jira):
        jira.fault("missing", fields=["unknownIssueKeys", "unknownAssociations"])
        assert harness_oauth().code == 0

    @pytest.mark.parametrize(
        "body",
        [
            [],
            "x",
            None,
            {"acceptedBuilds": [], "rejectedBuilds": []},
            {"acceptedBuilds": {}, "rejectedBuilds": []},
            {"acceptedBuilds": ["x"], "rejectedBuilds": []},
            {"acceptedBuilds": [], "rejectedBuilds": [{"errors": []}]},
            {"acceptedBuilds": [], "rejectedBuilds": ["x"]},
            {"acceptedBuilds": [{"pipelineId": "other", "buildNumber": 42}], "rejectedBuilds": []},
            {"acceptedBuilds": [], "rejectedBuilds": [], "unknownIssueKeys": 7},
            {"acceptedBuilds": [], "rejectedBuilds": [], "unknownAssociations": [{"values": []}]},
        ],
    )
    def test_a_202_that_says_nothing_of_the_build_is_no_success(self, harness_oauth, jira, failed, body):
        jira.fault("answer", status=202, body=json.dumps(body))
        assert "gave no usable answer" in failed(harness_oauth(), 1).what

    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_another_success_than_202_is_none(self, harness_oauth, jira, failed, status):
        jira.fault("answer", status=status, body='{"ok": true}')
        assert f"answered {status}" in failed(harness_oauth(), 1).why

    @pytest.mark.parametrize("action", ["reset", "lost", "half"])
    def test_a_connection_that_breaks_is_an_error_that_names_the_host(self, signed_in, jira, failed, action):
        jira.fault(action, count=2)
        failure = failed(signed_in(), 1)
        assert f"{jira.url} could not be reached" in failure.what
        assert "network" in failure.do

    def test_an_answer_that_is_late_is_still_taken(self, harness_oauth, jira):
        jira.fault("slow", seconds=0.2)
        assert harness_oauth().code == 0


class TestRejection:
    """A 202 is not success: each build and deployment is accepted or rejected on its own."""

    def test_what_jira_says_of_a_rejected_build_is_told(self, harness_oauth, jira, failed):
        rejected = {
            "acceptedBuilds": [],
            "rejectedBuilds": [
                {
                    "key": {"pipelineId": "harness/acme/default/shop/checkout", "buildNumber": 42},
                    "errors": [{"message": "the url is odd", "errorTraceId": "1"}, {"message": "so is the label"}],
                }
            ],
            "unknownIssueKeys": [],
        }
        jira.fault("answer", status=202, body=rejected)
        failure = failed(harness_oauth(), 1)
        assert failure.what == "Jira refused build 42 of checkout"
        assert failure.why == "the url is odd; so is the label"
        assert "--dry-run" in failure.do

    @pytest.mark.parametrize("environment", [None, "prod"])
    def test_where_jira_knows_none_of_the_keys_it_says_which(self, harness_oauth, jira, failed, environment):
        jira.configure(projects=["OTHER"])
        failure = failed(harness_oauth(environment_name=environment, issuekeys="MYT-1 MYT-2"), 1)
        assert failure.what.startswith("Jira knows none of the issue keys of")
        assert failure.why.endswith("MYT-1, MYT-2")
        assert "PROJECT" in failure.do
        assert jira.builds() == jira.deployments() == []

    @pytest.mark.parametrize("environment", [None, "prod"])
    def test_where_it_knows_some_the_others_are_a_warning(self, harness_oauth, jira, clean, environment):
        done = clean(harness_oauth(environment_name=environment, issuekeys="MYT-1 GONE-2"))
        assert done.code == 0, done.text
        assert "(successful) for MYT-1\n" in done.err
        assert "warning: Jira does not know GONE-2; the other issues are updated" in done.err
        assert [one["issueKeys"] for one in jira.builds() + jira.deployments()] == [["MYT-1"]]

    def test_refused_unknown_and_not_found_are_three_different_sentences(self, harness_oauth, jira, failed):
        jira.fault("answer", status=400)
        refused = failed(harness_oauth(), 1).what
        unreachable = failed(harness_oauth(cloud_id=jira.cloud_id, api_url="http://127.0.0.1:1"), 1).what
        not_found = failed(harness_oauth(on_no_issue="fail", environ={"DRONE_COMMIT_MESSAGE": "nothing"}), 1).what
        jira.configure(projects=["OTHER"])
        unknown = failed(harness_oauth(), 1).what
        assert len({refused, unreachable, not_found, unknown}) == 4

    def test_of_several_deployments_each_has_its_own_outcome(self, harness_oauth, jira, failed):
        def key(environment):
            return {
                "pipelineId": "harness/acme/default/shop/checkout",
                "environmentId": environment,
                "deploymentSequenceNumber": 42,
            }

        answer = {
            "acceptedDeployments": [key("qa")],
            "rejectedDeployments": [{"key": key("prod"), "errors": [{"message": "no"}]}],
        }
        jira.fault("answer", status=202, body=answer)
        done = harness_oauth(environment_name="qa,prod")
        failure = failed(done, 1)
        assert failure.what == "Jira refused deployment 42 of checkout to prod"
        assert "accepted deployment 42 of checkout to qa" in done.err


class TestTokenEndpoints:
    """What answers where a token or a cloud id is expected is checked before it is used as one."""

    @pytest.mark.parametrize("kind", ["client_secret", "connect_key", "client_id"])
    def test_a_wrong_credential_is_told_with_its_name(self, harness, oauth, connect, jira, failed, kind, secrets):
        secrets.append("wrong-credential-1234")
        given = connect if kind == "connect_key" else oauth
        failure = failed(harness(environ=given, **{kind: "wrong-credential-1234"}), 1)
        assert "did not give a token" in failure.what
        assert "answered 401" in failure.why
        assert kind.upper() in failure.do
        assert jira.requests("bulk") == []

    def test_a_revoked_credential_is_told(self, signed_in, jira, failed):
        for credential in jira.credentials():
            jira.revoke(credential["name"])
        failed(signed_in(), 1)
        assert jira.requests("bulk") == []

    @pytest.mark.parametrize("status", [201, 403, 429, 503])
    def test_any_other_status_is_no_token(self, signed_in, jira, failed, status):
        jira.fault("answer", match="token", status=status, body=SHAPES[0], count=2)
        failure = failed(signed_in(), 1)
        assert failure.what == f"{jira.url} did not give a token"
        assert f"answered {status}" in failure.why
        assert jira.requests("bulk") == []

    def test_a_login_form_is_no_token(self, signed_in, jira, failed):
        jira.fault("html", match="token")
        failure = failed(signed_in(), 1)
        assert "answered 200 with an HTML page" in failure.why
        assert "proxy" in failure.do
        assert jira.requests("bulk") == []

    @pytest.mark.parametrize("action", ["empty", "malformed", "half", "reset"])
    def test_neither_is_what_is_broken(self, signed_in, jira, failed, action):
        jira.fault(action, match="token", count=2)
        failed(signed_in(), 1)
        assert jira.requests("bulk") == []

    def test_an_unknown_site_is_told(self, harness_oauth, jira, failed):
        jira.fault("answer", match="tenant", status=404)
        failure = failed(harness_oauth(), 1)
        assert failure.do == "there is no such site: check INSTANCE"
        assert jira.requests("bulk") == []

    @pytest.mark.parametrize("action", ["html", "empty", "malformed", "half", "reset"])
    def test_a_cloud_id_that_is_none_is_told(self, harness_oauth, jira, failed, action):
        jira.fault(action, match="tenant", count=2)
        failed(harness_oauth(), 1)
        assert jira.requests("bulk") == []

    def test_a_message_of_a_token_endpoint_with_the_secret_in_it_is_redacted(self, harness_oauth, jira, failed):
        jira.fault("answer", match="token", status=400, body={"error_description": f"{jira.client_secret} is wrong"})
        assert "[secret] is wrong" in failed(harness_oauth(log_level="debug"), 1).why

    def test_what_is_no_token_is_not_shown(self, signed_in, jira, failed, secrets):
        secrets.append("half-a-token")
        jira.fault("answer", match="token", status=200, body='{"token": "half-a-token"}')
        failed(signed_in(log_level="debug"), 1)
