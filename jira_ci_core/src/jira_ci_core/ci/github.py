"""Reads a GitHub Actions step, and the payload of the event that started the run.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jira_ci_core import Match, VariableTable, hookimpl, reader

log = logging.getLogger(__name__)

# `github.event.…` names a value in the event's payload, as expressions in a workflow do.
TABLE: VariableTable = {
    # Every attempt (GITHUB_RUN_ATTEMPT) has the same number.
    "number": ("GITHUB_RUN_NUMBER",),
    "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",),
    "name": ("GITHUB_WORKFLOW",),
    # GITHUB_REF_NAME is the tag's name for a tag, and 7/merge in a pull request.
    "branch": (
        "GITHUB_HEAD_REF",
        Match("GITHUB_REF", "refs/heads/(.+)"),
        Match("GITHUB_REF_TYPE", "branch", "{GITHUB_REF_NAME}"),
    ),
    "source_branch": ("GITHUB_HEAD_REF",),
    "target_branch": ("GITHUB_BASE_REF",),
    "tag": (Match("GITHUB_REF", "refs/tags/(.+)"), Match("GITHUB_REF_TYPE", "tag", "{GITHUB_REF_NAME}")),
    "pull_request": (
        "github.event.pull_request.number",
        Match("GITHUB_REF", "refs/pull/([0-9]+)/.+"),
        Match("GITHUB_REF_NAME", "([0-9]+)/merge"),
    ),
    "pull_request_title": ("github.event.pull_request.title",),
    # In a pull request GITHUB_SHA is a merge commit by GitHub.
    "sha": ("github.event.pull_request.head.sha", "GITHUB_SHA"),
    # All zeros for a new branch.
    "commit_before": ("github.event.before",),
    "message": ("github.event.head_commit.message", "github.event.merge_group.head_commit.message"),
    "repository": ("GITHUB_REPOSITORY",),
    "repository_url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",),
    "environment": ("github.event.deployment.environment",),
    "version": (Match("GITHUB_REF", "refs/tags/(.+)"), Match("GITHUB_REF_TYPE", "tag", "{GITHUB_REF_NAME}")),
    "workspace": ("GITHUB_WORKSPACE",),
}


# GitHub sends no larger payload: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
LARGEST_EVENT = 25 * 1024 * 1024


def event_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the event's payload that the table names."""
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            payload = json.loads(file.read(LARGEST_EVENT))
    except (OSError, ValueError, RecursionError) as error:
        log.warning(
            "the file of the event (GITHUB_EVENT_PATH) cannot be read, so title and message may be missing: %s", error
        )
        return {}
    names = [source for sources in TABLE.values() for source in sources if isinstance(source, str)]
    return {name: _text_at(name.split(".")[2:], payload) for name in names if name.startswith("github.event.")}


def _text_at(path: list[str], value: Any) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "GitHub Actions",
        TABLE,
        recognised_by=("GITHUB_ACTIONS=true",),
        identity=("GITHUB_REPOSITORY", "GITHUB_WORKFLOW"),
        extra_variables=event_values,
    )
)
