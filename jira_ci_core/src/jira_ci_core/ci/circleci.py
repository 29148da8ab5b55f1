"""Reads a CircleCI job.

https://circleci.com/docs/reference/variables/
https://circleci.com/docs/guides/toolkit/how-to-find-ids/
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # CIRCLE_BUILD_NUM is the job's, and another one in each rerun. The run's number is a value of the configuration
    # alone, pipeline.number, and has to be passed in as RUN_NUMBER; in the environment there is only the run's UUID.
    "number": ("CIRCLE_PIPELINE_ID",),
    "url": ("CIRCLE_BUILD_URL",),
    "name": ("CIRCLE_JOB",),
    "branch": ("CIRCLE_BRANCH",),
    # pull/7 where it comes from a fork.
    "source_branch": (Match("CIRCLE_BRANCH", "(?!pull/[0-9]+$)(.+)"),),
    "tag": ("CIRCLE_TAG",),
    # A link; the number by itself is there for forks only.
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
        known_by=("CIRCLECI=true",),
        identity=("CIRCLE_PROJECT_USERNAME", "CIRCLE_PROJECT_REPONAME", "CIRCLE_JOB"),
    )
)
