"""Finds issue keys by regular expressions from the settings."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import BeforeValidator

from jira_ci_core import (
    FoundKey,
    Pipeline,
    PluginSettings,
    Problem,
    Settings as CoreSettings,
    SettingsError,
    hookimpl,
    is_issue_key,
    setting,
)

log = logging.getLogger(__name__)

LONGEST_SHOWN = 255
MOST_SHOWN = 5
"""Both of what is not an issue key."""


def _split_lines(value: object) -> object:
    return [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else value


class Plugin:
    """Searches the same texts as `keys`. The engine is RE2, which takes linear time whatever the pattern."""

    CONTRACT = 1

    class Settings(PluginSettings):
        key_patterns: Annotated[tuple[str, ...], BeforeValidator(_split_lines)] = setting(
            (),
            help="regular expressions (RE2), one a line, with a group named key that matches an issue key: "
            "Ticket: (?P<key>[A-Z]+-[0-9]+)",
            project_file=True,
        )

    def __init__(self, settings: Settings) -> None:
        self._patterns = [_compile(pattern) for pattern in settings.key_patterns]

    @hookimpl(trylast=True)
    def jira_ci_extract_issue_keys(self, pipeline: Pipeline, settings: CoreSettings) -> list[FoundKey]:
        """Return the keys that the patterns match; warn of matches that are not issue keys."""
        texts = pipeline.searched_texts(settings.keys_from)
        found, others = [], dict[str, None]()
        for pattern in self._patterns:
            for place, source, text in texts:
                for match in pattern.finditer(text):
                    key = match["key"]
                    if key and is_issue_key(key):
                        found.append(FoundKey(key=key, source=f"pattern in {source}", place=place))
                    elif key:
                        others[f"{key[:LONGEST_SHOWN]!r} in the {source}"] = None
        if others:
            more = f", and {len(others) - MOST_SHOWN} more" if len(others) > MOST_SHOWN else ""
            shown = ", ".join(list(others)[:MOST_SHOWN])
            log.warning("patterns of KEY_PATTERNS found what is not an issue key: %s%s", shown, more)
        return found


def _compile(pattern: str) -> Any:
    try:
        import re2
    except ImportError:
        why, remedy = "the package of the RE2 engine is not installed", "pip install 'jira-ci-core[patterns]'"
        raise SettingsError(Problem("KEY_PATTERNS cannot be used", why, remedy)) from None
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        why = f"it is not a regular expression of RE2: {reason.decode() if isinstance(reason, bytes) else reason}"
        raise SettingsError(Problem(f"KEY_PATTERNS cannot be {pattern!r}", why, "see the RE2 syntax")) from None
    if "key" not in compiled.groupindex:
        remedy = "wrap the part that matches the issue key in (?P<key>…)"
        raise SettingsError(Problem(f"KEY_PATTERNS cannot be {pattern!r}", "it has no group named key", remedy))
    return compiled
