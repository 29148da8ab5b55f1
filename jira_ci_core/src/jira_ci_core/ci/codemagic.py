"""Reads a Codemagic build.

https://docs.codemagic.io/yaml-basic-configuration/environment-variables/
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # Of the project, so that it grows in each workflow, and goes on if one is renamed.
    "number": ("PROJECT_BUILD_NUMBER",),
    "url": ("https://codemagic.io/app/{CM_PROJECT_ID}/build/{CM_BUILD_ID}",),
    "name": ("CM_WORKFLOW_NAME",),
    # In a pull request, the source branch.
    "branch": ("CM_BRANCH",),
    "source_branch": ("CM_BRANCH",),
    "target_branch": ("CM_PULL_REQUEST_DEST",),
    "tag": ("CM_TAG",),
    "pull_request": (Match("CM_PULL_REQUEST", "true", "{CM_PULL_REQUEST_NUMBER}"),),
    "sha": ("CM_COMMIT",),
    "commit_before": ("CM_PREVIOUS_COMMIT",),
    "repository": ("CM_REPO_SLUG",),
    "version": ("CM_TAG",),
    "workspace": ("CM_BUILD_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # No variable has the id of the workflow.
    reader("Codemagic", TABLE, recognised_by=("CM_BUILD_ID",), identity=("CM_PROJECT_ID", "CM_WORKFLOW_NAME"))
)
