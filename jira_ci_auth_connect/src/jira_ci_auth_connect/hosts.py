"""The hosts that Connect sign-in talks to. Imports nothing, since core asks before it loads any library."""

from __future__ import annotations

from collections.abc import Callable

APP = "https://jira-ci.harness.io"


def hosts(has: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The hosts of a report, from settings that are not checked yet; empty if there is no such credential.

    `has` says whether a setting is set, `address` is the origin of one that holds an address, `site` is INSTANCE's.
    """
    return hosts_of(address("connect_hostname") or APP, site) if has("connect_key") else ()


def hosts_of(connect_hostname: str, site: str) -> tuple[str, ...]:
    """The app, which gives the token, and the site, which takes reports."""
    return connect_hostname, site
