"""Finds issue keys in the texts that KEYS_FROM names; by default title, latest commit message and branch."""

from __future__ import annotations

from jira_ci_core import FoundKey, Pipeline, Settings, find_keys, hookimpl


@hookimpl(trylast=True)
def jira_ci_extract_issue_keys(pipeline: Pipeline, settings: Settings) -> list[FoundKey]:
    """Return the keys of the projects that PROJECT names, with the text that each was found in."""
    return [
        FoundKey(key=key, source=source, place=place)
        for place, source, text in pipeline.searched_texts(settings.keys_from)
        for key in dict.fromkeys(find_keys(text, settings.projects_to_find))
    ]
