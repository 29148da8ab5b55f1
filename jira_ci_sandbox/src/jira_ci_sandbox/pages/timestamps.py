"""Timestamps as the pages show them: relative to now, and exactly, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# The units of relative times by their length in seconds.
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))
MAX_RELATIVE_SECONDS = 30 * 86400


def parse_timestamp(value: str | float) -> datetime | None:
    """Return an RFC 3339 timestamp or seconds since the epoch as a time in UTC; None outside of the calendar."""
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(re.sub(r"\.[0-9]+", "", value.upper())).astimezone(UTC)
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def format_exact(value: str | float) -> str:
    """Return a time to the second; a timestamp outside of the calendar is returned as it is."""
    found = parse_timestamp(value)
    return found.strftime("%Y-%m-%d %H:%M:%S UTC") if found is not None else str(value)


def format_iso(value: str | float) -> str:
    """Return a time for the attribute `datetime` of a `time` element."""
    found = parse_timestamp(value)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ") if found is not None else ""


def format_relative(value: str | float, now: float) -> str:
    """Return a time relative to `now`, such as "5 minutes ago"; the date if it is long ago."""
    found = parse_timestamp(value)
    if found is None:
        return str(value)
    seconds = now - found.timestamp()
    away = abs(seconds)
    if away > MAX_RELATIVE_SECONDS:
        return found.strftime("%Y-%m-%d")
    for length, name in UNITS:
        number = int(away // length)
        if number:
            amount = f"{number} {name}{'s' if number > 1 else ''}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now"
