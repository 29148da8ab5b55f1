"""Reads a Screwdriver build.

https://docs.screwdriver.cd/user-guide/environment-variables
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # The event is the run, and each of its jobs is a build. A restart is a new event.
    "number": (Match("SD_EVENT_ID", "([0-9]+)"),),
    "url": ("SD_UI_BUILD_URL",),
    # Set only in steps whose name begins with `teardown-`.
    "status": (Match("SD_STEP_EXIT_CODE", "0", "success"), Match("SD_STEP_EXIT_CODE", ".+", "failed")),
    "name": ("SD_PIPELINE_NAME",),
    # origin/main; in a pull request origin/refs/pull/7/head:pr.
    "branch": (Match("GIT_BRANCH", "(?:origin/)?(?!refs/)(.+)"),),
    "source_branch": (Match("PR_BRANCH_NAME", "(?:origin/|upstream/)?(.+)"),),
    "target_branch": ("PR_BASE_BRANCH_NAME",),
    "pull_request": ("SD_PULL_REQUEST",),
    "sha": ("SD_BUILD_SHA",),
    "repository_url": ("SCM_URL", "GIT_URL"),
    "workspace": ("SD_SOURCE_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Screwdriver",
        TABLE,
        recognised_by=("SCREWDRIVER=true",),
        # A number, which stays if the repository is renamed.
        identity=("SD_PIPELINE_ID",),
    )
)
