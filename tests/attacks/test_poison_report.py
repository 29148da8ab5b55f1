"""One report, to which Jira answers with an error of its own each time, keeps the others from being delivered."""

from __future__ import annotations

import json

import pytest
import requests
from tests.conftest import jira_settings

from jira_ci_core.delivery.outbox import Entry, Outbox

POISON = b"poison"


@pytest.fixture
def passes(listen, jira):
    """Starts a server in front of Jira: `passes(failing)`, which says by the request's body and number what fails."""

    def start(failing, status=500, headers=None):
        """`failing` may return another status."""
        bulk = []

        def answer(received):
            if received.target.endswith("/bulk"):
                bulk.append(received.body)
                if failed := failing(received.body, len(bulk)):
                    return status if failed is True else failed, headers or {}, b"Internal Server Error"
            kept = {name: value for name, value in received.headers.items() if name.lower() != "host"}
            with requests.Session() as session:
                session.trust_env = False
                address = jira.url + received.target
                reply = session.request(received.method, address, headers=kept, data=received.body, timeout=30)
            return reply.status_code, {"Content-Type": reply.headers.get("Content-Type", "")}, reply.content

        listener = listen(answer)
        listener.bulk = bulk
        return listener

    return start


@pytest.fixture
def settings(jira, oauth):
    """The settings of a step that reaches Jira through a server."""

    def make(listener):
        return {**jira_settings(jira), **oauth, "PLUGIN_API_URL": listener.url, "PLUGIN_DEADLINE": "20"}

    return make


@pytest.fixture
def flush(step, settings, jira, tmp_path, make_report):
    """Keeps reports of builds in an outbox, those with some numbers poisoned, and flushes it."""
    outbox = Outbox(tmp_path / "outbox")

    def run(listener, count, *poisoned, properties=lambda number: {}, deadline="20"):
        for number in range(count):
            name = f"shop #{number}{' poison' if number in poisoned else ''}"
            report = make_report(number, number + 1, properties(number), name=name)
            site = report.site.model_copy(update={"url": jira.url})
            outbox.keep(report.model_copy(update={"site": site})).release()
        environ = {**settings(listener), "PLUGIN_DEADLINE": deadline}
        done = step.run("outbox", "flush", outbox=outbox.folder, environ=environ)
        left = [entry.report.entity.number for entry in outbox.read() if isinstance(entry, Entry)]
        return done, sorted(left)

    return run


def is_poisoned(body, number):
    return POISON in body


@pytest.mark.parametrize(("status", "poisoned"), [(500, [64]), (503, [0, 1, 2, 50, 70, 98, 99]), (599, [105])])
def test_all_others_in_the_outbox_are_delivered_and_it_is_named(passes, flush, jira, status, poisoned):
    listener = passes(is_poisoned, status)
    done, left = flush(listener, 106, *poisoned)
    assert done.code == 1, done.text
    assert left == poisoned
    assert len(jira.builds()) == 106 - len(poisoned)
    for number in poisoned:
        assert f"error: Jira fails at build {number} of shop\n  why: 127.0.0.1" in done.err, done.err
    assert f"answered {status}" in done.err
    assert str(poisoned[0]) in done.err.partition("it stays in")[0]
    assert f"delivered {106 - len(poisoned)}, refused 0, left {len(poisoned)}" in done.err
    assert len(listener.bulk) < 25 * (len(poisoned) + 1)


def test_one_with_properties_of_its_own_is_sent_alone_and_holds_up_nothing(passes, flush, jira):
    done, left = flush(passes(is_poisoned), 9, 0, 4, properties=lambda number: {"team": str(number % 4)})
    assert (done.code, left) == (1, [0, 4]), done.text
    assert len(jira.builds()) == 7


def test_one_line_of_a_backfill_is_rejected_and_the_others_are_delivered(step, passes, settings, jira):
    def line(number, name):
        values = {"number": number, "name": name, "state": "failed", "url": "https://ci.example/1"}
        more = {
            "last_updated": "2026-01-02T00:00:00Z",
            "issue_keys": ["MYT-1"],
            "pipeline": "shop",
            "environment": "qa",
        }
        return json.dumps(values | more)

    lines = [line(number, "poison" if number == 33 else "x") for number in range(120)]
    (step.folder / "lines").write_text("\n".join(lines))
    done = step.run("backfill", "lines", environ=settings(passes(is_poisoned)))
    assert done.code == 1, done.text
    assert len(jira.deployments()) == 119
    [rejected] = map(json.loads, (step.folder / "lines.rejected").read_text().splitlines())
    assert (rejected["line"], rejected["text"]) == (34, lines[33])
    assert "Jira fails at deployment 33 of shop to qa" in rejected["reason"]
    assert not (step.folder / "lines.checkpoint").exists()


def test_one_deployment_of_several_keeps_no_other_from_jira(harness_oauth, passes, jira):
    listener = passes(lambda body, number: b'"qa"' in body)
    done = harness_oauth("--format=json", api_url=listener.url, environment_name="qa,prod,dev")
    assert done.code == 1, done.text
    assert [one["result"] for one in done.json["outcomes"]] == ["not_delivered", "accepted", "accepted"]
    assert {deployment["environment"]["id"] for deployment in jira.deployments()} == {"prod", "dev"}


class TestJiraIsDown:
    """Where all calls fail, no report is to blame, and Jira is not asked about each."""

    def test_all_is_left_after_few_calls(self, passes, flush, jira):
        listener = passes(lambda body, number: True, 503)
        done, left = flush(listener, 60, deadline="1")
        assert (done.code, len(left)) == (1, 60), done.text
        assert len(listener.bulk) < 25
        assert "Jira fails at" not in done.err

    def test_what_passes_before_the_deadline_is_no_failure(self, passes, flush, jira):
        done, left = flush(passes(lambda body, number: number < 20, 503), 40)
        assert (done.code, left) == (0, []), done.text
        assert len(jira.builds()) == 40

    def test_when_it_asks_to_wait_no_halves_are_sent(self, passes, flush):
        listener = passes(lambda body, number: True, 503, {"Retry-After": "3600"})
        done, left = flush(listener, 40)
        assert (done.code, len(left)) == (1, 40), done.text
        assert len(listener.bulk) == 2

    def test_the_rate_limit_ends_the_search(self, passes, flush):
        listener = passes(lambda body, number: 500 if number < 4 else 429)
        done, left = flush(listener, 40, deadline="1")
        assert (done.code, len(left)) == (1, 40), done.text
        assert len(listener.bulk) < 12
