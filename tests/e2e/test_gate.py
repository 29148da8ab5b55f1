"""`jira-ci gate`: the step asks whether a deployment is allowed, and waits for the verdict."""

from __future__ import annotations

import threading
import time

import pytest

from jira_ci_core import gate

pytestmark = pytest.mark.usefixtures("in_process", "eager")
STATUS = "/*gating-status"


@pytest.fixture
def eager(monkeypatch):
    """Shortens the waits between two requests."""
    monkeypatch.setattr(gate, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(gate, "LONGEST_WAIT", 0.05)


@pytest.fixture
def ask(harness_oauth):
    """Runs `jira-ci gate` for a deployment to prod."""
    return lambda *arguments, **settings: harness_oauth.run(
        "gate", *arguments, **{"environment_name": "prod", "gate_timeout": 60, **settings}
    )


@pytest.fixture
def after_requests(jira):
    """Calls a function once the step has requested the verdict so many times: `after_requests(2, do)`."""
    threads = []

    def plan(count, do):
        def watch():
            end = time.monotonic() + 60
            while len(jira.requests("gating-status")) < count:
                assert time.monotonic() < end
                time.sleep(0.01)
            do()

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield plan
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("kind", ["oauth", "connect"])
def test_it_asks_with_a_pending_deployment(request, harness, jira, clean, kind):
    harness.environ |= request.getfixturevalue(kind)
    jira.gate("allowed")
    done = clean(harness.run("gate", environment_name="prod"))
    assert done.code == 0, done.text
    assert "Jira allows deployment 42 of checkout to prod" in done.err
    [deployment] = jira.deployments()
    assert deployment["state"] == "pending"
    assert deployment["commands"] == [{"command": "initiate_deployment_gating"}]
    assert len(jira.requests("gating-status")) == 1


def test_it_asks_for_a_deployment_of_services_alone(ask, jira, clean):
    jira.configure(services=["b:shop"])
    jira.gate("allowed")
    done = clean(ask(service_ids="b:shop", environ={"DRONE_COMMIT_MESSAGE": "no key"}))
    assert done.code == 0, done.text
    [deployment] = jira.deployments()
    assert deployment["associations"] == [{"associationType": "serviceIdOrKeys", "values": ["b:shop"]}]
    assert deployment["commands"] == [{"command": "initiate_deployment_gating"}]


@pytest.mark.parametrize(
    ("verdict", "code", "words"),
    [
        ("prevented", 4, "prevents deployment 42 of checkout to prod"),
        ("expired", 5, "the gate of deployment 42 of checkout to prod expired"),
        ("invalid", 1, "there is no verdict on deployment 42 of checkout to prod"),
    ],
)
def test_a_verdict_that_does_not_allow_it_has_an_exit_code_and_names_the_change(
    ask, jira, failed, verdict, code, words
):
    jira.gate(verdict, "DEMO-7", "DEMO-8")
    failure = failed(ask(), code)
    assert words in failure.what
    assert f"DEMO-7 ({jira.url}/browse/DEMO-7), DEMO-8 ({jira.url}/browse/DEMO-8)" in failure.why


@pytest.mark.parametrize(("verdict", "code"), [("allowed", 0), ("prevented", 4)])
def test_it_waits_for_the_verdict_and_says_so(ask, jira, after_requests, verdict, code):
    jira.gate("awaiting", "DEMO-7")
    after_requests(2, lambda: jira.gate(verdict))
    done = ask()
    assert done.code == code
    assert done.err.count("the gate of deployment 42 of checkout to prod is awaiting (0 of 60 seconds): DEMO-7") == 1
    assert len(jira.requests("gating-status")) >= 3


def test_without_a_verdict_in_time_it_ends(ask, jira, failed):
    jira.gate("awaiting", "DEMO-7")
    failure = failed(ask(gate_timeout="0.2"), 6)
    assert "GATE_TIMEOUT (0.2 seconds) is over" in failure.why
    assert "DEMO-7" in failure.why
    assert len(jira.requests("gating-status")) >= 2


def test_it_asks_once_more_when_the_time_is_over(ask, jira, monkeypatch):
    monkeypatch.setattr(gate, "FIRST_WAIT", 600.0)
    ask(gate_timeout="0.1")
    assert len(jira.requests("gating-status")) == 2


def test_a_deployment_that_is_not_shown_yet_is_waited_for(ask, jira, failed):
    jira.configure(storage_delay=600)
    assert "shows no gate" in failed(ask(gate_timeout="0.2"), 6).why


def test_a_token_that_expires_is_renewed(ask, jira, after_requests):
    def expire():
        jira.expire_tokens()
        jira.gate("allowed")

    after_requests(1, expire)
    assert ask().code == 0
    assert len(jira.requests("/oauth/token")) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        {"action": "answer", "status": 503, "count": 1},
        {"action": "answer", "status": 429, "headers": {"Retry-After": "1"}, "count": 1},
        {"action": "reset", "count": 2},
        {"action": "slow", "seconds": 300, "count": 1},
    ],
)
def test_a_failure_that_may_pass_does_not_end_it(ask, jira, trouble):
    jira.fault(match=STATUS, **trouble)
    jira.gate("allowed")
    done = ask(deadline="0.7")
    assert done.code == 0, done.text


def test_the_wait_that_jira_asks_for_is_honoured(ask, jira, failed):
    jira.fault("answer", match=STATUS, status=429, headers={"Retry-After": "3600"}, count=9)
    failed(ask(gate_timeout="0.3", deadline="0.2"), 6)
    assert len(jira.requests("gating-status")) == 2


@pytest.mark.parametrize("every", [1, 2])
def test_no_request_takes_longer_than_what_is_left(ask, jira, monkeypatch, every):
    monkeypatch.setattr(gate, "LAST_REQUEST", 0.2)
    monkeypatch.setattr(gate, "FIRST_WAIT", 600.0)
    jira.gate("awaiting")
    jira.fault("slow", match=STATUS, seconds=300, count=9, every=every)
    began = time.monotonic()
    assert ask(gate_timeout="0.5", deadline="60").code == 6
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "trouble",
    [
        {"action": "answer", "status": 403},
        {"action": "answer", "status": 401},
        {"action": "answer", "status": 404, "body": "<html>"},
        {"action": "redirect", "location": "https://new.example"},
        {"action": "html"},
        {"action": "malformed"},
        {"action": "missing", "fields": ["gatingStatus"]},
    ],
)
def test_any_other_failure_ends_it(ask, jira, failed, trouble):
    jira.fault(match=STATUS, count=9, **trouble)
    failed(ask(), 1)


@pytest.mark.parametrize("how", ["rejected", "refused", "no token"])
def test_what_could_not_be_asked_is_not_allowed(ask, jira, failed, how, tmp_path):
    jira.gate("allowed")
    if how == "rejected":
        jira.configure(projects=["OTHER"])
    else:
        jira.fault("answer", match="bulk" if how == "refused" else "token", status=403, count=9)
    failed(ask(on_failure="keep", outbox=str(tmp_path / "outbox")), 1)
    assert jira.requests("gating-status") == []
    assert not (tmp_path / "outbox").exists()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"environment_name": None}, "ENVIRONMENT_NAME is not set"),
        ({"environment_name": "prod,qa"}, "ENVIRONMENT_NAME names 2 environments"),
        ({"state": "successful"}, "STATE cannot be 'successful' here"),
        ({"gate_timeout": "0"}, "GATE_TIMEOUT cannot be '0' (from PLUGIN_GATE_TIMEOUT)"),
        ({"client_id": None}, "CLIENT_ID is not set"),
    ],
)
def test_wrong_settings(ask, jira, failed, settings, what):
    assert failed(ask(**settings), 2).what == what
    assert jira.requests() == []


@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 1)])
def test_without_a_key_there_is_nothing_to_decide_on(ask, jira, policy, code):
    done = ask(on_no_issue=policy, environ={"DRONE_COMMIT_MESSAGE": "nothing"})
    assert done.code == code
    assert "no issue key was found" in done.err
    assert jira.requests() == []


@pytest.mark.parametrize(("verdict", "code"), [("allowed", 0), ("prevented", 4), ("expired", 5), ("invalid", 1)])
def test_as_json(ask, jira, verdict, code):
    jira.gate(verdict, "DEMO-7")
    printed = ask("--format", "json").json
    assert (printed["ending"], printed["exit_code"], len(printed["problems"])) == (verdict, code, int(code != 0))
    assert printed["changes"] == {"DEMO-7": f"{jira.url}/browse/DEMO-7"}
    assert printed["deployment"] == "deployment 42 of checkout to prod"


def test_what_is_allowed_goes_on_as_the_same_deployment(ask, harness_oauth, jira):
    jira.gate("allowed")
    assert ask().code == 0
    assert harness_oauth.run("run", "--", "true", environment_name="prod").code == 0
    [deployment] = jira.deployments()
    assert deployment["state"] == "successful"
    assert "commands" not in deployment
