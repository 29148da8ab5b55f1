"""Reads a Buildkite job.

https://buildkite.com/docs/pipelines/configure/environment-variables
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("BUILDKITE_BUILD_NUMBER",),
    "url": ("BUILDKITE_BUILD_URL",),
    # Set only in hooks that run after the command.
    "status": (
        Match("BUILDKITE_JOB_CANCELLED", "true", "cancelled"),
        Match("BUILDKITE_COMMAND_EXIT_STATUS", "0", "success"),
        Match("BUILDKITE_COMMAND_EXIT_STATUS", ".+", "failed"),
    ),
    "name": ("BUILDKITE_PIPELINE_NAME", "BUILDKITE_PIPELINE_SLUG"),
    # For a tag, the tag's name; in a pull request, the source branch.
    "branch": ("BUILDKITE_BRANCH",),
    "source_branch": ("BUILDKITE_BRANCH",),
    "target_branch": ("BUILDKITE_PULL_REQUEST_BASE_BRANCH",),
    "tag": ("BUILDKITE_TAG",),
    # `false` if there is no pull request.
    "pull_request": ("BUILDKITE_PULL_REQUEST",),
    # May be the word HEAD.
    "sha": ("BUILDKITE_COMMIT",),
    # Perhaps a pull request's title. Of a build that no push has started (but `ui`, `schedule`, `api` or `trigger_job`)
    # it is what was typed: https://buildkite.com/docs/pipelines/configure/environment-variables#BUILDKITE_SOURCE
    "message": (Partial(Match("BUILDKITE_SOURCE", "(?:webhook)?", "{BUILDKITE_MESSAGE}")),),
    "repository_url": ("BUILDKITE_REPO",),
    "environment": ("BUILDKITE_GITHUB_DEPLOYMENT_ENVIRONMENT",),
    "version": ("BUILDKITE_TAG",),
    "workspace": ("BUILDKITE_BUILD_CHECKOUT_PATH",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "Buildkite",
        TABLE,
        recognised_by=("BUILDKITE=true",),
        # The slug may change with the name of the pipeline.
        identity=(("BUILDKITE_PIPELINE_ID", "{BUILDKITE_ORGANIZATION_SLUG}/{BUILDKITE_PIPELINE_SLUG}"),),
    )
)
