"""Reads a Bamboo job, or a deployment. A variable `bamboo.planKey` reaches a step as `bamboo_planKey`.

https://confluence.atlassian.com/bamboo/bamboo-variables-289277087.html
"""

from __future__ import annotations

from jira_ci_core import VariableTable, hookimpl, reader

# `planRepository` is the plan's default repository; before version 8.0 it also had a number.
TABLE: VariableTable = {
    "number": ("bamboo_buildNumber",),
    "url": ("bamboo_buildResultsUrl", "bamboo_resultsUrl"),
    "name": ("bamboo_planName", "bamboo_deploy_project"),
    "branch": (
        "bamboo_planRepository_branchName",
        "bamboo_planRepository_branch",
        "bamboo_planRepository_1_branchName",
        "bamboo_repository_git_branch",
    ),
    # Set if the plan's branch was made for a pull request.
    "source_branch": ("bamboo_repository_pr_sourceBranch",),
    "target_branch": ("bamboo_repository_pr_targetBranch",),
    "pull_request": ("bamboo_repository_pr_key",),
    "sha": ("bamboo_planRepository_revision", "bamboo_planRepository_1_revision"),
    "commit_before": ("bamboo_planRepository_previousRevision", "bamboo_planRepository_1_previousRevision"),
    "repository_url": ("bamboo_planRepository_repositoryUrl", "bamboo_planRepository_1_repositoryUrl"),
    "environment": ("bamboo_deploy_environment",),
    "version": ("bamboo_deploy_version", "bamboo_deploy_release"),
    "started": ("bamboo_buildTimeStamp",),
    "workspace": ("bamboo_build_working_directory",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Bamboo",
        TABLE,
        recognised_by=("bamboo_buildKey", "bamboo_planKey", "bamboo_deploy_environment"),
        # A plan's branch is a plan with its own key and numbers. A deployment belongs to a plan.
        identity=("bamboo_planKey", "bamboo_deploy_project"),
    )
)
