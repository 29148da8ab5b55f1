"""Reads a Google Cloud Build step. Substitutions are variables only if the step maps them.

https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds#Results (BUILDER_OUTPUT)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from jira_ci_core import Pipeline, VariableTable, hookimpl, reader

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

UUID = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

_read = reader(
    "Google Cloud Build",
    TABLE,
    recognised_by=("BUILDER_OUTPUT", "BUILD_ID and PROJECT_ID"),
    # Without its trigger, no build would differ from another of the project.
    identity=(("{PROJECT_ID}/{LOCATION}/{TRIGGER_NAME}", "{PROJECT_ID}/{TRIGGER_NAME}"),),
)


@hookimpl(trylast=True)
@functools.wraps(_read)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """Other systems set BUILD_ID and PROJECT_ID, too; here BUILD_ID is a UUID."""
    is_known = environ.get("BUILDER_OUTPUT") or UUID.fullmatch(environ.get("BUILD_ID", ""))
    return _read(environ) if is_known else None
