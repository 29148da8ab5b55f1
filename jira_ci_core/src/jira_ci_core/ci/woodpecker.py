"""Reads a Woodpecker step.

https://woodpecker-ci.org/docs/usage/environment
"""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core import Match, VariableTable, hookimpl, reader

# CI_BUILD_… are the names before version 2.0. CI_PIPELINE_STATUS is not used: it was always `success`, and is gone.
TABLE: VariableTable = {
    "number": ("CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"),
    "url": ("CI_PIPELINE_URL", "CI_PIPELINE_LINK", "CI_BUILD_LINK"),
    "name": ("CI_REPO",),
    # In a pull request, the target branch; for a tag, refs/tags/x with some forges.
    "branch": ("CI_COMMIT_BRANCH",),
    "source_branch": ("CI_COMMIT_SOURCE_BRANCH",),
    "target_branch": ("CI_COMMIT_TARGET_BRANCH", "CI_COMMIT_BRANCH"),
    "tag": ("CI_COMMIT_TAG",),
    "pull_request": ("CI_COMMIT_PULL_REQUEST",),
    "sha": ("CI_COMMIT_SHA",),
    "commit_before": ("CI_PREV_COMMIT_SHA",),
    # In a pull request most forges put the title here.
    "message": ("CI_COMMIT_MESSAGE",),
    "commit_url": (Match("CI_PIPELINE_FORGE_URL", "(.+/commits?/.+)"), "CI_COMMIT_URL", "CI_COMMIT_LINK"),
    "repository": ("CI_REPO",),
    "repository_url": ("CI_REPO_URL", "CI_REPO_LINK"),
    "environment": ("CI_PIPELINE_DEPLOY_TARGET", "CI_BUILD_DEPLOY_TARGET"),
    "version": ("CI_COMMIT_TAG",),
    "started": ("CI_PIPELINE_STARTED", "CI_BUILD_STARTED"),
    "workspace": ("CI_WORKSPACE",),
}


def without_unrelated_commit(environ: Mapping[str, str]) -> dict[str, str]:
    """Unset the previous commit if it belongs to another branch or pull request."""
    current, previous = (
        [environ.get(f"{prefix}_{name}") or "" for name in ("BRANCH", "SOURCE_BRANCH")]
        for prefix in ("CI_COMMIT", "CI_PREV_COMMIT")
    )
    return {} if current == previous else {"CI_PREV_COMMIT_SHA": ""}


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Woodpecker",
        TABLE,
        recognised_by=("CI=woodpecker", "CI_SYSTEM_NAME=woodpecker"),
        identity=("CI_REPO", "CI_WORKFLOW_NAME"),
        extra_variables=without_unrelated_commit,
    )
)
