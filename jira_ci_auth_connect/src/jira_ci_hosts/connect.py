"""Where this kind of sign-in leads to, known before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable

APP = "https://jira-ci.harness.io"


def hosts(is_set: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The hosts that a report will need; none where there is no such credential."""
    return (address("connect_hostname") or APP, site) if is_set("connect_key") else ()
