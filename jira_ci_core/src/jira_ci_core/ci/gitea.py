"""Reads a Gitea Actions step, by the variables and events of GitHub.

https://docs.gitea.com/usage/actions/comparison
https://github.com/go-gitea/gitea/blob/main/services/actions/context.go
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader
from jira_ci_core.ci.github import TABLE as GITHUB, variables_of_run

# From 1.26 on the address of a run has its id in it, before its number. No variable has the version of the server.
TABLE: VariableTable = {**GITHUB, "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",)}
# GITHUB_WORKFLOW is the name of the file, and there is no GITHUB_WORKFLOW_REF: should there be one, its file counts.
IDENTITY = "GITHUB_REPOSITORY", (Match("GITHUB_WORKFLOW_REF", r"(?:[^@]*/)?([^/@]+\.ya?ml)(?:@.*)?"), "GITHUB_WORKFLOW")

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Gitea",
        TABLE,
        recognised_by=("GITEA_ACTIONS=true",),
        identity=IDENTITY,
        extra_variables=variables_of_run,
    )
)
