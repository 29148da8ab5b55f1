"""Reads a GitLab CI job.

https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core import Pipeline, hookimpl, read_facts
from jira_ci_core.readers import commit_before

TABLE = {
    "number": ("CI_PIPELINE_IID",),
    "url": ("CI_PIPELINE_URL",),
    "status": ("CI_JOB_STATUS",),
    "id": ("CI_PROJECT_PATH",),
    "name": ("CI_PIPELINE_NAME", "CI_PROJECT_PATH"),
    "branch": (
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
        "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME",
        "CI_COMMIT_BRANCH",
        "CI_COMMIT_REF_NAME",
    ),
    "target_branch": ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME"),
    "tag": ("CI_COMMIT_TAG",),
    "pull_request": ("CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"),
    "pull_request_title": ("CI_MERGE_REQUEST_TITLE",),
    "sha": ("CI_COMMIT_SHA",),
    # The second is all zeros on merge requests.
    "commit_before": ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA"),
    "message": ("CI_COMMIT_MESSAGE",),
    "repository": ("CI_PROJECT_PATH",),
    "repository_url": ("CI_PROJECT_URL",),
    "environment": ("CI_ENVIRONMENT_NAME",),
    "version": ("CI_COMMIT_TAG",),
    "workspace": ("CI_PROJECT_DIR",),
}


@hookimpl(trylast=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """The run, where `GITLAB_CI=true` says that this is GitLab."""
    if environ.get("GITLAB_CI", "").lower() != "true":
        return None
    facts, origins = read_facts(environ, TABLE)
    if "tag" in facts:
        # On a tag the ref's name is the tag's.
        facts.pop("branch", None)
    if environ.get("CI_ENVIRONMENT_ACTION", "start") not in ("", "start"):
        # A job that stops, verifies or prepares an environment deploys nothing to it.
        facts.pop("environment", None)
    before = commit_before(facts.pop("commit_before", None), facts.get("sha"))
    if before:
        facts["commit_before"] = before
    if "repository_url" in facts and "sha" in facts:
        facts["commit_url"] = f"{facts['repository_url']}/-/commit/{facts['sha']}"
        origins["commit_url"] = "CI_PROJECT_URL, CI_COMMIT_SHA"
    known = {name: place for name, place in origins.items() if name in facts}
    return Pipeline.model_validate({**facts, "ci": "GitLab", "publishes_status": True, "origins": known})
