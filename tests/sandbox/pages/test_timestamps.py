"""Timestamps as the pages show them."""

from __future__ import annotations

import pytest

from jira_ci_sandbox.pages.timestamps import format_exact, format_iso, format_relative


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2024-05-01T12:30:00Z", "2024-05-01 12:30:00 UTC"),
        ("2024-05-01t12:30:00.123456789z", "2024-05-01 12:30:00 UTC"),
        ("2024-05-01T12:30:00-11:30", "2024-05-02 00:00:00 UTC"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"),
        (0.0, "1970-01-01 00:00:00 UTC"),
        (1e300, "1e+300"),
    ],
)
def test_time_is_shown_in_utc(text: str | float, shown: str) -> None:
    assert format_exact(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (29 * 86400, "29 days ago"),
        (-90, "in 1 minute"),
        (31 * 86400, "2033-04-17"),
    ],
)
def test_time_is_shown_relative_to_now(seconds: int, shown: str) -> None:
    assert format_relative(2e9 - seconds, 2e9) == shown


def test_time_outside_of_the_calendar_stays_as_it_is() -> None:
    assert format_relative("0001-01-01T00:00:00+01:00", 0) == "0001-01-01T00:00:00+01:00"
    assert format_iso("0001-01-01T00:00:00+01:00") == ""
