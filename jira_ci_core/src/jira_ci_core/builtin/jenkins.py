"""Reads a Jenkins build, of a multibranch pipeline or any other job.

https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
https://plugins.jenkins.io/git/#plugin-content-environment-variables
"""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core import Pipeline, hookimpl, read_facts
from jira_ci_core.readers import commit_before
from jira_ci_core.urls import browsable

TABLE = {
    "number": ("BUILD_NUMBER",),
    "url": ("BUILD_URL",),
    "id": ("JOB_NAME",),
    "name": ("JOB_NAME",),
    "branch": ("CHANGE_BRANCH", "BRANCH_NAME", "GIT_LOCAL_BRANCH", "GIT_BRANCH"),
    "target_branch": ("CHANGE_TARGET",),
    "tag": ("TAG_NAME",),
    "pull_request": ("CHANGE_ID",),
    "pull_request_title": ("CHANGE_TITLE",),
    "sha": ("GIT_COMMIT",),
    "commit_before": ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", "GIT_PREVIOUS_COMMIT"),
    "repository_url": ("GIT_URL", "GIT_URL_1"),
    "version": ("TAG_NAME",),
    "workspace": ("WORKSPACE",),
}


@hookimpl(trylast=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """The run, where `JENKINS_URL` says that this is Jenkins."""
    if not environ.get("JENKINS_URL"):
        return None
    facts, origins = read_facts(environ, TABLE)
    if "tag" in facts:
        # On a tag BRANCH_NAME is the tag's.
        facts.pop("branch", None)
    if origins.get("branch") == "GIT_BRANCH" and "branch" in facts:
        facts["branch"] = facts["branch"].removeprefix("origin/")
    before = commit_before(facts.pop("commit_before", None), facts.get("sha"))
    if before:
        facts["commit_before"] = before
    url = browsable(facts.pop("repository_url", ""))
    if url:
        facts["repository_url"], facts["repository"] = url, url.split("/", 3)[3]
        origins["repository"] = origins["repository_url"]
    known = {name: place for name, place in origins.items() if name in facts}
    return Pipeline.model_validate({**facts, "ci": "Jenkins", "origins": known})
