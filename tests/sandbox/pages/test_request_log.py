"""The page of requests: the log and its stream, and the planned faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from jira_ci_sandbox.pages import request_log
from jira_ci_sandbox.pages.request_log import FAULTS, MATCHES

PATH = "/requests"


def test_empty_log_says_how_to_make_a_call(browser: Any) -> None:
    page = browser.get(PATH)
    assert "No calls yet" in page.text
    assert f"curl {browser.sandbox.url}/_edge/tenant_info" in page.text


def test_call_is_listed_with_its_status_verdict_and_problems(browser: Any, oauth: Any, build: Any) -> None:
    oauth.bulk("builds", build(state="done"))
    text = browser.get(PATH).text
    assert "202 POST /jira/builds/0.1/cloud/" in text
    assert "rejected 1 build oauth-1 just now" in text
    assert 'pipeline, 1 state: is "done"; it must be one of pending' in text
    assert text.index("rejected 1 build") < text.index("issued a token")
    assert "Bearer ***" in text


def test_long_bodies_and_long_lists_of_problems_are_cut(browser: Any, oauth: Any, build: Any) -> None:
    oauth.bulk("builds", *(build(state="done") for _ in range(30)))
    page = browser.get(PATH)
    assert "The rest is left out here" in page.text
    assert "and 10 more" in page.text


def test_call_without_a_response_has_no_status(browser: Any, oauth: Any, build: Any) -> None:
    oauth.sandbox.fault("reset")
    with pytest.raises(requests.ConnectionError):
        oauth.bulk("builds", build())
    assert "— POST" in browser.get(PATH).text
    assert "went wrong on demand (reset)" in browser.get(PATH).text


def test_call_from_before_verdicts_were_kept_is_listed_without_one() -> None:
    call = request_log.call_view({"id": 1, "body": None, "verdict": None})
    assert call["verdict"]["words"] == "from before verdicts were kept"


# Faults


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_switched_on_for_the_next_calls_and_listed(browser: Any, name: str) -> None:
    page = browser.submit(PATH, f"{PATH}/faults", fault=name, match="token", count="3")
    assert f"3× {FAULTS[name][0]} (tokens only)" in page.text
    [fault] = browser.sandbox.faults()
    assert (fault["match"], fault["count"]) == ("token", 3)
    assert browser.sandbox.faults()[0]["action"] == FAULTS[name][1]["action"]
    assert "Still to come" not in browser.submit(PATH, f"{PATH}/faults/clear").text


def test_rate_limit_fault_says_when_to_try_again(browser: Any, oauth: Any, build: Any) -> None:
    browser.submit(PATH, f"{PATH}/faults", fault="rate-limit", match="bulk", count="1")
    limited = oauth.bulk("builds", build())
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "2")
    assert limited.json()["message"] == "Rate limit exceeded"
    assert oauth.bulk("builds", build()).status_code == 202


def test_fault_from_the_control_api_is_listed(browser: Any) -> None:
    browser.sandbox.fault("answer", status=418, match="/rest/*")
    browser.sandbox.fault("missing", fields=["access_token"], match="token")
    text = browser.get(PATH).text
    assert "1× answer 418 (/rest/*)" in text
    assert "1× missing (tokens only)" in text


@pytest.mark.parametrize("change", [{"fault": "x"}, {"match": "x"}, {"count": "0"}, {"count": "x"}, {"count": ""}])
def test_invalid_fault_is_refused(browser: Any, change: dict[str, str]) -> None:
    wanted = {"fault": "html", "match": next(iter(MATCHES)), "count": "1"}
    assert browser.submit(PATH, f"{PATH}/faults", **wanted | change).answer.status_code == 400
    assert browser.sandbox.faults() == []


def test_rate_limit_is_set_for_the_site(browser: Any, oauth: Any, build: Any) -> None:
    page = browser.submit(PATH, f"{PATH}/limit", limit="1", period="600")
    assert "1 calls in 600 seconds" in page.text
    assert [oauth.bulk("builds", build()).status_code for _ in range(2)] == [202, 429]
    assert "As many calls as you like" in browser.submit(PATH, f"{PATH}/limit", limit="0", period="60").text


def test_log_is_emptied(browser: Any, oauth: Any) -> None:
    assert "No calls yet" in browser.submit(PATH, f"{PATH}/clear").text
    assert oauth.sandbox.requests() == []


# The stream


class Stream:
    """The events that an open page receives."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.answer = browser.http.get(f"{browser.sandbox.url}{PATH}/stream", stream=True, timeout=20, **options)
        self.bytes: Iterator[bytes] = self.answer.iter_content(1)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self.answer.close()

    def until(self, words: str) -> str:
        """Return the stream up to these words. Fails after three keep-alive comments."""
        seen = b""
        while not seen.endswith(words.encode()):
            seen += next(self.bytes)
            assert seen.count(b": still here") < 3, seen
        return seen.decode()


def test_call_reaches_an_open_page_at_once(browser: Any, oauth: Any, build: Any) -> None:
    with Stream(browser) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert "issued a token" in stream.until("</li>\n\n")
        oauth.bulk("builds", build(state="<b>"))
        event = stream.until("</li>\n\n")
        assert "rejected 1 build" in event
        assert "<b>" not in event.replace("<b>POST</b>", "")


def test_stream_continues_after_the_last_event_of_a_page(browser: Any, oauth: Any, build: Any) -> None:
    for number in range(3):
        oauth.bulk("builds", build(buildNumber=number))
    *_, third, last = [request["id"] for request in oauth.sandbox.requests()]
    for options in ({"params": {"after": str(third - 1)}}, {"headers": {"Last-Event-ID": str(third - 1)}}):
        with Stream(browser, **options) as stream:
            assert stream.until(f"id: {last}\n").count("id: ") == 2


def test_stream_survives_emptying_the_log(browser: Any, oauth: Any, build: Any) -> None:
    with Stream(browser) as stream:
        stream.until("issued a token")
        oauth.sandbox._call("DELETE", "requests")
        oauth.bulk("builds", build())
        stream.until("accepted 1 build")


def test_idle_stream_sends_keep_alive_comments(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "KEEP_ALIVE_SECONDS", 0.01)
    with Stream(browser) as stream:
        stream.until(": still here\n\n: still here")


def test_stream_is_refused_under_a_foreign_host_name(browser: Any) -> None:
    answer = browser.http.get(f"{browser.sandbox.url}{PATH}/stream", headers={"Host": "evil.example"}, timeout=20)
    assert answer.status_code == 403


def test_open_stream_does_not_keep_the_server_from_stopping(run_server: Any, browser: Any) -> None:
    with run_server() as sandbox:
        stream = Stream(type(browser)(sandbox))
        stream.until(": still here")
    with stream, pytest.raises((StopIteration, requests.RequestException)):
        stream.until("never")
