"""Reads an Xcode Cloud build, in one of its custom scripts.

https://developer.apple.com/documentation/xcode/environment-variable-reference
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("CI_BUILD_NUMBER",),
    "url": ("CI_BUILD_URL",),
    # Set only in ci_post_xcodebuild.sh.
    "status": (Match("CI_XCODEBUILD_EXIT_CODE", "0", "success"), Match("CI_XCODEBUILD_EXIT_CODE", ".+", "failed")),
    "name": ("CI_WORKFLOW",),
    "branch": ("CI_BRANCH",),
    "source_branch": ("CI_PULL_REQUEST_SOURCE_BRANCH",),
    "target_branch": ("CI_PULL_REQUEST_TARGET_BRANCH",),
    "tag": ("CI_TAG",),
    "pull_request": ("CI_PULL_REQUEST_NUMBER",),
    "sha": ("CI_PULL_REQUEST_SOURCE_COMMIT", "CI_COMMIT"),
    "repository": ("CI_PULL_REQUEST_TARGET_REPO",),
    "version": ("CI_TAG",),
    "workspace": ("CI_PRIMARY_REPOSITORY_PATH",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # The id stays if the workflow is renamed.
    reader("Xcode Cloud", TABLE, recognised_by=("CI_XCODE_CLOUD=true",), identity=("CI_WORKFLOW_ID",))
)
