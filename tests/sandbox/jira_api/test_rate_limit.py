"""The rate limit of the site."""

from __future__ import annotations

from jira_ci_sandbox.jira_api.rate_limit import RateLimit
from jira_ci_sandbox.settings import Settings


def test_rate_limit_ends_with_its_period() -> None:
    now = [0.0]
    limit, settings = RateLimit(lambda: now[0]), Settings(rate_limit=1, rate_period=10)
    assert [limit.hit(settings), limit.hit(settings)] == [0, 10]
    now[0] = 10.0
    assert limit.hit(settings) == 0
