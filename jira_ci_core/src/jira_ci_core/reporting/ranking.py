"""Which of the keys that were found are sent, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from jira_ci_core.config.settings import Settings
from jira_ci_core.issue_keys import ANY_PROJECT, project_of
from jira_ci_core.models import MOST_ASSOCIATIONS, FoundKey, KeyPlace, Pipeline
from jira_ci_core.plugins.manager import Plugins

log = logging.getLogger(__name__)

# Further keys cannot be sent in a second update: it would replace the first.
MOST_KEYS = MOST_ASSOCIATIONS


def find_issue_keys(
    plugins: Plugins, pipeline: Pipeline, environ: Mapping[str, str], settings: Settings
) -> tuple[FoundKey, ...]:
    """The keys to send: those that ISSUEKEYS names, or else those that plugins find, of the projects in PROJECT."""
    if settings.issuekeys:
        named = (FoundKey(key=key, source="ISSUEKEYS", place=KeyPlace.SETTING) for key in settings.issuekeys)
        return cut_at_most(named)
    found = plugins.extract_issue_keys(pipeline, environ, settings)
    renamed = (_rename(key, settings.key_aliases) for key in found)
    projects = settings.project
    return cut_at_most(rank(key for key in renamed if ANY_PROJECT in projects or project_of(key.key) in projects))


def _rename(found: FoundKey, aliases: Mapping[str, str]) -> FoundKey:
    project, hyphen, number = found.key.rpartition("-")
    if project not in aliases:
        return found
    return found.model_copy(update={"key": f"{aliases[project]}{hyphen}{number}"})


def rank(found: Iterable[FoundKey]) -> list[FoundKey]:
    """By place (title, message, branch, then plugins by name), each key where it ranks highest."""

    def order(key: FoundKey) -> tuple[int, str]:
        return key.place, key.plugin if key.place is KeyPlace.OTHER else ""

    first: dict[str, FoundKey] = {}
    for key in sorted(found, key=order):
        first.setdefault(key.key, key)
    return list(first.values())


def cut_at_most(ranked: Iterable[FoundKey]) -> tuple[FoundKey, ...]:
    """The first 500, with a warning that says how many were dropped."""
    keys = tuple(ranked)
    if len(keys) > MOST_KEYS:
        warning = "%d issue keys were found and Jira takes %d: the last %d are dropped"
        log.warning(warning, len(keys), MOST_KEYS, len(keys) - MOST_KEYS)
    return keys[:MOST_KEYS]
