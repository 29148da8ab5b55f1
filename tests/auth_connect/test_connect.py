"""Connect sign-in by itself: what it offers, what it asks the app for, and which answers it takes for a token."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import dataclass

import pytest
import requests
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from jira_ci_auth_connect.hosts import hosts
from jira_ci_auth_connect.network import looks_like_jwt
from jira_ci_auth_connect.plugin import ConnectAuth
from jira_ci_core import Connection, DeliveryError, Http, SignInError, Site
from jira_ci_core.config.settings import NetworkSettings
from jira_ci_core.output.redaction import MASK, Secrets

ACME = Site(url="https://acme.atlassian.net")
KEY = "connect-key-0001"


def part(value):
    """One part of a JSON Web Token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(header, claims="e30", signature="c2lnbmF0dXJl"):
    return f"{part(header)}.{claims}.{signature}"


TOKEN = jwt({"alg": "HS256", "typ": "JWT"})
ANOTHER = jwt({"alg": "HS256", "kid": "2"})


def offered(site=ACME, **values):
    return ConnectAuth(ConnectAuth.Settings.model_validate(values)).jira_ci_authenticate(site)


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
    """What the app answers, by path; anything else is accepted."""
    return {"/token": (200, {"Content-Type": "text/plain"}, TOKEN.encode())}


@pytest.fixture
def app(listen, answers):
    """A server that is the app and the site at once, and keeps what it receives."""
    return listen(lambda received: answers.get(received.target, (202, {}, b"{}")))


@pytest.fixture
def sign_in():
    """Signs in at a server: `sign_in(server.url)`."""

    def make(url, **values):
        offer = offered(Site(url=url), **{"connect_key": KEY, "connect_hostname": url, **values})
        secrets = Secrets()
        http = Http(NetworkSettings(deadline=1), secrets, offer.hosts)
        return SignedIn(offer.connect(http), http, secrets)

    return make


def targets(server):
    return [received.target for received in server.received]


class TestTheOffer:
    """Made from settings, without the network."""

    def test_there_is_none_without_a_key(self):
        assert offered() is None
        assert offered(connect_hostname="https://app.example.com") is None

    def test_it_needs_the_address_of_the_site(self):
        assert offered(connect_key=KEY).missing == ()
        assert offered(Site(cloud_id="0" * 32), connect_key=KEY).missing == ("INSTANCE",)

    def test_it_declares_the_app_and_the_site(self):
        offer = offered(connect_key=KEY)
        assert offer.kind == "connect"
        assert offer.hosts == ("https://jira-ci.harness.io", "https://acme.atlassian.net")
        assert offered(connect_key=KEY, connect_hostname="app.example:8443/x").hosts[0] == "https://app.example:8443"

    @pytest.mark.parametrize(
        "given", [{}, {"connect_key": KEY}, {"connect_key": KEY, "connect_hostname": "https://app.example.com"}]
    )
    def test_the_hosts_that_are_named_ahead_are_those_of_the_offer(self, given):
        offer = offered(**given)
        assert hosts(given.__contains__, lambda name: given.get(name, ""), ACME.url) == (offer.hosts if offer else ())

    def test_it_sends_no_request(self, app):
        assert offered(Site(url=app.url), connect_key=KEY, connect_hostname=app.url)
        assert app.received == []

    @pytest.mark.parametrize("host", ["http://app.example.com", "https://me:pw@app.example.com", "ftp://x.example"])
    def test_it_takes_no_app_that_would_show_the_key(self, host):
        with pytest.raises(ValidationError):
            offered(connect_key=KEY, connect_hostname=host)


class TestTheConnection:
    def test_has_the_addresses_of_the_site(self, sign_in, app):
        connection = sign_in(app.url).connection
        assert connection.builds_url == f"{app.url}/rest/builds/0.1/bulk"
        assert connection.deployments_url == f"{app.url}/rest/deployments/0.1/bulk"

    def test_signs_as_requests_has_it(self, sign_in, app):
        connection = sign_in(app.url).connection
        assert isinstance(connection.auth, requests.auth.AuthBase)
        signed = requests.Request("GET", "https://acme.atlassian.net/", auth=connection.auth).prepare()
        assert signed.headers["Authorization"] == f"Bearer {TOKEN}"

    def test_fetches_a_token_when_first_needed_and_only_once(self, sign_in, app):
        signed_in = sign_in(app.url)
        assert app.received == []
        for _ in range(3):
            assert signed_in.report().status_code == 202
        assert targets(app) == ["/token"] + ["/rest/builds/0.1/bulk"] * 3
        assert [one.headers["Authorization"] for one in app.received] == [f"Bearer {KEY}"] + [f"Bearer {TOKEN}"] * 3

    def test_fetches_another_token_when_it_is_renewed(self, sign_in, app, answers):
        signed_in = sign_in(app.url)
        signed_in.report()
        signed_in.connection.renew()
        answers["/token"] = (200, {}, ANOTHER.encode())
        signed_in.report()
        assert targets(app).count("/token") == 2
        assert app.received[-1].headers["Authorization"] == f"Bearer {ANOTHER}"

    def test_asks_for_a_token_with_nothing_but_the_key(self, sign_in, app):
        sign_in(app.url).report()
        asked = app.received[0]
        assert (asked.method, asked.target, asked.body) == ("GET", "/token", b"")

    def test_finds_the_app_under_a_path_too(self, listen):
        gateway = listen(lambda received: (200, {}, TOKEN.encode()))
        offer = offered(Site(url=gateway.url), connect_key=KEY, connect_hostname=f"{gateway.url}/jira-app/")
        http = Http(NetworkSettings(deadline=1), Secrets(), offer.hosts)
        http.request("POST", f"{gateway.url}/x", auth=offer.connect(http).auth)
        assert targets(gateway) == ["/jira-app/token", "/x"]

    def test_works_with_jira_and_goes_on_after_its_token_expired(self, sign_in, jira):
        signed_in = sign_in(jira.url, connect_key=jira.connect_key)
        assert signed_in.report().status_code != 401
        jira.expire_tokens()
        assert signed_in.report().status_code == 401
        signed_in.connection.renew()
        assert signed_in.report().status_code != 401
        assert len(jira.requests("token")) == 2

    def test_says_once_that_connect_is_ending_and_points_to_oauth(self, sign_in, app, caplog):
        caplog.set_level(logging.INFO)
        signed_in = sign_in(app.url)
        signed_in.report()
        signed_in.report()
        [notice] = [record.getMessage() for record in caplog.records if "Atlassian is ending" in record.getMessage()]
        assert "CLIENT_ID and CLIENT_SECRET" in notice


class TestWhatIsNoToken:
    """Status and form of the answer are checked before it is used as a token."""

    @pytest.fixture
    def refused(self, sign_in, app, answers):
        """The problem that is told where the app answers this."""

        def answer(status, body, headers=None):
            answers["/token"] = (status, headers or {}, body)
            with pytest.raises(SignInError) as raised:
                sign_in(app.url).report()
            assert set(targets(app)) == {"/token"}, "nothing may be sent with what is no token"
            [problem] = raised.value.problems
            assert KEY not in repr(problem)
            return problem

        return answer

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (201, "CONNECT_HOSTNAME"),
            (400, "CONNECT_HOSTNAME"),
            (401, "Configure page"),
            (403, "Configure page"),
            (404, "CONNECT_HOSTNAME"),
            (429, "later"),
            (500, "later"),
            (503, "later"),
        ],
    )
    def test_an_answer_of_another_status_even_with_a_token_in_it(self, refused, status, remedy):
        problem = refused(status, json.dumps({"message": "the app says so", "token": TOKEN}).encode())
        assert problem.what.endswith("did not give a token")
        assert problem.why == f"it answered {status}: the app says so"
        assert remedy in problem.remedy

    @pytest.mark.parametrize(
        "body",
        [
            *("", " ", "token", "a.b", "a.b.c", "a.b.c.d", f"{TOKEN} {TOKEN}", f"Bearer {TOKEN}", f'"{TOKEN}"'),
            *(f'{{"token": "{TOKEN}"}}', f"{TOKEN}\r\nX: y", f"{TOKEN}é", f"{TOKEN}=", TOKEN.rpartition(".")[0] + "."),
            *(jwt([]), jwt("alg"), jwt({"typ": "JWT"}), jwt(b"\xff\xfe"), jwt(b"not json")),
        ],
    )
    def test_what_does_not_look_like_a_json_web_token(self, refused, body):
        problem = refused(200, body.encode())
        assert problem.why == "it answered 200, and it is not a JSON Web Token"
        assert "CONNECT_HOSTNAME" in problem.remedy

    def test_a_header_that_is_nested_without_end(self, refused):
        assert "it is not a JSON Web Token" in refused(200, jwt(b"[" * 10_000).encode()).why

    def test_one_that_is_longer_than_any(self, refused):
        long = jwt({"alg": "HS256"}, signature="x" * 16384)
        assert "it is not a JSON Web Token" in refused(200, long.encode()).why

    def test_a_login_form(self, refused):
        problem = refused(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
        assert "with an HTML page, such as the login form of a proxy" in problem.why
        assert "log in" not in problem.why

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_which_is_not_followed(self, refused, listen, status):
        elsewhere = listen()
        problem = refused(status, b"", {"Location": f"{elsewhere.url}/token"})
        assert elsewhere.url in problem.what
        assert elsewhere.received == []

    def test_a_key_that_the_app_does_not_know(self, sign_in, jira):
        with pytest.raises(SignInError) as raised:
            sign_in(jira.url, connect_key="wrong-key-0001").report()
        assert "answered 401" in raised.value.problems[0].why
        assert "CONNECT_KEY" in raised.value.problems[0].remedy

    @pytest.mark.parametrize("around", ["{}", "{}\n", " {}\r\n"])
    def test_white_space_around_a_token_does_not_matter(self, sign_in, app, answers, around):
        answers["/token"] = (200, {}, around.format(TOKEN).encode())
        assert sign_in(app.url).report().status_code == 202
        assert app.received[1].headers["Authorization"] == f"Bearer {TOKEN}"

    @given(
        st.sampled_from([200, 200, 201, 302, 400]),
        st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda header: jwt(header).encode())),
    )
    @settings(max_examples=60)
    def test_whatever_is_answered_is_a_token_or_an_error_in_three_parts(self, sign_in, app, answers, status, body):
        answers["/token"] = (status, {}, body)
        app.received.clear()
        try:
            sign_in(app.url).report()
        except SignInError as error:
            [problem] = error.problems
            assert problem.what
            assert problem.why
            assert problem.remedy
            assert set(targets(app)) == {"/token"}
        else:
            assert status == 200
            assert looks_like_jwt(body.decode().strip())


keys = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=6)
headers = st.dictionaries(keys, st.text() | st.integers() | st.lists(st.text()), max_size=3)
names = st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True)


@given(headers, st.text(min_size=1), names, names)
def test_every_json_web_token_looks_like_one(header, algorithm, claims, signature):
    assert looks_like_jwt(jwt({**header, "alg": algorithm}, claims, signature))


@given(headers, names, names)
def test_without_an_algorithm_in_its_header_it_is_none(header, claims, signature):
    assert not looks_like_jwt(jwt({name: value for name, value in header.items() if name != "alg"}, claims, signature))


@given(st.text())
def test_any_text_is_judged_without_an_exception(text):
    assert not looks_like_jwt(text) or text.count(".") == 2


class TestSecrets:
    def test_go_only_to_hosts_that_are_declared(self, sign_in, app, listen):
        signed_in, other = sign_in(app.url), listen()
        with pytest.raises(DeliveryError):
            signed_in.http.request("GET", other.url, auth=signed_in.connection.auth)
        assert other.received == []

    def test_a_token_is_one_from_the_moment_it_was_obtained(self, sign_in, app):
        signed_in = sign_in(app.url)
        signed_in.report()
        assert signed_in.secrets.redact(f"it is {TOKEN}") == f"it is {MASK}"

    def test_nothing_shows_one_however_it_is_printed(self, sign_in, app):
        offer = offered(Site(url=app.url), connect_key=KEY, connect_hostname=app.url)
        signed_in = sign_in(app.url)
        signed_in.report()
        values = ConnectAuth.Settings.model_validate({"connect_key": KEY})
        connection = signed_in.connection
        for thing in (
            values,
            ConnectAuth(values),
            offer,
            connection,
            connection.auth,
            connection.renew,
            signed_in.http,
        ):
            for text in (repr(thing), str(thing), f"{thing}"):
                assert KEY not in text
                assert TOKEN not in text

    def test_one_that_is_refused_is_not_shown_either(self):
        with pytest.raises(ValidationError) as raised:
            ConnectAuth.Settings.model_validate({"connect_key": "two words"})
        assert "two words" not in str(raised.value)
