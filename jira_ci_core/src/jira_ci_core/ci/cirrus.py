"""Reads a Cirrus CI task.

https://cirrus-ci.org/guide/writing-tasks/#environment-variables
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

# CIRRUS_BUILD_ID is unique, but nothing says that it grows: so no number.
TABLE: VariableTable = {
    "url": ("https://cirrus-ci.com/build/{CIRRUS_BUILD_ID}",),
    "name": ("CIRRUS_REPO_FULL_NAME",),
    # In a pull request from a fork, pull/7.
    "branch": ("CIRRUS_BRANCH",),
    "source_branch": (Match("CIRRUS_BRANCH", "(?!pull/[0-9]+$)(.+)"),),
    "target_branch": ("CIRRUS_BASE_BRANCH",),
    "tag": ("CIRRUS_TAG",),
    "pull_request": ("CIRRUS_PR",),
    "pull_request_title": ("CIRRUS_PR_TITLE",),
    "pull_request_description": ("CIRRUS_PR_BODY",),
    "sha": ("CIRRUS_CHANGE_IN_REPO",),
    "commit_before": ("CIRRUS_LAST_GREEN_CHANGE",),
    # In a pull request, its title and description.
    "message": (Match("CIRRUS_PR", "", "{CIRRUS_CHANGE_MESSAGE}"),),
    "repository": ("CIRRUS_REPO_FULL_NAME",),
    "repository_url": ("CIRRUS_REPO_CLONE_URL",),
    "version": ("CIRRUS_TAG",),
    "workspace": ("CIRRUS_WORKING_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader("Cirrus CI", TABLE, recognised_by=("CIRRUS_CI=true",), identity=("CIRRUS_REPO_FULL_NAME",))
)
