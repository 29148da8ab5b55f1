"""Reads a Harness CI step.

https://developer.harness.io/docs/continuous-integration/troubleshoot-ci/ci-env-var/
"""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core import Pipeline, hookimpl, read_facts
from jira_ci_core.builtin.drone import change
from jira_ci_core.readers import identity

TABLE = {
    "number": ("HARNESS_BUILD_ID", "CI_BUILD_NUMBER", "DRONE_BUILD_NUMBER"),
    "url": ("CI_BUILD_LINK", "DRONE_BUILD_LINK"),
    "status": ("DRONE_BUILD_STATUS", "CI_BUILD_STATUS"),
    "name": ("HARNESS_PIPELINE_ID",),
    "branch": ("DRONE_COMMIT_BRANCH", "DRONE_BRANCH", "CI_COMMIT_BRANCH"),
    "source_branch": ("DRONE_SOURCE_BRANCH",),
    "target_branch": ("DRONE_TARGET_BRANCH",),
    "tag": ("DRONE_TAG",),
    "pull_request": ("DRONE_PULL_REQUEST",),
    "pull_request_title": ("DRONE_PULL_REQUEST_TITLE",),
    "sha": ("DRONE_COMMIT_SHA", "DRONE_COMMIT", "CI_COMMIT_SHA"),
    "commit_before": ("DRONE_COMMIT_BEFORE",),
    "message": ("DRONE_COMMIT_MESSAGE", "CI_COMMIT_MESSAGE"),
    "commit_url": ("DRONE_COMMIT_LINK",),
    "repository": ("DRONE_REPO",),
    "repository_url": ("DRONE_REPO_LINK",),
    "version": ("DRONE_SEMVER",),
    "workspace": ("DRONE_WORKSPACE", "HARNESS_WORKSPACE"),
}

# Fixed from the first release: a change would split the history in Jira.
IDENTITY = "HARNESS_ACCOUNT_ID", "HARNESS_ORG_ID", "HARNESS_PROJECT_ID", "HARNESS_PIPELINE_ID"


@hookimpl(trylast=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """The run, where `HARNESS_PIPELINE_ID` says that this is Harness (`DRONE=true` is set there too)."""
    facts, origins = read_facts(environ, TABLE)
    if "name" not in facts:
        return None
    facts["id"], origins["id"] = identity(environ, IDENTITY)
    return change("Harness", facts, origins)
