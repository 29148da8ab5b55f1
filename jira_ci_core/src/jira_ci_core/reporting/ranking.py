"""Which of the keys that were found are sent, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from jira_ci_core.config.settings import Settings
from jira_ci_core.issue_keys import ANY_PROJECT
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
    wanted = []
    for found in plugins.extract_issue_keys(pipeline, environ, settings):
        project, hyphen, number = found.key.rpartition("-")  # of an issue's id, the project is not known
        project = settings.key_aliases.get(project, project)
        if ANY_PROJECT in settings.project or project in settings.project:
            wanted.append(found.model_copy(update={"key": f"{project}{hyphen}{number}"}))
    return cut_at_most(rank(wanted))


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
