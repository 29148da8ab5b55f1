"""No secret comes out, in whatever form and by whichever way; and nothing from outside is obeyed where it is shown."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest

from jira_ci_core import Problem, SettingsError, run

pytestmark = pytest.mark.usefixtures("in_process")

TOKEN = "a-token+of/the=tests-1234"


def spelled(secret):
    """A secret as those may write it who want it to be seen."""
    data = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        json.dumps(secret),
        secret.replace("/", "\\/").replace("=", "\\u003d"),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(b"user:" + data).decode(),
        data.hex(),
        data.hex().upper(),
        f"https://me:{quote(secret)}@jira.example/?token={quote(secret)}#x",
    ]


@pytest.fixture
def hostile(harness, oauth, connect, jira, listen, secrets):
    """A server that gives a token, and tells all it was told in its other answers; `say` makes such an answer.

    The step has credentials of both kinds.
    """
    harness.environ |= oauth | connect
    secrets += [TOKEN, quote(TOKEN, safe="").lower(), TOKEN.replace("/", "\\/").replace("=", "\\u003d")]
    echoed = " ".join(text for secret in (jira.client_secret, jira.connect_key, TOKEN) for text in spelled(secret))

    def answer(received):
        if received.target == "/_edge/tenant_info":
            return 200, {}, json.dumps({"cloudId": jira.cloud_id}).encode()
        if received.target == "/oauth/token" and server.says_token:
            return 200, {}, json.dumps({"access_token": TOKEN}).encode()
        return server.say(echoed)

    server = listen(answer)
    server.says_token = True
    return server


def at(server):
    return {"instance": server.url, "api_url": server.url, "connect_hostname": server.url, "deadline": "0.5"}


class TestWhatAServerSays:
    """A server that answers with what it was told gets none of it into the log."""

    @pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 413, 418, 429, 500])
    @pytest.mark.parametrize(
        "body",
        [
            lambda echoed: echoed.encode(),
            lambda echoed: json.dumps({"message": echoed}).encode(),
            lambda echoed: json.dumps([{"message": word} for word in echoed.split()]).encode(),
            lambda echoed: json.dumps({"errorMessages": echoed.split()}).encode(),
            lambda echoed: json.dumps(echoed).encode(),
            lambda echoed: f"<html>{echoed}</html>".encode(),
        ],
        ids=["text", "message", "messages", "errorMessages", "string", "page"],
    )
    def test_in_its_answer_to_a_report(self, harness_oauth, hostile, clean, status, body):
        hostile.say = lambda echoed: (status, {}, body(echoed))
        done = clean(harness_oauth("--format", "json", log_level="debug", **at(hostile)))
        assert done.code == 1
        assert "[secret]" in done.text

    @pytest.mark.parametrize("kind", ["oauth", "connect"])
    @pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 500])
    def test_in_its_answer_to_a_sign_in(self, harness, hostile, clean, kind, status):
        hostile.says_token = False
        hostile.say = lambda echoed: (status, {}, json.dumps({"message": echoed, "token": echoed}).encode())
        done = clean(harness("--format", "json", log_level="debug", auth=kind, **at(hostile)))
        assert done.code == 1

    @pytest.mark.parametrize("header", ["Location", "Retry-After", "X-Told", "Atl-TraceId", "Content-Type", "Date"])
    def test_in_a_header(self, harness_oauth, hostile, clean, header):
        hostile.say = lambda echoed: (302 if header == "Location" else 418, {header: echoed}, b"")
        assert clean(harness_oauth(log_level="debug", **at(hostile))).code == 1

    def test_in_what_it_says_of_a_report_it_took(self, harness_oauth, hostile, clean):
        key = {"pipelineId": "harness/acme/default/shop/checkout", "buildNumber": 42}

        def say(echoed):
            answer = {"acceptedBuilds": [key], "rejectedBuilds": [], "unknownIssueKeys": echoed.split()}
            answer["unknownAssociations"] = [{"associationType": "serviceIdOrKeys", "values": echoed.split()}]
            return 202, {}, json.dumps(answer).encode()

        hostile.say = say
        done = clean(harness_oauth("--format", "json", log_level="debug", **at(hostile)))
        assert done.code == 0, done.text
        assert "[secret]" in done.err
        assert done.json["unknown_issue_keys"] == []  # none of them was sent

    @pytest.mark.parametrize("before", range(470, 501))
    def test_at_the_end_of_what_is_shown_of_it(self, harness_oauth, hostile, clean, secrets, before):
        secrets.append(TOKEN[:8])
        hostile.say = lambda echoed: (403, {}, b"x" * before + b" " + TOKEN.encode() + b" and more")
        assert clean(harness_oauth(**at(hostile))).code == 1

    @pytest.mark.parametrize("name", ["Location", "X-Told", "Set-Cookie", "Authorization"])
    def test_debug_shows_only_headers_that_are_known_to_be_harmless(self, harness_oauth, hostile, clean, name):
        hostile.say = lambda echoed: (418, {name: "not-to-be-seen", "Retry-After": "to-be-seen"}, b"")
        done = clean(harness_oauth(log_level="debug", **at(hostile)))
        assert "not-to-be-seen" not in done.text
        assert "to-be-seen" in done.err


TALKER = """
import base64, json, logging, os
from urllib.parse import quote
from jira_ci_core import hookimpl

log = logging.getLogger("third.party")

@hookimpl
def jira_ci_extract_issue_keys():
    secret = os.environ["PLUGIN_CLIENT_SECRET"]
    log.debug("Authorization: Bearer %s", secret)
    log.info("https://jira.example/%s?key=%s", quote(secret), secret)
    log.warning(json.dumps({"key": secret}))
    log.error({"Authorization": "Basic " + base64.b64encode(f"user:{secret}".encode()).decode()})
    try:
        try:
            raise ValueError(secret)
        except ValueError as error:
            raise KeyError(secret) from error
    except KeyError:
        log.exception("it failed: %s", secret)
    raise RuntimeError(f"no {secret}") from ValueError(secret)
"""


class TestWhatOthersSay:
    """Plugins and libraries log and raise what they like."""

    @pytest.fixture
    def harness_oauth(self, harness_oauth, monkeypatch):
        # As a process of its own, as a plugin reads the true environment.
        monkeypatch.undo()
        return harness_oauth

    @pytest.mark.parametrize("policy", ["fail", "warn"])
    def test_a_plugin(self, harness_oauth, install, clean, policy):
        install("talker", TALKER)
        done = clean(harness_oauth("--format", "json", log_level="debug", on_plugin_error=policy))
        assert done.code == (3 if policy == "fail" else 0)
        assert done.err.count("[secret]") >= 6
        assert "RuntimeError: no [secret]" in done.err

    def test_each_call_of_a_hook(self, harness_oauth, clean):
        done = clean(harness_oauth(log_level="debug", trace_hooks="true"))
        assert done.code == 0, done.text
        assert "authenticate" in done.err

    def test_urllib3(self, harness_oauth, jira, clean):
        done = clean(harness_oauth(log_level="debug"))
        assert done.code == 0, done.text
        assert '"POST /oauth/token HTTP/1.1" 200' in done.err


class TestAsALibrary:
    """What `run` raises and returns holds no secret either."""

    def environ_of(self, step, **more):
        return {"PATH": "/usr/bin:/bin", **step.environ, **{f"PLUGIN_{name.upper()}": v for name, v in more.items()}}

    def test_what_it_returns(self, harness_oauth, hostile, secrets):
        hostile.say = lambda echoed: (403, {}, echoed.encode())
        ending = run(self.environ_of(harness_oauth, **at(hostile)))
        assert ending.exit_code == 1
        assert "[secret]" in repr(ending)
        assert [secret for secret in secrets if secret in repr(ending)] == []

    def test_what_it_raises(self, harness_oauth, jira):
        with pytest.raises(SettingsError) as caught:
            run(self.environ_of(harness_oauth, environment_type=jira.client_secret))
        assert "[secret]" in str(caught.value)
        assert jira.client_secret not in repr((caught.value, caught.value.args, caught.value.problems))

    def test_a_problem_without_secrets_stays_as_it_is(self):
        problem = Problem("a", "b", "c")
        assert problem.redacted(str) == problem


ORDERS = [
    "::set-output name=a::b",
    "  ::set-env name=PATH::/tmp",
    "\u00a0::add-mask::x",
    "::group::x",
    "::stop-commands::x",
    "x ##vso[task.setvariable variable=x]y",
    "##VSO[task.complete result=Succeeded;]",
    "##[add-matcher]x",
    "##teamcity[setParameter name='x' value='y']",
    "\x1b[2J\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]1338;eA==\x1b]0m",
    "\x9b31m",
    "\x1b[8mha:AAAA\x1b[0m",
    "section_start:1:x\r\x1b[0K",
    "\u202egnp.exe",
    "\x00\x08\x7f",
]


def obeyed(text):
    """The lines that a terminal or a CI would take for more than text."""
    return [
        line
        for line in text.split("\n")
        if re.match(r"\s*::", line)
        or re.search(r"##(vso|teamcity)?\[", line, re.IGNORECASE)
        or re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line)
    ]


@pytest.mark.parametrize("order", ORDERS)
class TestOrders:
    """What comes from outside is text: no terminal and no CI takes it for an order."""

    @pytest.mark.parametrize("before", ["", "\n", "\r", "\r\n  "])
    def test_in_what_a_server_says(self, harness_oauth, jira, order, before):
        jira.fault("answer", status=403, body={"message": f"no{before}{order}"})
        done = harness_oauth("--format", "json", log_level="debug")
        assert done.code == 1
        assert obeyed(done.err) == obeyed(done.out) == []

    def test_in_what_jira_rejects(self, harness_oauth, jira, order):
        key = {"pipelineId": "harness/acme/default/shop/checkout", "buildNumber": 42}
        rejected = {"key": key, "errors": [{"message": order}]}
        answer = {"acceptedBuilds": [], "rejectedBuilds": [rejected], "unknownIssueKeys": [order]}
        jira.fault("answer", status=202, body=answer)
        done = harness_oauth("--format", "json")
        assert done.code == 1
        assert obeyed(done.err) == obeyed(done.out) == []

    @pytest.mark.parametrize("more", [[], ["--dry-run"], ["--format", "json"], ["--dry-run", "--format", "json"]])
    def test_in_a_title_a_message_and_a_branch(self, harness_oauth, order, more):
        if "\x00" in order:
            order = order.replace("\x00", "")  # no variable can hold it
        hostile = f"{order}\n{order} MYT-1 {order}"
        environ = {"DRONE_COMMIT_MESSAGE": hostile, "DRONE_PULL_REQUEST": "7", "DRONE_PULL_REQUEST_TITLE": hostile}
        done = harness_oauth(*more, environ=environ | {"DRONE_SOURCE_BRANCH": order}, environment_name=f"x{order}y")
        assert done.code == 0, done.text
        assert obeyed(done.err) == obeyed(done.out) == []
        if "json" in more:
            assert done.json["pipeline"]["message"] == hostile.strip()

    def test_in_what_is_read_back(self, harness_oauth, jira, order):
        jira.fault("answer", match="builds", status=200, body={"buildNumber": 42, "description": f"é{order}"})
        done = harness_oauth.run("show")
        assert done.code == 0, done.text
        assert obeyed(done.out) == []
        assert done.json["description"] == f"é{order}"

    def test_in_what_a_plugin_says(self, harness_oauth, install, monkeypatch, order):
        install("talker", f"raise OSError({order!r} + chr(10) + {order!r})")
        monkeypatch.syspath_prepend(harness_oauth.environ["PYTHONPATH"])
        done = harness_oauth("--format", "json")
        assert done.code == 3
        assert obeyed(done.err) == obeyed(done.out) == []
