"""The hosts that this sign-in talks to. Imports nothing, since core asks before it loads any library."""

from __future__ import annotations

from collections.abc import Callable

API = "https://api.atlassian.com"


def hosts(has: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """The host that a report will need; empty where no file is named."""
    return (address("store_api_url") or API,) if has("store_token_path") else ()
