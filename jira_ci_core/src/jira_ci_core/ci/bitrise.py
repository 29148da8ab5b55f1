"""Reads a Bitrise build.

https://docs.bitrise.io/en/bitrise-ci/references/available-environment-variables.html
"""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("BITRISE_BUILD_NUMBER",),
    "url": ("BITRISE_BUILD_URL",),
    # Of the steps before this one.
    "status": (Match("BITRISE_BUILD_STATUS", "0", "success"), Match("BITRISE_BUILD_STATUS", ".+", "failed")),
    "name": ("BITRISE_APP_TITLE",),
    # In a pull request, the source branch.
    "branch": ("BITRISE_GIT_BRANCH",),
    "source_branch": ("BITRISE_GIT_BRANCH",),
    "target_branch": ("BITRISEIO_GIT_BRANCH_DEST",),
    "tag": ("BITRISE_GIT_TAG",),
    "pull_request": ("BITRISE_PULL_REQUEST",),
    # Title and description. Outside of a pull request BITRISE_GIT_MESSAGE is the commit's message.
    "pull_request_title": (Match("BITRISE_GIT_MESSAGE", r"([^\r\n]+).*"),),
    "pull_request_description": (Match("BITRISE_GIT_MESSAGE", r"[^\r\n]+[\r\n]+(.+)"),),
    # In a pull request GIT_CLONE_COMMIT_HASH may be a merge commit.
    "sha": ("BITRISE_GIT_COMMIT", Match("BITRISE_PULL_REQUEST", "(?:false)?", "{GIT_CLONE_COMMIT_HASH}")),
    "message": (Partial(Match("BITRISE_PULL_REQUEST", "(?:false)?", "{BITRISE_GIT_MESSAGE}")),),
    "repository": ("{BITRISEIO_GIT_REPOSITORY_OWNER}/{BITRISEIO_GIT_REPOSITORY_SLUG}",),
    "repository_url": ("GIT_REPOSITORY_URL",),
    "version": ("BITRISE_GIT_TAG",),
    "workspace": ("BITRISE_SOURCE_DIR",),
}


def without_typed_message(environ: Mapping[str, str]) -> dict[str, str]:
    """Unset the message if a build was started by hand, where it is typed, or by a schedule."""
    return {"BITRISE_GIT_MESSAGE": ""} if environ.get("BITRISE_TRIGGER_METHOD") in ("manual", "schedule") else {}


jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Bitrise",
        TABLE,
        recognised_by=("BITRISE_IO=true",),
        # The slug stays if the project is renamed.
        identity=("BITRISE_APP_SLUG", "BITRISE_TRIGGERED_WORKFLOW_ID"),
        extra_variables=without_typed_message,
    )
)
