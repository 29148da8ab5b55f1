"""Reads a Forgejo Actions step, by the variables and events of GitHub.

https://forgejo.org/docs/latest/user/actions/reference/
"""

from __future__ import annotations

from jira_ci_core import VariableTable, hookimpl, reader
from jira_ci_core.ci.github import IDENTITY, TABLE as GITHUB, variables_of_run

# The address of a run has its number in it, not its id.
TABLE: VariableTable = {**GITHUB, "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_NUMBER}",)}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Forgejo",
        TABLE,
        recognised_by=("FORGEJO_ACTIONS=true",),
        identity=IDENTITY,
        extra_variables=variables_of_run,
    )
)
