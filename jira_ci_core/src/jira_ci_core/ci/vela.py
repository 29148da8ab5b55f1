"""Reads a Vela step.

https://go-vela.github.io/docs/reference/environment/variables/
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("VELA_BUILD_NUMBER",),
    "url": ("VELA_BUILD_LINK",),
    # `running` until a step has failed.
    "status": ("VELA_BUILD_STATUS",),
    "name": ("VELA_REPO_FULL_NAME",),
    # In a pull request, the target branch; for a deployment whatever it is of.
    "branch": (Match("VELA_BUILD_EVENT", "(?!deployment$).*", "{VELA_BUILD_BRANCH}"),),
    "source_branch": ("VELA_PULL_REQUEST_SOURCE",),
    "target_branch": ("VELA_PULL_REQUEST_TARGET",),
    "tag": ("VELA_BUILD_TAG",),
    "pull_request": ("VELA_PULL_REQUEST", "VELA_BUILD_PULL_REQUEST"),
    # VELA_BUILD_MESSAGE is the title in a pull request and its comments, and the commit's message after a push:
    # https://github.com/go-vela/server/blob/main/scm/github/webhook.go
    "pull_request_title": (Match("VELA_BUILD_EVENT", "pull_request|comment", "{VELA_BUILD_MESSAGE}"),),
    "sha": ("VELA_BUILD_COMMIT",),
    # Cut after 2000 bytes: https://github.com/go-vela/server/blob/main/database/types/build.go
    "message": (Partial(Match("VELA_BUILD_EVENT", "push", "{VELA_BUILD_MESSAGE}"), 2000),),
    "commit_url": (Match("VELA_BUILD_SOURCE", "(.+/commits?/.+)"),),
    "repository": ("VELA_REPO_FULL_NAME",),
    "repository_url": ("VELA_REPO_LINK", "VELA_REPO_CLONE"),
    "environment": ("VELA_DEPLOYMENT", "VELA_BUILD_TARGET"),
    "version": ("VELA_BUILD_TAG",),
    "started": ("VELA_BUILD_STARTED",),
    "workspace": ("VELA_WORKSPACE", "VELA_BUILD_WORKSPACE"),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # No variable has an id of the repository.
    reader("Vela", TABLE, recognised_by=("VELA=true",), identity=("VELA_REPO_FULL_NAME",))
)
