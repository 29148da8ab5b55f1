"""Reads an Azure Pipelines job.

https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
https://learn.microsoft.com/en-us/azure/devops/pipelines/release/variables (classic releases)
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # BUILD_BUILDNUMBER is a name (20260115.3, 1.4.0-rc), not a number.
    "number": ("RELEASE_RELEASEID", "BUILD_BUILDID"),
    "url": (
        "RELEASE_RELEASEWEBURL",
        "{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}{SYSTEM_TEAMPROJECT}/_release?releaseId={RELEASE_RELEASEID}",
        "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
    ),
    "status": ("AGENT_JOBSTATUS",),
    "name": ("RELEASE_DEFINITIONNAME", "BUILD_DEFINITIONNAME"),
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
    # The first line, or 200 characters of it.
    "message": (Partial(Match("BUILD_SOURCEBRANCH", "(?!refs/pull/).*", "{BUILD_SOURCEVERSIONMESSAGE}"), 200),),
    "repository": ("BUILD_REPOSITORY_NAME",),
    "repository_url": ("BUILD_REPOSITORY_URI",),
    "environment": ("ENVIRONMENT_NAME", "RELEASE_ENVIRONMENTNAME"),
    "version": (Match("BUILD_SOURCEBRANCH", "refs/tags/(.+)"),),
    "started": ("RELEASE_DEPLOYMENT_STARTTIME", "SYSTEM_PIPELINESTARTTIME"),
    # The first is that of the pipeline's own repository if there are several.
    "workspace": ("BUILD_REPOSITORY_LOCALPATH", "BUILD_SOURCESDIRECTORY"),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Azure Pipelines",
        TABLE,
        recognised_by=(
            "TF_BUILD=true",
            "BUILD_BUILDURI and SYSTEM_TEAMPROJECT",
            "RELEASE_RELEASEID and SYSTEM_TEAMPROJECT",
        ),
        # Names may change, and pipelines in two folders, or projects of two organisations, may have the same. Build and
        # release pipelines are numbered apart.
        identity=(
            ("SYSTEM_TEAMPROJECTID", "SYSTEM_TEAMPROJECT"),
            Match("RELEASE_RELEASEID", ".+", "release"),
            ("RELEASE_DEFINITIONID", "SYSTEM_DEFINITIONID", "RELEASE_DEFINITIONNAME", "BUILD_DEFINITIONNAME"),
        ),
    )
)
