"""The host that this sign-in needs, which `jira-ci report` looks up before it loads any plugin."""

from __future__ import annotations

from collections.abc import Callable

API = "https://api.atlassian.com"


def hosts(is_set: Callable[[str], bool], address: Callable[[str], str], site: str) -> tuple[str, ...]:
    """Return the host that a report will need, or nothing where no file is set."""
    return (address("store_api_url") or API,) if is_set("store_token_path") else ()
