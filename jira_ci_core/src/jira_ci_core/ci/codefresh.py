"""Reads a Codefresh build.

https://codefresh.io/docs/docs/pipelines/variables/#system-provided-variables
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # CF_BUILD_ID is a hash. This is when the build was created, the same in all of its steps.
    "number": (Match("CF_BUILD_TIMESTAMP", "([0-9]+)"),),
    "url": ("CF_BUILD_URL",),
    "name": ("CF_PIPELINE_NAME",),
    # In a pull request the source branch; for a tag perhaps the tag.
    "branch": ("CF_BRANCH",),
    "source_branch": ("CF_PULL_REQUEST_HEAD_BRANCH", "CF_BRANCH"),
    "target_branch": ("CF_PULL_REQUEST_TARGET",),
    "tag": ("CF_RELEASE_TAG",),
    "pull_request": ("CF_PULL_REQUEST_NUMBER",),
    "pull_request_title": ("CF_PULL_REQUEST_TITLE",),
    "sha": ("CF_PULL_REQUEST_HEAD_COMMIT_SHA", "CF_REVISION"),
    # With quotes escaped.
    "message": (Partial("CF_COMMIT_MESSAGE"),),
    "commit_url": ("CF_COMMIT_URL",),
    "repository": ("{CF_REPO_OWNER}/{CF_REPO_NAME}",),
    "version": ("CF_RELEASE_TAG",),
    "workspace": ("{CF_VOLUME_PATH}/{CF_REPO_NAME}",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # The name is `project/pipeline`; no variable has the pipeline's id.
    reader("Codefresh", TABLE, recognised_by=("CF_BUILD_ID",), identity=("CF_ACCOUNT", "CF_PIPELINE_NAME"))
)
