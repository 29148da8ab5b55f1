"""Reads a Drone step.

https://docs.drone.io/pipeline/environment/reference/
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("DRONE_BUILD_NUMBER",),
    "url": ("DRONE_BUILD_LINK",),
    # The status of this stage so far.
    "status": ("DRONE_BUILD_STATUS",),
    "name": ("{DRONE_REPO}/{DRONE_STAGE_NAME}", "DRONE_REPO"),
    # In a pull request, the target branch.
    "branch": ("DRONE_COMMIT_BRANCH", "DRONE_BRANCH"),
    "source_branch": ("DRONE_SOURCE_BRANCH",),
    "target_branch": ("DRONE_TARGET_BRANCH", "DRONE_COMMIT_BRANCH", "DRONE_BRANCH"),
    "tag": ("DRONE_TAG",),
    "pull_request": ("DRONE_PULL_REQUEST",),
    "pull_request_title": ("DRONE_PULL_REQUEST_TITLE",),
    "pull_request_description": (
        Partial(Match("DRONE_COMMIT_MESSAGE", "(.{2000,})"), 2000),
        "DRONE_COMMIT_MESSAGE",
    ),
    "sha": ("DRONE_COMMIT_SHA", "DRONE_COMMIT"),
    "commit_before": ("DRONE_COMMIT_BEFORE",),
    # In a pull request, and after a forge's deployment, its description; 2000 characters of it:
    # https://github.com/drone/drone/blob/v2.26.0/service/hook/parser/parse.go, trigger/trigger.go
    "message": (Partial("DRONE_COMMIT_MESSAGE", 2000),),
    "commit_url": ("DRONE_COMMIT_LINK",),
    "repository": ("DRONE_REPO",),
    "repository_url": ("DRONE_REPO_LINK",),
    "environment": ("DRONE_DEPLOY_TO",),
    "version": ("DRONE_SEMVER",),
    # The start of this stage.
    "started": ("DRONE_STAGE_STARTED",),
    "workspace": ("DRONE_WORKSPACE",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Drone", TABLE, recognised_by=("DRONE=true", "DRONE_BUILD_NUMBER"), identity=("DRONE_REPO", "DRONE_STAGE_NAME")
    )
)
