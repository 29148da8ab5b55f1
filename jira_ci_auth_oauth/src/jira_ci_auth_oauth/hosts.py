"""The hosts that OAuth sign-in talks to. Imports nothing, since core asks before it loads any library."""

from __future__ import annotations

from collections.abc import Callable

API = "https://api.atlassian.com"


def hosts(has: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The hosts of a report, from settings that are not checked yet; empty if there are no such credentials.

    `has` says whether a setting is set, `address` is the origin of one that holds an address, `site` is INSTANCE's.
    """
    if not (has("client_id") and has("client_secret")):
        return ()
    return hosts_of(address("api_url") or API, site, has_cloud_id=has("cloud_id"))


def hosts_of(api_url: str, site: str, *, has_cloud_id: bool) -> tuple[str, ...]:
    """Atlassian's API, and the site itself if it has to be asked for its cloud id."""
    return (api_url,) if has_cloud_id else (api_url, site)
