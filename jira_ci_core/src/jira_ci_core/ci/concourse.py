"""Reads a Concourse build, by the metadata that resources get, and that a task gets only where it is handed on.

https://concourse-ci.org/docs/resource-types/implementing/#build-metadata
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # Within the job; a rerun of 42 is 42.1.
    "number": (Match("BUILD_NAME", r"([0-9]+)(?:\.[0-9]+)?"),),
    "url": ("BUILD_URL", "{ATC_EXTERNAL_URL}/builds/{BUILD_ID}"),
    "name": ("{BUILD_PIPELINE_NAME}/{BUILD_JOB_NAME}",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Concourse",
        TABLE,
        recognised_by=("ATC_EXTERNAL_URL and BUILD_JOB_NAME",),
        # Each job has its own numbers, and so has each instance of a pipeline.
        identity=("BUILD_TEAM_NAME", "BUILD_PIPELINE_NAME", "BUILD_PIPELINE_INSTANCE_VARS", "BUILD_JOB_NAME"),
    )
)
