"""OAuth sign-in by itself: what it offers, what it asks for, and which answers it takes for a token and a cloud id."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import requests
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from jira_ci_auth_oauth.hosts import hosts
from jira_ci_auth_oauth.plugin import OAuth
from jira_ci_core import Connection, DeliveryError, Http, SignInError, Site
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.output.redaction import MASK, Secrets

CLOUD_ID = "a436116f-02ce-4520-8fbb-7301462a1674"
ACME = Site(url="https://acme.atlassian.net")
ID, SECRET, TOKEN = "client-id-0001", "client-secret-0001", "token-of-atlassian-0001"
BOTH = {"client_id": ID, "client_secret": SECRET}


def offered(site=ACME, **values):
    return OAuth(OAuth.Settings.model_validate(values)).jira_ci_authenticate(site)


def as_json(value):
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


@dataclass
class SignedIn:
    """A connection, and what it was made with."""

    connection: Connection
    http: Http
    secrets: Secrets

    def report(self):
        return self.http.request("POST", self.connection.builds_url, json={}, auth=self.connection.auth)


@pytest.fixture
def answers():
    """What Atlassian answers, by path; anything else is accepted."""
    return {"/oauth/token": as_json({"access_token": TOKEN}), "/_edge/tenant_info": as_json({"cloudId": CLOUD_ID})}


@pytest.fixture
def atlassian(listen, answers):
    """A server that is the site and the API at once, and keeps what it receives."""
    return listen(lambda received: answers.get(received.target, (202, {}, b"{}")))


@pytest.fixture
def sign_in():
    """Signs in at a server: `sign_in(server.url)`."""

    def make(url, *, cloud_id=None, **values):
        offer = offered(Site(url=url, cloud_id=cloud_id), **{**BOTH, "api_url": url, **values})
        secrets = Secrets()
        http = Http(NetworkSettings(deadline=1), secrets, offer.hosts)
        return SignedIn(offer.connect(http), http, secrets)

    return make


def targets(server):
    return [received.target for received in server.received]


class TestTheOffer:
    """Made from settings, without the network."""

    def test_there_is_none_where_nothing_is_set(self):
        assert offered() is None
        assert offered(api_url="https://api.example.com") is None

    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            (BOTH, ()),
            ({"client_id": ID}, ("CLIENT_SECRET",)),
            ({"client_secret": SECRET}, ("CLIENT_ID",)),
        ],
    )
    def test_it_names_the_half_that_is_missing(self, given, missing):
        assert offered(**given).kind == "oauth"
        assert offered(**given).missing == missing

    def test_it_needs_the_address_of_the_site_or_its_cloud_id(self):
        assert offered(Site(cloud_id=CLOUD_ID), **BOTH).missing == ()
        assert offered(Site(), **BOTH).missing == ("INSTANCE",)

    def test_it_declares_the_api_and_asks_the_site_only_for_a_cloud_id_that_is_not_set(self):
        assert offered(**BOTH).hosts == ("https://api.atlassian.com", "https://acme.atlassian.net")
        assert offered(Site(url=ACME.url, cloud_id=CLOUD_ID), **BOTH).hosts == ("https://api.atlassian.com",)
        assert offered(Site(cloud_id=CLOUD_ID), api_url="gateway.example/x", **BOTH).hosts == (
            "https://gateway.example",
        )

    @pytest.mark.parametrize("cloud_id", [None, CLOUD_ID])
    @pytest.mark.parametrize("given", [{}, BOTH, {"client_id": ID}, {**BOTH, "api_url": "https://gateway.example"}])
    def test_the_hosts_that_are_named_before_the_offer_are_those_of_a_complete_offer(self, given, cloud_id):
        site = Site(url=ACME.url, cloud_id=cloud_id)
        offer = offered(site, **given)
        settings = {name: value for name, value in {**given, "cloud_id": cloud_id}.items() if value}
        named = hosts(settings.__contains__, lambda name: settings.get(name, ""), site.url)
        assert named == (offer.hosts if offer and not offer.missing else ())

    def test_it_sends_no_request(self, atlassian):
        assert offered(Site(url=atlassian.url), api_url=atlassian.url, **BOTH)
        assert atlassian.received == []

    @pytest.mark.parametrize("api_url", ["http://api.example.com", "https://me:pw@api.example.com", "ftp://x.example"])
    def test_it_takes_no_api_that_would_show_the_secret(self, api_url):
        with pytest.raises(ValidationError):
            offered(api_url=api_url, **BOTH)


class TestTheConnection:
    def test_has_the_addresses_of_the_site_at_the_api(self, sign_in, atlassian):
        connection = sign_in(atlassian.url).connection
        assert connection.builds_url == f"{atlassian.url}/jira/builds/0.1/cloud/{CLOUD_ID}/bulk"
        assert connection.deployments_url == f"{atlassian.url}/jira/deployments/0.1/cloud/{CLOUD_ID}/bulk"

    def test_signs_as_requests_has_it(self, sign_in, atlassian):
        connection = sign_in(atlassian.url).connection
        assert isinstance(connection.auth, requests.auth.AuthBase)
        signed = requests.Request("GET", "https://api.example.com/", auth=connection.auth).prepare()
        assert signed.headers["Authorization"] == f"Bearer {TOKEN}"

    def test_asks_the_site_for_its_cloud_id_once_and_without_a_credential(self, sign_in, atlassian):
        signed_in = sign_in(atlassian.url)
        [asked] = [one for one in atlassian.received if one.target != "/oauth/token"]
        assert (asked.method, asked.target, asked.body) == ("GET", "/_edge/tenant_info", b"")
        assert "Authorization" not in asked.headers
        signed_in.report()
        signed_in.report()
        assert targets(atlassian).count("/_edge/tenant_info") == 1

    def test_does_not_ask_for_a_cloud_id_that_is_set(self, sign_in, atlassian):
        other = "0" * 32
        signed_in = sign_in(atlassian.url, cloud_id=other)
        assert signed_in.report().status_code == 202
        assert targets(atlassian) == ["/oauth/token", f"/jira/builds/0.1/cloud/{other}/bulk"]

    def test_fetches_a_token_beside_the_cloud_id_and_only_once(self, sign_in, atlassian):
        signed_in = sign_in(atlassian.url)
        assert sorted(targets(atlassian)) == ["/_edge/tenant_info", "/oauth/token"]
        for _ in range(3):
            assert signed_in.report().status_code == 202
        assert targets(atlassian).count("/oauth/token") == 1
        assert [one.headers["Authorization"] for one in atlassian.received[2:]] == [f"Bearer {TOKEN}"] * 3

    def test_fetches_another_token_when_it_is_renewed(self, sign_in, atlassian, answers):
        signed_in = sign_in(atlassian.url)
        signed_in.report()
        signed_in.connection.renew()
        answers["/oauth/token"] = as_json({"access_token": "another-token-0002"})
        signed_in.report()
        assert targets(atlassian).count("/oauth/token") == 2
        assert atlassian.received[-1].headers["Authorization"] == "Bearer another-token-0002"

    def test_asks_for_a_token_as_atlassian_documents_it(self, sign_in, atlassian):
        sign_in(atlassian.url, cloud_id=CLOUD_ID).report()
        asked = atlassian.received[0]
        assert (asked.method, asked.target) == ("POST", "/oauth/token")
        assert asked.headers["Content-Type"] == "application/json"
        assert json.loads(asked.body) == {
            "audience": "api.atlassian.com",
            "grant_type": "client_credentials",
            "client_id": ID,
            "client_secret": SECRET,
        }

    def test_works_with_jira_and_goes_on_after_its_token_expired(self, sign_in, jira):
        signed_in = sign_in(jira.url, client_id=jira.client_id, client_secret=jira.client_secret)
        assert signed_in.report().status_code != 401
        jira.expire_tokens()
        assert signed_in.report().status_code == 401
        signed_in.connection.renew()
        assert signed_in.report().status_code != 401
        assert len(jira.requests("token")) == 2


class TestWhatIsNoToken:
    """Status and shape of the answer are checked before anything of it is used as a token."""

    @pytest.fixture
    def refused(self, sign_in, atlassian, answers):
        """The problem that is told where the token endpoint answers this."""

        def answer(status, body, headers=None):
            answers["/oauth/token"] = (status, headers or {}, body)
            with pytest.raises(SignInError) as raised:
                sign_in(atlassian.url, cloud_id=CLOUD_ID).report()
            assert set(targets(atlassian)) == {"/oauth/token"}, "nothing may be sent with what is no token"
            [problem] = raised.value.problems
            assert SECRET not in repr(problem)
            return problem

        return answer

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (201, "API_URL"),
            (400, "CLIENT_ID and CLIENT_SECRET"),
            (401, "CLIENT_ID and CLIENT_SECRET"),
            (403, "CLIENT_ID and CLIENT_SECRET"),
            (404, "API_URL"),
            (405, "API_URL"),
            (429, "later"),
            (500, "later"),
            (503, "later"),
        ],
    )
    def test_an_answer_of_another_status_even_with_a_token_in_it(self, refused, status, remedy):
        problem = refused(status, json.dumps({"access_token": TOKEN, "message": "Atlassian says so"}).encode())
        assert problem.what.endswith("did not give a token")
        assert problem.why == f"it answered {status}: Atlassian says so"
        assert remedy in problem.remedy

    @pytest.mark.parametrize(
        "body",
        [
            '[{"message": "Atlassian says so"}]',
            '{"code": 1, "message": "Atlassian says so"}',
            '{"errorMessages": ["Atlassian says so"]}',
            '{"error": "invalid", "error_description": "Atlassian says so"}',
            "Atlassian says so",
        ],
    )
    def test_what_atlassian_says_is_told_in_whatever_shape_it_says_it(self, refused, body):
        assert "Atlassian says so" in refused(400, body.encode()).why

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (b"", "it is not a JSON object"),
            (TOKEN.encode(), "it is not a JSON object"),
            (b'["a"]', "it is not a JSON object"),
            (b"null", "it is not a JSON object"),
            (b"[" * 100_000, "it is not a JSON object"),
            (b"\xff\xfe", "it is not a JSON object"),
            (b"{}", "its access_token is not a token"),
            (b'{"token": "x"}', "its access_token is not a token"),
            (b'{"access_token": ""}', "its access_token is not a token"),
            (b'{"access_token": null}', "its access_token is not a token"),
            (b'{"access_token": 7}', "its access_token is not a token"),
            (b'{"access_token": ["x"]}', "its access_token is not a token"),
            (b'{"access_token": "two words"}', "its access_token is not a token"),
            (b'{"access_token": "x\\r\\nHost: evil.example"}', "its access_token is not a token"),
            (b'{"access_token": "x\\n"}', "its access_token is not a token"),
            (b'{"access_token": "\xc3\xa9"}', "its access_token is not a token"),
            (b'{"access_token": "' + b"x" * 16385 + b'"}', "its access_token is not a token"),
        ],
    )
    def test_an_answer_of_another_shape(self, refused, body, why):
        problem = refused(200, body)
        assert why in problem.why
        assert "API_URL" in problem.remedy

    def test_a_login_form(self, refused):
        problem = refused(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
        assert "with an HTML page, such as the login form of a proxy" in problem.why
        assert "log in" not in problem.why

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_which_is_not_followed(self, refused, listen, status):
        elsewhere = listen()
        problem = refused(status, b"", {"Location": f"{elsewhere.url}/oauth/token"})
        assert elsewhere.url in problem.what
        assert elsewhere.received == []

    def test_a_credential_that_jira_does_not_know(self, sign_in, jira):
        with pytest.raises(SignInError) as raised:
            sign_in(jira.url, client_id=jira.client_id, client_secret="wrong-secret").report()
        assert "answered 401" in raised.value.problems[0].why
        assert "CLIENT_ID and CLIENT_SECRET" in raised.value.problems[0].remedy

    @given(
        st.sampled_from([200, 200, 201, 302, 400]),
        st.one_of(
            st.binary(max_size=80),
            st.dictionaries(
                st.sampled_from(["access_token", "message"]), st.none() | st.integers() | st.text(max_size=20)
            ).map(lambda value: json.dumps(value).encode()),
        ),
    )
    @settings(max_examples=60)
    def test_whatever_is_answered_is_a_token_or_an_error_in_three_parts(
        self, sign_in, atlassian, answers, status, body
    ):
        answers["/oauth/token"] = (status, {}, body)
        atlassian.received.clear()
        try:
            sign_in(atlassian.url, cloud_id=CLOUD_ID).report()
        except SignInError as error:
            [problem] = error.problems
            assert problem.what
            assert problem.why
            assert problem.remedy
            assert set(targets(atlassian)) == {"/oauth/token"}
        else:
            token = json.loads(body)["access_token"]
            assert status == 200
            assert token.isascii()
            assert atlassian.received[1].headers["Authorization"] == f"Bearer {token}"


class TestWhatIsNoCloudId:
    """It becomes part of an address, so that nothing else may be in it."""

    @pytest.fixture
    def refused(self, sign_in, atlassian, answers):
        """The problem that is told where the site answers this."""

        def answer(status, headers, body):
            answers["/_edge/tenant_info"] = (status, headers, body)
            with pytest.raises(SignInError) as raised:
                sign_in(atlassian.url)
            # The token is asked for at the same time.
            assert set(targets(atlassian)) <= {"/_edge/tenant_info", "/oauth/token"}
            [problem] = raised.value.problems
            assert problem.what.endswith("did not give the site's cloud id")
            return problem

        return answer

    @pytest.mark.parametrize(
        "cloud_id",
        [
            *("https://evil.example", "../../x", "@evil.example/", "x.evil.example", "..", "", CLOUD_ID[:-1]),
            *(f"{CLOUD_ID}/", f"{CLOUD_ID}\n", "0" * 33, "g" * 32, "٣" * 32, 7, None, [CLOUD_ID]),
        ],
    )
    def test_anything_but_hexadecimal_digits(self, refused, cloud_id):
        assert "its cloudId is not a cloud id" in refused(*as_json({"cloudId": cloud_id})).why

    @pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"[" * 100_000, CLOUD_ID.encode()])
    def test_what_is_no_json_object(self, refused, body):
        problem = refused(200, {}, body)
        assert "it is not a JSON object" in problem.why
        assert "CLOUD_ID" in problem.remedy

    def test_an_unknown_site(self, refused):
        assert refused(404, {}, b"").remedy == "there is no such site: check INSTANCE"

    def test_a_web_page(self, refused):
        assert "HTML page" in refused(200, {"Content-Type": "text/html"}, b"<html>").why

    @pytest.mark.parametrize("form", [CLOUD_ID, CLOUD_ID.upper(), CLOUD_ID.replace("-", "")])
    def test_a_cloud_id_in_any_form_is_one(self, sign_in, atlassian, answers, form):
        answers["/_edge/tenant_info"] = as_json({"cloudId": form})
        assert f"/cloud/{form}/" in sign_in(atlassian.url).connection.builds_url


class TestSecrets:
    def test_go_only_to_hosts_that_are_declared(self, sign_in, atlassian, listen):
        signed_in, other = sign_in(atlassian.url), listen()
        with pytest.raises(DeliveryError):
            signed_in.http.request("GET", other.url, auth=signed_in.connection.auth)
        assert other.received == []

    def test_a_token_is_one_from_the_moment_it_was_obtained(self, sign_in, atlassian):
        signed_in = sign_in(atlassian.url)
        signed_in.report()
        assert signed_in.secrets.redact(f"it is {TOKEN}") == f"it is {MASK}"

    def test_nothing_shows_one_however_it_is_printed(self, sign_in, atlassian):
        offer = offered(Site(url=atlassian.url), api_url=atlassian.url, **BOTH)
        signed_in = sign_in(atlassian.url)
        signed_in.report()
        values = OAuth.Settings.model_validate(BOTH)
        connection = signed_in.connection
        for thing in (values, OAuth(values), offer, connection, connection.auth, connection.renew, signed_in.http):
            for text in (repr(thing), str(thing), f"{thing}"):
                for secret in (ID, SECRET, TOKEN):
                    assert secret not in text

    @pytest.mark.parametrize("name", ["client_id", "client_secret"])
    def test_one_that_is_refused_is_not_shown_either(self, name):
        with pytest.raises(ValidationError) as raised:
            OAuth.Settings.model_validate({name: "two words"})
        assert "two words" not in str(raised.value)
