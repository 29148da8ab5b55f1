"""Reads a Semaphore job.

https://docs.semaphore.io/reference/env-vars
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # Each branch, tag and pull request has its own numbers.
    "number": ("SEMAPHORE_WORKFLOW_NUMBER",),
    "url": ("{SEMAPHORE_ORGANIZATION_URL}/workflows/{SEMAPHORE_WORKFLOW_ID}?pipeline_id={SEMAPHORE_PIPELINE_ID}",),
    # The first is set in jobs after the pipeline, the second in the epilogue of a job.
    "status": ("SEMAPHORE_PIPELINE_RESULT", "SEMAPHORE_JOB_RESULT"),
    "name": ("SEMAPHORE_PROJECT_NAME",),
    # In a pull request SEMAPHORE_GIT_BRANCH is the target branch.
    "branch": ("SEMAPHORE_GIT_WORKING_BRANCH", "SEMAPHORE_GIT_BRANCH"),
    "source_branch": ("SEMAPHORE_GIT_PR_BRANCH", "SEMAPHORE_GIT_WORKING_BRANCH"),
    "target_branch": ("SEMAPHORE_GIT_BRANCH",),
    "tag": ("SEMAPHORE_GIT_TAG_NAME",),
    "pull_request": ("SEMAPHORE_GIT_PR_NUMBER",),
    "pull_request_title": ("SEMAPHORE_GIT_PR_NAME",),
    "sha": ("SEMAPHORE_GIT_PR_SHA", "SEMAPHORE_GIT_SHA"),
    "commit_before": (Match("SEMAPHORE_GIT_COMMIT_RANGE", r"([0-9a-f]+)\.{2,3}.*"),),
    "repository": ("SEMAPHORE_GIT_REPO_SLUG",),
    "repository_url": ("SEMAPHORE_GIT_URL",),
    "version": ("SEMAPHORE_GIT_TAG_NAME",),
    "started": ("SEMAPHORE_PIPELINE_STARTED_AT", "SEMAPHORE_JOB_CREATION_TIME"),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Semaphore",
        TABLE,
        recognised_by=("SEMAPHORE=true",),
        # The id stays if the project is renamed. A workflow has several pipelines: it is promoted from one to the next.
        # What has its own numbers is a pipeline of its own.
        identity=(
            "SEMAPHORE_PROJECT_ID",
            "SEMAPHORE_PIPELINE_NAME",
            Match("SEMAPHORE_GIT_REF_TYPE", "branch", "{SEMAPHORE_GIT_BRANCH}"),
            Match("SEMAPHORE_GIT_REF_TYPE", "tag", "tag/{SEMAPHORE_GIT_TAG_NAME}"),
            Match("SEMAPHORE_GIT_REF_TYPE", "pull-request", "pull/{SEMAPHORE_GIT_PR_NUMBER}"),
        ),
    )
)
