"""Reads a Jenkins build, of a multibranch pipeline or of any other job.

https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
https://plugins.jenkins.io/git/#plugin-content-environment-variables
https://plugins.jenkins.io/branch-api/
https://plugins.jenkins.io/gitlab-plugin/#plugin-content-defined-variables
https://plugins.jenkins.io/ghprb/#plugin-content-environment-variables
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from jira_ci_core import Git, GitError, Match, Pipeline, VariableTable, hookimpl, reader, work_tree

TABLE: VariableTable = {
    "number": ("BUILD_NUMBER",),
    "url": ("BUILD_URL",),
    "name": ("JOB_NAME",),
    # BRANCH_NAME is the tag's name for a tag, and PR-7 in a pull request. The git plugin sets the two that follow.
    "branch": (
        "BRANCH_NAME",
        "GIT_LOCAL_BRANCH",
        Match("GIT_BRANCH", "(?!detached$)(.+)"),
        "gitlabSourceBranch",
    ),
    # Of multibranch pipelines, the gitlab plugin and the GitHub Pull Request Builder.
    "source_branch": ("CHANGE_BRANCH", "gitlabSourceBranch", "ghprbSourceBranch"),
    "target_branch": ("CHANGE_TARGET", "gitlabTargetBranch", "ghprbTargetBranch"),
    "tag": ("TAG_NAME",),
    "pull_request": ("CHANGE_ID", "gitlabMergeRequestIid", "gitlabMergeRequestId", "ghprbPullId"),
    "pull_request_title": ("CHANGE_TITLE", "gitlabMergeRequestTitle", "ghprbPullTitle"),
    "pull_request_description": ("gitlabMergeRequestDescription", "ghprbPullLongDescription"),
    # The plugins may build a merge with the target.
    "sha": ("gitlabMergeRequestLastCommit", "ghprbActualCommit", "GIT_COMMIT"),
    # In a job's first build they are not set, or `null`.
    "commit_before": ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", "GIT_PREVIOUS_COMMIT"),
    "repository_url": ("GIT_URL", "GIT_URL_1"),
    "version": ("TAG_NAME",),
    "workspace": ("WORKSPACE",),
}

SECONDS_FOR_REMOTES = 5


def corrected(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are not as they seem."""
    # Escaped: https://github.com/jenkinsci/ghprb-plugin, GhprbAdditionalParameterEnvironmentContributor.java
    description = (
        environ.get("ghprbPullLongDescription", "").replace(r"\n", "\n").replace(r"\r", "\r").replace(r"\"", '"')
    )
    return {**without_remote(environ), "ghprbPullLongDescription": description}


def without_remote(environ: Mapping[str, str]) -> dict[str, str]:
    """Take the remote off GIT_BRANCH: `origin/x`, `refs/remotes/upstream/x`, `upstream/x` if there is such a remote.

    A branch alone, as of a local checkout, may have a slash as well: `feature/x`.
    """
    branch = environ.get("GIT_BRANCH", "")
    name = branch.removeprefix("refs/remotes/").removeprefix("remotes/")
    first, slash, rest = name.partition("/")
    if not slash or branch.startswith("refs/heads/") or environ.get("BRANCH_NAME") or environ.get("GIT_LOCAL_BRANCH"):
        return {}
    if first == "origin" or name != branch or first in _remotes(environ):
        return {"GIT_BRANCH": rest}
    return {}


def _remotes(environ: Mapping[str, str]) -> list[str]:
    checkout = Pipeline(ci="Jenkins", workspace=environ.get("WORKSPACE"), sha=environ.get("GIT_COMMIT") or None)
    try:
        return Git(work_tree(checkout, environ), environ, SECONDS_FOR_REMOTES).output("remote").split(os.linesep)
    except GitError:
        return []


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Jenkins",
        TABLE,
        # Before its address is configured, Jenkins sets neither JENKINS_URL nor BUILD_URL.
        recognised_by=("JENKINS_URL", "JENKINS_HOME and BUILD_TAG"),
        # In a multibranch pipeline each branch is a job, with its own name and numbers. The name has the folders in it.
        identity=("JOB_NAME",),
        extra_variables=corrected,
    )
)
