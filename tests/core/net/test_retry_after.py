"""How long an answer asks to wait, in each of the forms that Jira has for it."""

from __future__ import annotations

import pytest
import requests

from jira_ci_core.net.client import retry_after

# 2026-03-26 is a Thursday.
NOW = "Thu, 26 Mar 2026 15:59:30 GMT"


def asked(status, **headers):
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return retry_after(response)


@pytest.mark.parametrize(
    "reset", ["2026-03-26T16:00Z", "2026-03-26T16:00:00Z", "2026-03-26T17:00+01:00", "1774540800", "1774540800000"]
)
def test_until_the_limit_is_reset_by_the_server_s_clock(reset):
    assert asked(429, X_RateLimit_Reset=reset, Date=NOW) == 30
    assert asked(429, X_RateLimit_Reset=reset, Date=NOW, Retry_After="soon") == 30
    assert asked(429, X_RateLimit_Reset=reset, Date=NOW, Retry_After="7") == 7
    assert asked(503, X_RateLimit_Reset=reset, Date=NOW) == 0


@pytest.mark.parametrize(
    "reset", ["", "soon", "9", "2026-03-26T15:59Z", "2076-03-26T16:00", "9" * 5000, "-1", "\u0663"]
)
def test_what_tells_no_time_to_come_asks_for_nothing(reset):
    assert asked(429, X_RateLimit_Reset=reset, Date=NOW) == 0


def test_without_a_date_of_the_server_this_machine_s_clock_counts():
    assert asked(429, X_RateLimit_Reset="2076-03-26T16:00Z") > 10**9
    assert asked(429, X_RateLimit_Reset="2076-03-26T16:00Z", Date="never") > 10**9
    assert asked(429, X_RateLimit_Reset="2015-03-26T16:00Z") == 0
