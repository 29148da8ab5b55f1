"""Reads a CircleCI job.

https://circleci.com/docs/reference/variables/
https://circleci.com/docs/guides/toolkit/how-to-find-ids/
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # The number of the job, which grows within a project, reruns included. The number of the run, pipeline.number,
    # exists only in the configuration; the environment has no more than its UUID, which orders nothing.
    "number": ("CIRCLE_BUILD_NUM",),
    "url": ("CIRCLE_BUILD_URL",),
    "name": ("CIRCLE_JOB",),
    "branch": ("CIRCLE_BRANCH",),
    # For a pull request from a fork, CIRCLE_BRANCH is pull/7.
    "source_branch": (Match("CIRCLE_BRANCH", "(?!pull/[0-9]+$)(.+)"),),
    "tag": ("CIRCLE_TAG",),
    # CIRCLE_PR_NUMBER is set for forks only; CIRCLE_PULL_REQUEST is a link.
    "pull_request": ("CIRCLE_PR_NUMBER", Match("CIRCLE_PULL_REQUEST", ".+/([0-9]+)/?")),
    "sha": ("CIRCLE_SHA1",),
    "repository": ("{CIRCLE_PROJECT_USERNAME}/{CIRCLE_PROJECT_REPONAME}",),
    "repository_url": ("CIRCLE_REPOSITORY_URL",),
    "version": ("CIRCLE_TAG",),
    "workspace": (Match("CIRCLE_WORKING_DIRECTORY", "(/.+)"),),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "CircleCI",
        TABLE,
        recognised_by=("CIRCLECI=true",),
        # A project from GitLab or of the GitHub App has no name in the variables, and a name may change.
        identity=(("CIRCLE_PROJECT_ID", "{CIRCLE_PROJECT_USERNAME}/{CIRCLE_PROJECT_REPONAME}"), "CIRCLE_JOB"),
    )
)
