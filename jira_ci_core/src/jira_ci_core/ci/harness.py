"""Reads a Harness CI step.

https://developer.harness.io/docs/continuous-integration/troubleshoot-ci/ci-env-var/
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("HARNESS_BUILD_ID", "CI_BUILD_NUMBER", "DRONE_BUILD_NUMBER"),
    "url": ("CI_BUILD_LINK", "DRONE_BUILD_LINK"),
    # The status of this stage so far; stages before it may have failed.
    "status": ("DRONE_BUILD_STATUS", "CI_BUILD_STATUS"),
    "failed_stages": ("DRONE_FAILED_STAGES",),
    "name": ("HARNESS_PIPELINE_ID",),
    # In a pull request, the target branch; for a tag, refs/tags/x.
    "branch": ("DRONE_COMMIT_BRANCH", "DRONE_BRANCH", "CI_COMMIT_BRANCH"),
    "source_branch": ("DRONE_SOURCE_BRANCH",),
    "target_branch": ("DRONE_TARGET_BRANCH", "DRONE_COMMIT_BRANCH", "DRONE_BRANCH"),
    "tag": ("DRONE_TAG",),
    "pull_request": ("DRONE_PULL_REQUEST",),
    "pull_request_title": ("DRONE_PULL_REQUEST_TITLE",),
    "pull_request_description": (
        Partial(Match("DRONE_COMMIT_MESSAGE", "(.{2000,})"), 2000),
        "DRONE_COMMIT_MESSAGE",
    ),
    "sha": ("DRONE_COMMIT_SHA", "DRONE_COMMIT", "CI_COMMIT_SHA"),
    "commit_before": ("DRONE_COMMIT_BEFORE",),
    # As in Drone: it may be cut, or a description.
    "message": (Partial("DRONE_COMMIT_MESSAGE", 2000), Partial("CI_COMMIT_MESSAGE", 2000)),
    "commit_url": ("DRONE_COMMIT_LINK",),
    "repository": ("DRONE_REPO",),
    "repository_url": ("DRONE_REPO_LINK",),
    "version": ("DRONE_SEMVER",),
    # The start of this stage.
    "started": ("DRONE_STAGE_STARTED",),
    "workspace": ("DRONE_WORKSPACE", "HARNESS_WORKSPACE"),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Harness",
        TABLE,
        # Harness sets DRONE=true as well.
        recognised_by=("HARNESS_PIPELINE_ID",),
        identity=("HARNESS_ACCOUNT_ID", "HARNESS_ORG_ID", "HARNESS_PROJECT_ID", "HARNESS_PIPELINE_ID"),
    )
)
