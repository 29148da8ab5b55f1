"""Reads an AppVeyor job.

https://www.appveyor.com/docs/environment-variables/
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("APPVEYOR_BUILD_NUMBER",),
    "url": ("{APPVEYOR_URL}/project/{APPVEYOR_ACCOUNT_NAME}/{APPVEYOR_PROJECT_SLUG}/builds/{APPVEYOR_BUILD_ID}",),
    "name": ("APPVEYOR_PROJECT_NAME", "APPVEYOR_PROJECT_SLUG"),
    # In a pull request, the target branch.
    "branch": ("APPVEYOR_REPO_BRANCH",),
    "source_branch": ("APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH",),
    "target_branch": ("APPVEYOR_REPO_BRANCH",),
    "tag": (Match("APPVEYOR_REPO_TAG", "(?:true)?", "{APPVEYOR_REPO_TAG_NAME}"),),
    "pull_request": ("APPVEYOR_PULL_REQUEST_NUMBER",),
    "pull_request_title": ("APPVEYOR_PULL_REQUEST_TITLE",),
    "sha": ("APPVEYOR_PULL_REQUEST_HEAD_COMMIT", "APPVEYOR_REPO_COMMIT"),
    # The first line and the rest are separate variables.
    "message": (
        "{APPVEYOR_REPO_COMMIT_MESSAGE}\n\n{APPVEYOR_REPO_COMMIT_MESSAGE_EXTENDED}",
        "APPVEYOR_REPO_COMMIT_MESSAGE",
    ),
    "repository": ("APPVEYOR_REPO_NAME",),
    "version": ("APPVEYOR_BUILD_VERSION",),
    "workspace": ("APPVEYOR_BUILD_FOLDER",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "AppVeyor",
        TABLE,
        recognised_by=("APPVEYOR=true",),
        identity=("APPVEYOR_ACCOUNT_NAME", "APPVEYOR_PROJECT_SLUG"),
    )
)
