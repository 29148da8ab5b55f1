"""Reads a Bitbucket Pipelines step.

https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("BITBUCKET_BUILD_NUMBER",),
    "url": (
        "{BITBUCKET_GIT_HTTP_ORIGIN}/addon/pipelines/home#!/results/{BITBUCKET_BUILD_NUMBER}",
        "https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/addon/pipelines/home#!/results/{BITBUCKET_BUILD_NUMBER}",
    ),
    # Set in after-script only.
    "status": (Match("BITBUCKET_EXIT_CODE", "0", "success"), Match("BITBUCKET_EXIT_CODE", ".+", "failed")),
    "name": ("BITBUCKET_REPO_FULL_NAME",),
    # Not set for tags; in a pull request, the source branch.
    "branch": ("BITBUCKET_BRANCH",),
    "source_branch": ("BITBUCKET_BRANCH",),
    "target_branch": ("BITBUCKET_PR_DESTINATION_BRANCH",),
    "tag": ("BITBUCKET_TAG",),
    "pull_request": ("BITBUCKET_PR_ID",),
    "sha": ("BITBUCKET_COMMIT",),
    "repository": ("BITBUCKET_REPO_FULL_NAME",),
    "repository_url": ("BITBUCKET_GIT_HTTP_ORIGIN",),
    "environment": ("BITBUCKET_DEPLOYMENT_ENVIRONMENT",),
    "version": ("BITBUCKET_TAG",),
    "workspace": ("BITBUCKET_CLONE_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Bitbucket Pipelines",
        TABLE,
        recognised_by=("BITBUCKET_BUILD_NUMBER",),
        # A repository's name may change.
        identity=(("BITBUCKET_REPO_UUID", "BITBUCKET_REPO_FULL_NAME"),),
    )
)
