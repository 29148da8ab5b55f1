"""Reads a Spacelift run, in one of its hooks.

https://docs.spacelift.io/concepts/configuration/environment#spacelift-environment
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

# The account's name, with or without the rest of its address.
ACCOUNT = r"(.+?)(?:\.app\.spacelift\.io)?"
RUN = "https://{1}.app.spacelift.io/stack/{TF_VAR_spacelift_stack_id}/run/{TF_VAR_spacelift_run_id}"

# A run has an id and no number.
TABLE: VariableTable = {
    "url": (Match("TF_VAR_spacelift_account_name", ACCOUNT, RUN),),
    # The first is set in the hook `after_run`: https://docs.spacelift.io/concepts/stack/stack-settings#customizing-workflow
    "status": ("TF_VAR_spacelift_final_run_state", "TF_VAR_spacelift_run_state"),
    "name": ("TF_VAR_spacelift_stack_id",),
    "branch": ("TF_VAR_spacelift_commit_branch",),
    "sha": ("TF_VAR_spacelift_commit_sha",),
    "repository": ("TF_VAR_spacelift_repository",),
    "workspace": ("TF_VAR_spacelift_workspace_root",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Spacelift",
        TABLE,
        recognised_by=("TF_VAR_spacelift_run_id",),
        # The stack's id is a slug that stays if the stack is renamed.
        identity=(Match("TF_VAR_spacelift_account_name", ACCOUNT), "TF_VAR_spacelift_stack_id"),
    )
)
