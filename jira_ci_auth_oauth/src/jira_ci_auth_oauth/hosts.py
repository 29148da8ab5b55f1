"""Where this kind of sign-in leads to, known before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable

API = "https://api.atlassian.com"


def hosts(setting: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The hosts that a report will need; none where there are no such credentials."""
    if not (setting("client_id") and setting("client_secret")):
        return ()
    api = setting("api_url") or API
    return (api,) if setting("cloud_id") else (api, site)
