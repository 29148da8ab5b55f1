"""Reads a Woodpecker step.

https://woodpecker-ci.org/docs/usage/environment
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

# CI_BUILD_… are the names before version 2.0.
TABLE: VariableTable = {
    "number": ("CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"),
    # The status of the workflow right before this step.
    "status": ("CI_PIPELINE_STATUS",),
    "url": ("CI_PIPELINE_URL", "CI_PIPELINE_LINK", "CI_BUILD_LINK"),
    "name": ("{CI_REPO}/{CI_WORKFLOW_NAME}", "CI_REPO"),
    # In a pull request, the target branch; for a tag, refs/tags/x with some forges.
    "branch": ("CI_COMMIT_BRANCH",),
    "source_branch": ("CI_COMMIT_SOURCE_BRANCH",),
    "target_branch": ("CI_COMMIT_TARGET_BRANCH", "CI_COMMIT_BRANCH"),
    "tag": ("CI_COMMIT_TAG",),
    "pull_request": ("CI_COMMIT_PULL_REQUEST",),
    "sha": ("CI_COMMIT_SHA",),
    "commit_before": ("CI_PREV_COMMIT_SHA",),
    # In a pull request most forges put the title here, and the others the message.
    "pull_request_title": (Match("CI_COMMIT_MESSAGE", r"([^\n]+).*"),),
    # Of a deployment what the forge was told of it, and of a tag perhaps `created tag v1`:
    # https://github.com/woodpecker-ci/woodpecker/blob/v3.13.0/server/forge/github/parse.go
    "message": (Partial("CI_COMMIT_MESSAGE"),),
    "commit_url": (Match("CI_PIPELINE_FORGE_URL", "(.+/commits?/.+)"), "CI_COMMIT_URL", "CI_COMMIT_LINK"),
    "repository": ("CI_REPO",),
    "repository_url": ("CI_REPO_URL", "CI_REPO_LINK"),
    "environment": ("CI_PIPELINE_DEPLOY_TARGET", "CI_BUILD_DEPLOY_TARGET"),
    "version": ("CI_COMMIT_TAG",),
    "started": ("CI_PIPELINE_STARTED", "CI_BUILD_STARTED"),
    "workspace": ("CI_WORKSPACE",),
}


def corrected(environ: Mapping[str, str]) -> dict[str, str]:
    """Unset the previous commit if it belongs to another branch or pull request, and a status that says nothing.

    So is a message that is no commit's: what was typed to start a run by hand, or the name of a cron job.
    https://github.com/woodpecker-ci/woodpecker/blob/v3.13.0/server/api/pipeline.go, server/cron/cron.go

    Before 3.0 the status of the pipeline was always `success`, and so was that of the step, which is gone since:
    https://woodpecker-ci.org/migrations#environment-variables. From 3.15 on the former is set again, and right:
    https://github.com/woodpecker-ci/woodpecker/pull/6516. A version may be no number, such as `next-dd644da3`.
    """
    current, previous = (
        [environ.get(f"{prefix}_{name}") or "" for name in ("BRANCH", "SOURCE_BRANCH")]
        for prefix in ("CI_COMMIT", "CI_PREV_COMMIT")
    )
    version = environ.get("CI_SYSTEM_VERSION", "").strip()
    major = re.match("v?([0-9]+)", version)
    is_old = int(major[1]) < 3 if major else not version or bool(environ.get("CI_STEP_STATUS"))
    event = environ.get("CI_PIPELINE_EVENT") or environ.get("CI_BUILD_EVENT") or ""
    return {
        **({} if current == previous else {"CI_PREV_COMMIT_SHA": ""}),
        **({"CI_PIPELINE_STATUS": ""} if is_old else {}),
        **({"CI_COMMIT_MESSAGE": ""} if event.strip().lower() in ("manual", "cron") else {}),
    }


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Woodpecker",
        TABLE,
        recognised_by=("CI=woodpecker", "CI_SYSTEM_NAME=woodpecker"),
        identity=("CI_REPO", "CI_WORKFLOW_NAME"),
        extra_variables=corrected,
        status_may_be_missing=True,
    )
)
