"""Reads an Azure Pipelines job.

https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # BUILD_BUILDNUMBER is a name (20260115.3, 1.4.0-rc), not a number.
    "number": ("BUILD_BUILDID",),
    "url": ("{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",),
    "status": ("AGENT_JOBSTATUS",),
    "name": ("BUILD_DEFINITIONNAME",),
    # refs/heads/x, refs/tags/x or refs/pull/7/merge; BUILD_SOURCEBRANCHNAME is only its last part.
    "branch": ("BUILD_SOURCEBRANCH",),
    "source_branch": ("SYSTEM_PULLREQUEST_SOURCEBRANCH",),
    "target_branch": ("SYSTEM_PULLREQUEST_TARGETBRANCH",),
    "tag": (Match("BUILD_SOURCEBRANCH", "refs/tags/(.+)"),),
    # The first is set for repositories at GitHub, and is GitHub's number.
    "pull_request": (
        "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER",
        "SYSTEM_PULLREQUEST_PULLREQUESTID",
        Match("BUILD_SOURCEBRANCH", "refs/pull/([0-9]+)/.+"),
    ),
    # In a pull request BUILD_SOURCEVERSION is a merge commit by Azure, with a generated message.
    "sha": ("SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
    "message": (Match("BUILD_SOURCEBRANCH", "(?!refs/pull/).*", "{BUILD_SOURCEVERSIONMESSAGE}"),),
    "repository": ("BUILD_REPOSITORY_NAME",),
    "repository_url": ("BUILD_REPOSITORY_URI",),
    "environment": ("ENVIRONMENT_NAME",),
    "version": (Match("BUILD_SOURCEBRANCH", "refs/tags/(.+)"),),
    "started": ("SYSTEM_PIPELINESTARTTIME",),
    "workspace": ("BUILD_SOURCESDIRECTORY",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Azure Pipelines",
        TABLE,
        recognised_by=("TF_BUILD=true",),
        identity=("SYSTEM_TEAMPROJECT", "BUILD_DEFINITIONNAME"),
    )
)
