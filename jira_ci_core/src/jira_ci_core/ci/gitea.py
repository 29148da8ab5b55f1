"""Reads a Gitea Actions step, by the variables and events of GitHub.

https://docs.gitea.com/usage/actions/comparison
"""

from __future__ import annotations

from jira_ci_core import VariableTable, hookimpl, reader
from jira_ci_core.ci.github import IDENTITY, TABLE as GITHUB, variables_of_run

# From 1.26 on the address of a run has its id in it, before its number. No variable has the version of the server.
TABLE: VariableTable = {**GITHUB, "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",)}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Gitea",
        TABLE,
        recognised_by=("GITEA_ACTIONS=true",),
        identity=IDENTITY,
        extra_variables=variables_of_run,
    )
)
