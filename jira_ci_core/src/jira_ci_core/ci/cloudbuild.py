"""Reads a Google Cloud Build step. Substitutions are variables only if the step maps them.

https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
"""

from __future__ import annotations

from jira_ci_core import VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # Cloud Build does not number its builds: BUILD_ID is a UUID.
    "url": (
        "https://console.cloud.google.com/cloud-build/builds;region={LOCATION}/{BUILD_ID}?project={PROJECT_ID}",
        "https://console.cloud.google.com/cloud-build/builds/{BUILD_ID}?project={PROJECT_ID}",
    ),
    "name": ("TRIGGER_NAME",),
    # In a pull request, the source branch.
    "branch": ("BRANCH_NAME",),
    "source_branch": ("_HEAD_BRANCH", "BRANCH_NAME"),
    "target_branch": ("_BASE_BRANCH",),
    "tag": ("TAG_NAME",),
    "pull_request": ("_PR_NUMBER",),
    "sha": ("COMMIT_SHA", "REVISION_ID"),
    "repository": ("REPO_FULL_NAME", "REPO_NAME"),
    "repository_url": ("_HEAD_REPO_URL",),
    "version": ("TAG_NAME",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Google Cloud Build",
        TABLE,
        recognised_by=("BUILD_ID and PROJECT_ID",),
        # Without its trigger, no build would differ from another of the project.
        identity=(("{PROJECT_ID}/{LOCATION}/{TRIGGER_NAME}", "{PROJECT_ID}/{TRIGGER_NAME}"),),
    )
)
