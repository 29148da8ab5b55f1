"""Requests of a connection: an expired token is renewed, once."""

from __future__ import annotations

import types

import pytest

from jira_ci_core import Connection


@pytest.fixture
def send():
    """Sends a request that is answered with these statuses; returns the last status, the requests and the renewals."""

    def make(*statuses):
        answers, requests, renewals = iter(statuses), [], []

        def request(*arguments, **more):
            requests.append((arguments, more))
            return types.SimpleNamespace(status_code=next(answers))

        connection = Connection("https://a.example/builds", "", "auth", lambda: renewals.append(len(requests)))
        http = types.SimpleNamespace(request=request)
        response = connection.request(http, "POST", connection.builds_url, json={"a": 1})
        return response.status_code, requests, renewals

    return make


@pytest.mark.parametrize("status", [200, 202, 400, 403, 429, 500])
def test_any_answer_but_401_is_returned_at_once(send, status):
    last, [request], renewals = send(status)
    assert (last, renewals) == (status, [])
    assert request == (("POST", "https://a.example/builds"), {"auth": "auth", "json": {"a": 1}})


def test_after_a_401_the_same_request_is_sent_with_a_renewed_token(send):
    last, [first, second], renewals = send(401, 202)
    assert (last, renewals, second) == (202, [1], first)


def test_a_second_401_is_returned(send):
    last, requests, renewals = send(401, 401)
    assert (last, len(requests), renewals) == (401, 2, [1])
