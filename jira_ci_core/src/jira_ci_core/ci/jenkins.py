"""Reads a Jenkins build, of a multibranch pipeline or of any other job.

https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
https://plugins.jenkins.io/git/#plugin-content-environment-variables
https://plugins.jenkins.io/branch-api/
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("BUILD_NUMBER",),
    "url": ("BUILD_URL",),
    "name": ("JOB_NAME",),
    # BRANCH_NAME is the tag's name for a tag, and PR-7 in a pull request. The git plugin sets the other two.
    "branch": ("BRANCH_NAME", "GIT_LOCAL_BRANCH", Match("GIT_BRANCH", "(?!detached$)(?:origin/)?(.+)")),
    "source_branch": ("CHANGE_BRANCH",),
    "target_branch": ("CHANGE_TARGET",),
    "tag": ("TAG_NAME",),
    "pull_request": ("CHANGE_ID",),
    "pull_request_title": ("CHANGE_TITLE",),
    "sha": ("GIT_COMMIT",),
    # In a job's first build they are not set, or `null`.
    "commit_before": ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", "GIT_PREVIOUS_COMMIT"),
    "repository_url": ("GIT_URL", "GIT_URL_1"),
    "version": ("TAG_NAME",),
    "workspace": ("WORKSPACE",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # In a multibranch pipeline each branch is a job, with its own name and numbers.
    reader("Jenkins", TABLE, recognised_by=("JENKINS_URL",), identity=("JOB_NAME",))
)
