"""Reads a GoCD job.

https://docs.gocd.org/current/faq/dev_use_current_revision_in_build.html#standard-gocd-environment-variables
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

STAGE = "/pipelines/{GO_PIPELINE_NAME}/{GO_PIPELINE_COUNTER}/{GO_STAGE_NAME}/{GO_STAGE_COUNTER}"

TABLE: VariableTable = {
    # A stage that is run again has a new GO_STAGE_COUNTER in the same run. GO_PIPELINE_LABEL is a name.
    "number": ("GO_PIPELINE_COUNTER",),
    "url": (Match("GO_SERVER_URL", "(.+?)/*", f"{{1}}{STAGE}"),),
    "name": ("GO_PIPELINE_NAME",),
    # Set if the pipeline has one material without a name; any other has a variable with its name.
    "sha": ("GO_REVISION",),
    "environment": ("GO_ENVIRONMENT_NAME",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # A pipeline's name is its id.
    reader("GoCD", TABLE, recognised_by=("GO_PIPELINE_COUNTER",), identity=("GO_PIPELINE_NAME",))
)
