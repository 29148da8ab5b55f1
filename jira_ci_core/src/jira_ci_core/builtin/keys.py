"""Finds issue keys in the pull request's title, the latest commit message and the source branch."""

from __future__ import annotations

from jira_ci_core import FoundKey, KeyPlace, Pipeline, Settings, find_keys, hookimpl


@hookimpl(trylast=True)
def jira_ci_extract_issue_keys(pipeline: Pipeline, settings: Settings) -> list[FoundKey]:
    """Return the keys of the projects that PROJECT names, with the text that each was found in."""
    texts = (
        (KeyPlace.TITLE, "pull request title", pipeline.pull_request_title),
        (KeyPlace.MESSAGE, "commit message", pipeline.message),
        (KeyPlace.BRANCH, "branch", pipeline.branch),
    )
    return [
        FoundKey(key=key, source=source, place=place)
        for place, source, text in texts
        for key in dict.fromkeys(find_keys(text or "", settings.projects_to_find))
    ]
