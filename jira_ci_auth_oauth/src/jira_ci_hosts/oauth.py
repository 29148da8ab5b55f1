"""Where this kind of sign-in leads to, known before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable

API = "https://api.atlassian.com"


def hosts(is_set: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The hosts that a report will need; none where there are no such credentials."""
    if not (is_set("client_id") and is_set("client_secret")):
        return ()
    api = address("api_url") or API
    return (api,) if is_set("cloud_id") else (api, site)
