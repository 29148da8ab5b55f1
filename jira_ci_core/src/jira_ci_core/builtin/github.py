"""Reads a GitHub Actions step, with the file of the event that started the run.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jira_ci_core import Pipeline, hookimpl, read_facts
from jira_ci_core.readers import commit_before

log = logging.getLogger(__name__)

TABLE = {
    "number": ("GITHUB_RUN_NUMBER",),
    "name": ("GITHUB_WORKFLOW",),
    "branch": ("GITHUB_HEAD_REF", "GITHUB_REF_NAME"),
    "target_branch": ("GITHUB_BASE_REF",),
    "sha": ("GITHUB_SHA",),
    "repository": ("GITHUB_REPOSITORY",),
    "workspace": ("GITHUB_WORKSPACE",),
}

# What the event says, where the variables do not. On a pull request GITHUB_SHA is a merge commit of GitHub's own.
EVENT = {
    "pull_request": ("pull_request", "number"),
    "pull_request_title": ("pull_request", "title"),
    "sha": ("pull_request", "head", "sha"),
    "message": ("head_commit", "message"),
    "commit_before": ("before",),
}

# Fixed from the first release: a change would split the history in Jira.
IDENTITY = "GITHUB_REPOSITORY", "GITHUB_WORKFLOW"


@hookimpl(trylast=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """The run, where `GITHUB_ACTIONS=true` says that this is GitHub."""
    if environ.get("GITHUB_ACTIONS", "").lower() != "true":
        return None
    facts, origins = read_facts(environ, TABLE)
    event = _event(environ)
    for field, path in EVENT.items():
        value = _at(event, path)
        if value:
            facts[field], origins[field] = str(value), f"{'.'.join(path)} of the event"
    if environ.get("GITHUB_REF_TYPE") == "tag" and "GITHUB_HEAD_REF" not in origins.values():
        facts["tag"], origins["tag"] = facts.pop("branch", ""), origins.pop("branch", "")
    identity = [name for name in IDENTITY if environ.get(name)]
    facts["id"], origins["id"] = "/".join(environ[name] for name in identity), ", ".join(identity)
    server, repository, run = (environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository:
        facts["repository_url"] = f"{server}/{repository}"
        origins["repository_url"] = "GITHUB_SERVER_URL, GITHUB_REPOSITORY"
        if run:
            facts["url"] = f"{server}/{repository}/actions/runs/{run}"
            origins["url"] = "GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID"
    known = {name: value for name, value in facts.items() if value}
    known["commit_before"] = commit_before(known.get("commit_before"), known.get("sha")) or ""
    known = {name: value for name, value in known.items() if value}
    return Pipeline.model_validate(
        {**known, "ci": "GitHub Actions", "origins": {name: place for name, place in origins.items() if name in known}}
    )


def _event(environ: Mapping[str, str]) -> object:
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        return None
    try:
        return json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        log.warning(
            "the file of the event (GITHUB_EVENT_PATH) cannot be read, so title and message may be missing: %s", error
        )
        return None


def _at(event: Any, path: tuple[str, ...]) -> str | int | None:
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    return event if isinstance(event, (str, int)) and not isinstance(event, bool) else None
