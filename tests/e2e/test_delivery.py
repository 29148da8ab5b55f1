"""What is tried again, for how long, in which portions; and reading back, showing and deleting what Jira holds."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest

pytestmark = pytest.mark.usefixtures("in_process")

STATUSES = [408, 425, 429, 500, 502, 503, 504]
CALLS = [("oauth", "token"), ("oauth", "tenant"), ("oauth", "bulk"), ("connect", "token"), ("connect", "bulk")]


@pytest.fixture(params=CALLS, ids="-".join)
def asked(request, harness):
    """A step, and one of the calls that it makes: "token", "tenant" or "bulk"."""
    kind, call = request.param
    harness.environ |= request.getfixturevalue(kind)
    return harness, call


@pytest.fixture
def waits(monkeypatch):
    """How long the step waited before each further try; here it does not wait at all."""
    found = []
    monkeypatch.setattr("jira_ci_core.net.client.time.sleep", found.append)
    return found


def tries(done):
    """The lines that tell of a further try."""
    return [line for line in done.err.splitlines() if "trying again" in line]


class TestTriedAgain:
    """What fails for the moment is tried again, whichever request it is, with one line each time."""

    @pytest.mark.parametrize("status", STATUSES)
    def test_a_status_that_passes(self, asked, jira, clean, status):
        step, call = asked
        jira.fault("answer", match=call, status=status)
        done = clean(step())
        assert done.code == 0, done.text
        assert tries(done) == [f"{jira.url}: it answered {status}; trying again"]
        assert len(jira.builds()) == 1

    @pytest.mark.parametrize("action", ["reset", "lost", "half"])
    def test_a_connection_that_breaks(self, asked, jira, clean, action):
        step, call = asked
        jira.fault(action, match=call)
        done = clean(step())
        assert done.code == 0, done.text
        assert len(tries(done)) == 1
        assert len(jira.builds()) == 1

    def test_a_port_on_which_no_server_listens_yet(
        self, harness, connect, jira, clean, free_port, passing_on, monkeypatch
    ):
        between = passing_on()
        servers = []

        def pass_on(caller):
            with caller, socket.create_connection(("127.0.0.1", int(between.url.rpartition(":")[2]))) as other:
                other.sendall(caller.recv(65536))
                while data := other.recv(65536):
                    caller.sendall(data)

        def accept(server):
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=pass_on, args=server.accept()[:1], daemon=True).start()

        def come_up(seconds):
            """In place of the first wait, the server comes up."""
            if not servers:
                servers.append(socket.create_server(("127.0.0.1", free_port)))
                threading.Thread(target=accept, args=servers, daemon=True).start()

        monkeypatch.setattr("jira_ci_core.net.client.time.sleep", come_up)
        done = clean(harness(connect_hostname=f"http://127.0.0.1:{free_port}", environ=connect))
        servers[0].shutdown(socket.SHUT_RDWR)
        servers[0].close()
        assert done.code == 0, done.text
        assert set(tries(done)) == {f"http://127.0.0.1:{free_port}: Connection refused; trying again"}

    def test_a_report_that_arrived_and_was_sent_again_is_there_once(self, harness_oauth, jira):
        jira.fault("lost")
        assert harness_oauth().code == 0
        assert [update["outcome"] for update in jira.updates()] == ["applied", "stale"]
        assert len(jira.builds()) == 1

    def test_each_wait_is_longer_than_the_last_and_none_is_like_anothers(self, harness_oauth, jira, waits):
        jira.fault("answer", status=503, count=6)
        done = harness_oauth()
        assert done.code == 0, done.text
        assert waits[0] == 0
        for wait, least in zip(waits[1:5], [1, 2, 4, 8], strict=True):
            assert least <= wait < least + 0.5
        assert waits[5] <= 10
        assert len(tries(done)) == 6
        assert re.search(r"it answered 503; trying again in 1\.[0-5] s$", tries(done)[1])

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 418, 501, 505])
    def test_what_will_not_pass_is_not_tried_again(self, asked, jira, failed, status):
        step, call = asked
        jira.fault("answer", match=call, status=status, count=2)
        done = step()
        failed(done, 1)
        assert tries(done) == []
        assert len(jira.faults()) == 1


class TestRetryAfter:
    """What an answer asks for is honoured, in seconds or as a date."""

    def test_in_seconds(self, asked, jira, waits):
        step, call = asked
        jira.fault("answer", match=call, status=429, headers={"retry-after": "30"})
        assert step().code == 0
        assert waits == [30]

    def test_as_a_date(self, harness_oauth, jira, waits):
        jira.fault("answer", status=503, headers={"retry-after": formatdate(time.time() + 30, usegmt=True)})
        assert harness_oauth().code == 0
        assert 25 < waits[0] <= 30

    def test_where_only_the_reset_of_a_rate_limit_is_told(self, harness_oauth, jira, waits):
        reset = (datetime.now(UTC) + timedelta(seconds=40)).isoformat(timespec="seconds")
        jira.fault("answer", status=429, headers={"X-RateLimit-Reset": reset, "RateLimit-Reason": "jira-burst-based"})
        done = harness_oauth(log_level="debug")
        assert done.code == 0
        assert 30 < waits[0] <= 42
        assert f"'x-ratelimit-reset': '{reset}', 'ratelimit-reason': 'jira-burst-based'" in done.err

    @pytest.mark.parametrize("after", ["0", "", "soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 5000])
    def test_what_asks_for_no_wait_does_not_get_a_storm(self, harness_oauth, jira, waits, after):
        jira.fault("answer", status=503, count=3, headers={"retry-after": after})
        harness_oauth()
        assert waits == [] or [wait >= least for wait, least in zip(waits, [0, 1, 2], strict=True)] == [True] * 3

    @pytest.mark.parametrize("call", ["token", "tenant", "bulk"])
    @pytest.mark.parametrize("after", ["61", "100000000", "Wed, 21 Oct 2076 07:28:00 GMT"])
    def test_beyond_the_deadline_it_ends_at_once(self, harness_oauth, jira, failed, waits, tmp_path, call, after):
        jira.fault("answer", match=call, status=429, count=2, headers={"retry-after": after})
        done = harness_oauth(outbox=tmp_path / "outbox")
        failed(done, 1)
        assert waits == []
        assert len(jira.faults()) == 1
        assert "warning: build 42 of checkout (successful) is kept in" in done.err
        assert len(list((tmp_path / "outbox").iterdir())) == 1


class TestDeadline:
    """From the first request to the last no more time goes by than DEADLINE."""

    def test_no_wait_goes_beyond_it(self, asked, jira, failed):
        step, call = asked
        jira.fault("answer", match=call, status=503, count=1000)
        failure = failed(step(deadline="0.9"), 1)
        assert "answered 503" in failure.why
        # The first further try is at once, and the next would be after a second.
        assert jira.faults()[0]["count"] == 998

    def test_nor_does_an_answer_that_does_not_come(self, asked, jira, failed):
        step, call = asked
        jira.fault("slow", match=call, seconds=3600, count=1000)
        failure = failed(step(deadline="0.3"), 1)
        assert f"{jira.url} did not answer in time" in failure.what
        assert "DEADLINE" in failure.do

    def test_what_is_left_is_shared_by_all_requests(self, harness_oauth, jira, failed):
        jira.fault("slow", match="tenant", seconds=0.2)
        jira.fault("slow", match="token", seconds=0.2)
        jira.fault("slow", match="bulk", seconds=3600, count=1000)
        assert "did not answer in time" in failed(harness_oauth(deadline="0.9"), 1).what

    def test_after_it_nothing_is_asked_any_more(self, harness, jira, failed, install, monkeypatch):
        install(
            "sleepy",
            "import time\nfrom jira_ci_core import BearerAuth, Connection, SignIn, hookimpl\n\n"
            "@hookimpl\ndef jira_ci_authenticate(site):\n"
            "    def fetch():\n        time.sleep(0.3)\n        return 'a-token-of-nobody'\n"
            "    def connect(http):\n"
            "        http.request('GET', site.url + '/_edge/tenant_info')\n"
            "        auth = BearerAuth(fetch)\n"
            "        auth._fetch()\n"
            "        return Connection(site.url + '/rest/builds/0.1/bulk', '', auth, auth.renew)\n"
            "    return SignIn('sleepy', connect, hosts=(site.url,))\n",
        )
        monkeypatch.syspath_prepend(harness.environ["PYTHONPATH"])
        failure = failed(harness(deadline="0.2"), 1)
        assert "did not answer in time" in failure.what
        assert "before it could be asked" in failure.why
        assert [request["path"] for request in jira.requests()] == ["/_edge/tenant_info"]

    def test_what_fails_until_then_is_told_with_its_reason(self, harness_oauth, failed, free_port):
        failure = failed(harness_oauth(deadline="0.9", api_url=f"http://127.0.0.1:{free_port}"), 1)
        assert failure.what == f"http://127.0.0.1:{free_port} could not be reached"
        assert failure.why == "Connection refused (tried 2 times within DEADLINE, 0.9 seconds)"

    @pytest.mark.parametrize("value", ["0", "-1", "soon", "100000"])
    def test_one_that_is_none_is_an_error(self, harness_oauth, jira, failed, value):
        assert "DEADLINE" in failed(harness_oauth(deadline=value), 2).what
        assert jira.requests() == []


class TestPortions:
    """What Jira refuses as a whole is sent in halves, until it passes or one is left."""

    def statuses(self, jira):
        return [request["status"] for request in jira.requests("bulk")]

    def test_more_than_jira_takes_at_once(self, harness_oauth, jira, clean):
        jira.configure(max_entities=1)
        done = clean(harness_oauth(environment_name="dev,qa,prod"))
        assert done.code == 0, done.text
        assert self.statuses(jira) == [413, 202, 413, 202, 202]
        assert {one["environment"]["displayName"] for one in jira.deployments()} == {"dev", "qa", "prod"}

    def test_one_that_is_too_large_alone_is_refused_and_the_others_are_not(self, harness_oauth, jira, failed):
        jira.configure(max_bytes=1200)
        done = harness_oauth(environment_name=f"dev,{'x' * 250},prod", link=f"https://ci.example/{'x' * 100}")
        failure = failed(done, 1)
        assert failure.count == 1
        assert failure.what.startswith("the report is too large: deployment 42 of checkout to xxx")
        assert {one["environment"]["displayName"] for one in jira.deployments()} == {"dev", "prod"}

    @pytest.mark.parametrize("status", [400, 413])
    def test_one_that_makes_all_malformed_is_found(self, harness_oauth, jira, failed, status):
        jira.fault("answer", status=status, body={"message": "no"}, count=4)
        done = harness_oauth(environment_name="dev,qa,prod")
        failure = failed(done, 1)
        # All three, then the first alone, the other two, and the second alone.
        assert self.statuses(jira) == [status, status, status, status, 202]
        assert "to dev" in failure.what
        assert "to qa" in failure.what
        assert [one["environment"]["displayName"] for one in jira.deployments()] == ["prod"]

    def test_a_refused_report_is_not_kept(self, harness_oauth, jira, failed, tmp_path):
        jira.configure(max_bytes=300)
        failed(harness_oauth(outbox=tmp_path / "outbox", on_failure="keep"), 1)
        assert list((tmp_path / "outbox").iterdir()) == []


class TestClock:
    """A clock that is behind makes Jira drop updates without a word, so the step says so."""

    @pytest.mark.parametrize(("behind", "is_told"), [(3600, True), (0, False), (-3600, False)])
    def test_it_is_compared_with_that_of_the_first_host(self, harness_oauth, clean, monkeypatch, behind, is_told):
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() - behind)
        done = clean(harness_oauth())
        assert done.code == 0, done.text
        assert done.err.count("the clock of this machine is") == is_told
        assert bool(re.search("warning: the clock of this machine is 3[56][0-9][0-9] seconds", done.err)) is is_told


class TestVerify:
    """`--verify` reads back what Jira accepted until it shows, and says which it was."""

    @pytest.mark.parametrize("kind", ["oauth", "connect"])
    @pytest.mark.parametrize("environment", [None, "dev,prod"])
    def test_shown_at_once(self, request, harness, jira, clean, kind, environment):
        harness.environ |= request.getfixturevalue(kind)
        done = clean(harness("--verify", environment_name=environment))
        assert done.code == 0, done.text
        assert done.err.count(f"{jira.url.removeprefix('http://')} shows ") == (2 if environment else 1)

    def test_shown_after_a_while(self, harness_oauth, jira, clean):
        jira.configure(storage_delay=0.1)
        done = clean(harness_oauth("--verify"))
        assert done.code == 0, done.text
        assert "shows build 42 of checkout (successful)" in done.err
        assert [request["status"] for request in jira.requests("/builds/42")] == [404, 200]

    def test_never_shown(self, harness_oauth, jira, failed):
        jira.configure(storage_delay=3600)
        done = harness_oauth("--verify", deadline="0.9")
        failure = failed(done, 1)
        assert "accepted build 42 of checkout and does not show it yet" in failure.what
        assert "DEADLINE" in failure.why
        assert "jira-ci show" in failure.do
        assert "accepted build 42 of checkout (successful)" in done.err

    def test_a_newer_update_that_jira_holds(self, harness_oauth, jira, failed, monkeypatch):
        assert harness_oauth(state="failed").code == 0
        monkeypatch.setattr("jira_ci_core.clock.PROCESS_CLOCK._last", 0)
        monkeypatch.setattr("jira_ci_core.clock.PROCESS_CLOCK._nanoseconds", lambda: 10**18)
        failure = failed(harness_oauth("--verify"), 1)
        assert "accepted build 42 of checkout and ignores it" in failure.what
        assert "clock" in failure.do
        assert [build["state"] for build in jira.builds()] == ["failed"]

    def test_what_cannot_be_read_back_is_told(self, harness_oauth, jira, failed):
        jira.fault("answer", match="/jira/*/pipelines/*", status=403, count=10)
        assert "may not report this" in failed(harness_oauth("--verify"), 1).what

    def test_what_was_not_accepted_is_not_asked_for(self, harness_oauth, jira, failed):
        jira.fault("answer", status=403)
        failed(harness_oauth("--verify"), 1)
        assert jira.requests("/builds/42") == []

    def test_a_token_that_expired_in_between_is_renewed(self, harness_oauth, jira, clean):
        jira.fault("answer", match="/jira/*/pipelines/*", status=401)
        assert clean(harness_oauth("--verify")).code == 0
        assert len(jira.requests("token")) == 2


class TestShow:
    """`jira-ci show` reads back what Jira holds of this run."""

    @pytest.mark.parametrize("kind", ["oauth", "connect"])
    def test_a_build(self, request, harness, jira, clean, kind):
        harness.environ |= request.getfixturevalue(kind)
        assert harness().code == 0
        done = clean(harness.run("show"))
        assert done.code == 0, done.text
        assert (done.json["buildNumber"], done.json["state"]) == (42, "successful")

    def test_deployments_each_by_itself(self, harness_oauth, jira, clean):
        assert harness_oauth(environment_name="dev").code == 0
        done = clean(harness_oauth.run("show", environment_name="dev,prod"))
        assert done.code == 1
        assert json.loads(done.out)["environment"]["displayName"] == "dev"
        assert "holds no deployment 42 of harness/acme/default/shop/checkout to prod" in done.err

    def test_of_another_run(self, harness_oauth, clean):
        assert harness_oauth().code == 0
        assert clean(harness_oauth.run("show", run_number=41)).code == 1
        environ = dict.fromkeys(["HARNESS_PIPELINE_ID", "DRONE", "DRONE_BUILD_NUMBER", "HARNESS_BUILD_ID"])
        done = clean(
            harness_oauth.run("show", pipeline="harness/acme/default/shop/checkout", run_number=42, environ=environ)
        )
        assert done.code == 0, done.text

    def test_an_id_with_a_slash_and_more_is_one_part_of_the_address(self, harness_oauth, jira, clean):
        id = "a/b c?d#e%2f/ü"
        assert harness_oauth(pipeline=id).code == 0
        done = clean(harness_oauth.run("show", pipeline=id))
        assert done.code == 0, done.text
        assert done.json["pipelineId"] == id

    def test_an_answer_that_is_none(self, harness_oauth, jira, failed):
        jira.fault("html", match="builds")
        assert "no usable answer" in failed(harness_oauth.run("show"), 1).what


class TestDelete:
    """`jira-ci delete` removes what Jira holds of this run, or all that was reported with a property."""

    @pytest.mark.parametrize("kind", ["oauth", "connect"])
    def test_a_build(self, request, harness, jira, clean, kind):
        harness.environ |= request.getfixturevalue(kind)
        assert harness().code == harness(run_number=43).code == 0
        done = clean(harness.run("delete"))
        assert done.code == 0, done.text
        assert "deletes build 42 of harness/acme/default/shop/checkout" in done.err
        assert [build["buildNumber"] for build in jira.builds()] == [43]

    def test_a_deployment(self, harness_oauth, jira):
        assert harness_oauth(environment_name="dev,prod").code == 0
        assert harness_oauth.run("delete", environment_name="prod").code == 0
        assert [one["environment"]["displayName"] for one in jira.deployments()] == ["dev"]

    def test_all_with_a_property(self, harness_oauth, jira, clean):
        for number, properties in enumerate(["branch=old,team=a", "branch=old,team=b", "branch=new,team=a"]):
            assert harness_oauth(run_number=number, properties=properties).code == 0
            assert harness_oauth(run_number=number, properties=properties, environment_name="prod").code == 0
        done = clean(harness_oauth.run("delete", "--property", "branch=old", "--property", "team=a"))
        assert done.code == 0, done.text
        assert [one["buildNumber"] for one in jira.builds()] == [1, 2]
        assert [one["deploymentSequenceNumber"] for one in jira.deployments()] == [1, 2]

    @pytest.mark.parametrize("pair", ["branch", "=old", "branch=", "_updateSequenceNumber=1"])
    def test_a_property_that_is_none(self, harness_oauth, jira, failed, pair):
        assert "--property" in failed(harness_oauth.run("delete", "--property", pair), 2).what
        assert jira.requests() == []

    def test_without_permission_nothing_is_deleted_and_it_is_said(self, harness_oauth, jira, failed):
        assert harness_oauth().code == 0
        jira.fault("answer", match="/jira/*", status=403)
        failed(harness_oauth.run("delete"), 1)
        assert len(jira.builds()) == 1
