"""Reads a GitHub Actions step, and the payload of the event that started the run.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

log = logging.getLogger(__name__)

# The events whose GITHUB_SHA is the change. (`deployment`, `release` and `merge_group` name the same one.)
OF_CHANGE = (
    "push|pull_request|pull_request_review|pull_request_review_comment|merge_group|create|release"
    "|deployment|deployment_status|registry_package"
)
# The events that are about another commit: GITHUB_SHA and GITHUB_REF are the default branch's, or the base's.
ELSEWHERE = (
    "pull_request_target|workflow_run|check_run|check_suite|status"
    "|issue_comment|pull_request_comment|commit_comment|discussion_comment"
)
# In all others (schedule, repository_dispatch, workflow_dispatch, issues, …) the change is what is checked out.
OTHERS = f"(?!(?:{OF_CHANGE}|{ELSEWHERE})$).+"


def of(event: str, path: str) -> Match:
    """A value in the payload of one event; other payloads may hold another run or commit under the same name."""
    return Match("GITHUB_EVENT_NAME", event, f"{{github.event.{path}}}")


def of_pull_request(path: str) -> Match:
    """A value of the run before this one, if that was one of a pull request."""
    event = "github.event.workflow_run.event"
    return Match(event, "pull_request(?:_target)?", f"{{github.event.workflow_run.{path}}}")


HEAD_BRANCH = (
    "GITHUB_HEAD_REF",
    # Set for two events only; others have a pull request in their payload, too.
    "github.event.pull_request.head.ref",
    of("workflow_run", "workflow_run.head_branch"),
    of("check_run", "check_run.check_suite.head_branch"),
    of("check_suite", "check_suite.head_branch"),
)
TAG = "github.event.release.tag_name", Match("GITHUB_REF", "refs/tags/(.+)")

# `github.event.…` names a value in the event's payload, as expressions in a workflow do; a number is a place in a list.
TABLE: VariableTable = {
    # Every attempt (GITHUB_RUN_ATTEMPT) has the same number.
    "number": ("GITHUB_RUN_NUMBER",),
    "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",),
    "name": ("GITHUB_WORKFLOW",),
    # GITHUB_REF_NAME is the tag's name for a tag, and 7/merge in a pull request.
    "branch": (
        *HEAD_BRANCH,
        # The branches that hold the commit; one of several says nothing.
        Match("github.event.branches.1.name", "", "{github.event.branches.0.name}"),
        # A branch or a tag.
        "github.event.deployment.ref",
        Match("GITHUB_REF", "refs/heads/(.+)"),
        Match("GITHUB_REF_TYPE", "branch", "{GITHUB_REF_NAME}"),
        Match("GITHUB_REF", "(?!refs/)(.+)"),
    ),
    "source_branch": HEAD_BRANCH,
    "target_branch": (
        "GITHUB_BASE_REF",
        "github.event.pull_request.base.ref",
        "github.event.merge_group.base_ref",
        of_pull_request("pull_requests.0.base.ref"),
        of("check_run", "check_run.pull_requests.0.base.ref"),
        of("check_suite", "check_suite.pull_requests.0.base.ref"),
    ),
    "tag": (*TAG, Match("GITHUB_REF_TYPE", "tag", "{GITHUB_REF_NAME}")),
    "pull_request": (
        "github.event.pull_request.number",
        Match("github.event.issue.pull_request", ".+", "{github.event.issue.number}"),
        # Not told for a pull request from a fork.
        of("workflow_run", "workflow_run.pull_requests.0.number"),
        of("check_run", "check_run.pull_requests.0.number"),
        of("check_suite", "check_suite.pull_requests.0.number"),
        Match("GITHUB_REF", "refs/pull/([0-9]+)/.+"),
        Match("GITHUB_REF_NAME", "([0-9]+)/merge"),
        # The branch of a merge queue is GitHub's own.
        Match("GITHUB_REF", "refs/heads/gh-readonly-queue/.+/pr-([0-9]+)-.+"),
    ),
    "pull_request_title": (
        "github.event.pull_request.title",
        Match("github.event.issue.pull_request", ".+", "{github.event.issue.title}"),
    ),
    "pull_request_description": (
        "github.event.pull_request.body",
        Match("github.event.issue.pull_request", ".+", "{github.event.issue.body}"),
    ),
    "title": (
        Match(
            "github.event.workflow_run.event", "pull_request(?:_target)?", "{github.event.workflow_run.display_title}"
        ),
    ),
    # In a pull request GITHUB_SHA is a merge commit by GitHub.
    "sha": (
        Match("github.event.pull_request.merged", "true", "{github.event.pull_request.merge_commit_sha}"),
        "github.event.pull_request.head.sha",
        of("workflow_run", "workflow_run.head_sha"),
        of("check_run", "check_run.head_sha"),
        of("check_suite", "check_suite.head_sha"),
        of("status", "sha"),
        "github.event.merge_group.head_sha",
        "github.event.deployment.sha",
        Match("GITHUB_EVENT_NAME", f"(?:{OF_CHANGE})?", "{GITHUB_SHA}"),
        Partial(Match("GITHUB_EVENT_NAME", OTHERS, "{GITHUB_SHA}")),
    ),
    "unrelated_commit": (Match("GITHUB_EVENT_NAME", ELSEWHERE, "{GITHUB_SHA}"),),
    # All zeros for a new branch.
    "commit_before": ("github.event.before", "github.event.merge_group.base_sha"),
    "message": (
        "github.event.head_commit.message",
        "github.event.merge_group.head_commit.message",
        of("workflow_run", "workflow_run.head_commit.message"),
        of("check_suite", "check_suite.head_commit.message"),
        of("status", "commit.commit.message"),
    ),
    "repository": ("GITHUB_REPOSITORY",),
    "repository_url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",),
    "environment": ("github.event.deployment.environment",),
    "version": (*TAG, Match("GITHUB_REF_TYPE", "tag", "{GITHUB_REF_NAME}")),
    "workspace": ("GITHUB_WORKSPACE",),
}
# The file, since a workflow's name may change, and two may have the same. Of servers that do not tell it, the name.
IDENTITY = "GITHUB_REPOSITORY", (Match("GITHUB_WORKFLOW_REF", r"(.+?\.ya?ml|[^@]+)(?:@.*)?"), "GITHUB_WORKFLOW")

HEAD_OF_RUN = "github.event.workflow_run.head_branch"

# GitHub sends no larger payload: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
LARGEST_EVENT = 25 * 1024 * 1024


def variables_of_run(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the event's payload that the table names, and the variables that are not as they seem."""
    values = _event_values(environ)
    if re.fullmatch(ELSEWHERE, environ.get("GITHUB_EVENT_NAME", "")):
        values |= dict.fromkeys(("GITHUB_REF", "GITHUB_REF_NAME", "GITHUB_REF_TYPE"), "")
        # After a run of a merge queue: its branch is GitHub's own, and names the pull request.
        if values.get(HEAD_OF_RUN, "").startswith("gh-readonly-queue/"):
            values |= {"GITHUB_REF": f"refs/heads/{values[HEAD_OF_RUN]}", HEAD_OF_RUN: ""}
    # A deployment may be of a commit, in full or shortened, in place of a branch.
    ref = values.get("github.event.deployment.ref", "")
    if re.fullmatch("[0-9a-f]{7,40}", ref) and values["github.event.deployment.sha"].startswith(ref):
        values["github.event.deployment.ref"] = ""
    if re.fullmatch(f"(?!pull_request_target$)(?:{ELSEWHERE})", values.get("github.event.workflow_run.event", "")):
        # The run before this one was on the default branch, too, so its commit and branch are not the change's.
        values |= {name: "" for name in values if name.startswith("github.event.workflow_run.")}
    # Of a workflow in another repository, which the rules of an organisation can name, the repository remains.
    workflow = environ.get("GITHUB_WORKFLOW_REF", "")
    return {
        **values,
        "GITHUB_WORKFLOW_REF": workflow.removeprefix(f"{environ.get('GITHUB_REPOSITORY')}/"),
        # Gitea's ends in a slash.
        "GITHUB_SERVER_URL": environ.get("GITHUB_SERVER_URL", "").rstrip("/"),
    }


def _event_values(environ: Mapping[str, str]) -> dict[str, str]:
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            payload = json.loads(file.read(LARGEST_EVENT))
    except (OSError, ValueError, RecursionError) as error:
        log.warning(
            "the file of the event (GITHUB_EVENT_PATH) cannot be read, so commit, title and message may be missing: %s",
            error,
        )
        return {}
    names = re.findall(r"github\.event\.[\w.]+", str(list(TABLE.values())))
    return {name: _text_at(name.split(".")[2:], payload) for name in names}


def _text_at(path: list[str], value: Any) -> str:
    """Return a text, a number or a truth value as text; `{}` for an object, and nothing for all else."""
    for name in path:
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else ""
    return "{}" if isinstance(value, dict) else str(value) if isinstance(value, (str, int)) else ""


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "GitHub Actions",
        TABLE,
        recognised_by=("GITHUB_ACTIONS=true",),
        identity=IDENTITY,
        extra_variables=variables_of_run,
    )
)
