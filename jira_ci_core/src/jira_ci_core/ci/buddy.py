"""Reads a Buddy pipeline run. The names with EXECUTION are the older ones.

https://buddy.works/docs/pipelines/variables/default-variables
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # Counts the runs of the pipeline.
    "number": (Match("BUDDY_RUN_ID", "([0-9]+)"), Match("BUDDY_EXECUTION_ID", "([0-9]+)")),
    "url": ("BUDDY_RUN_URL", "BUDDY_EXECUTION_URL"),
    "name": ("BUDDY_PIPELINE_NAME",),
    "branch": ("BUDDY_RUN_BRANCH", "BUDDY_EXECUTION_BRANCH"),
    "source_branch": ("BUDDY_RUN_PR_HEAD_BRANCH", "BUDDY_EXECUTION_PULL_REQUEST_HEAD_BRANCH"),
    "target_branch": ("BUDDY_RUN_PR_BASE_BRANCH", "BUDDY_EXECUTION_PULL_REQUEST_BASE_BRANCH"),
    "tag": ("BUDDY_RUN_TAG", "BUDDY_EXECUTION_TAG"),
    # The id is `pull/7`.
    "pull_request": (
        "BUDDY_RUN_PR_NO",
        "BUDDY_EXECUTION_PULL_REQUEST_NO",
        Match("BUDDY_RUN_PR_ID", "(?:pull/)?([0-9]+)"),
        Match("BUDDY_EXECUTION_PULL_REQUEST_ID", "(?:pull/)?([0-9]+)"),
    ),
    "sha": ("BUDDY_RUN_COMMIT", "BUDDY_EXECUTION_REVISION"),
    "message": (Partial("BUDDY_RUN_COMMIT_MESSAGE"), Partial("BUDDY_EXECUTION_REVISION_MESSAGE")),
    "repository": ("BUDDY_REPO_SLUG",),
    "repository_url": ("BUDDY_SCM_URL", "BUDDY_REPO_SSH_URL"),
    "version": ("BUDDY_RUN_TAG", "BUDDY_EXECUTION_TAG"),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Buddy",
        TABLE,
        recognised_by=("BUDDY=true", "BUDDY_WORKSPACE_ID"),
        # A number, which stays if the pipeline is renamed.
        identity=("BUDDY_PIPELINE_ID",),
    )
)
