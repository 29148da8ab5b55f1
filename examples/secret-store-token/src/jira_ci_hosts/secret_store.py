"""Where this kind of sign-in leads to, known before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable

API = "https://api.atlassian.com"


def hosts(is_set: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The host that a report will need; none where no file is named."""
    return (address("store_api_url") or API,) if is_set("store_token_path") else ()
