"""Reads a GitLab CI job.

https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    # CI_PIPELINE_ID counts across all projects of the server.
    "number": ("CI_PIPELINE_IID",),
    "url": ("CI_PIPELINE_URL",),
    # `running` in script; the result in after_script.
    "status": ("CI_JOB_STATUS",),
    "name": ("CI_PIPELINE_NAME", "CI_PROJECT_PATH"),
    # CI_COMMIT_REF_NAME is the tag's name for a tag.
    "branch": ("CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"),
    "source_branch": ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME"),
    "target_branch": ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME"),
    "tag": ("CI_COMMIT_TAG",),
    "pull_request": ("CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"),
    "pull_request_title": ("CI_MERGE_REQUEST_TITLE",),
    # The first 2700 characters.
    "pull_request_description": (
        Partial(Match("CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED", "true", "{CI_MERGE_REQUEST_DESCRIPTION}"), 1),
        Partial(Match("CI_MERGE_REQUEST_DESCRIPTION", "(.{2700,})"), 2700),
        "CI_MERGE_REQUEST_DESCRIPTION",
    ),
    # In a merged results pipeline CI_COMMIT_SHA is a merge commit by GitLab, with a generated message.
    "sha": ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
    # CI_COMMIT_BEFORE_SHA is all zeros in merge requests.
    "commit_before": ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA"),
    # Cut after 100 KB, or what the server is set to.
    "message": (
        Partial(Match("CI_COMMIT_MESSAGE_IS_TRUNCATED", "true", "{CI_COMMIT_MESSAGE}"), 1),
        Match("CI_MERGE_REQUEST_EVENT_TYPE", "(?:detached)?", "{CI_COMMIT_MESSAGE}"),
    ),
    "commit_url": (
        "{CI_PROJECT_URL}/-/commit/{CI_MERGE_REQUEST_SOURCE_BRANCH_SHA}",
        "{CI_PROJECT_URL}/-/commit/{CI_COMMIT_SHA}",
    ),
    "repository": ("CI_PROJECT_PATH",),
    "repository_url": ("CI_PROJECT_URL",),
    # Only `start` deploys; the others are stop, prepare, verify and access:
    # https://docs.gitlab.com/ci/yaml/#environmentaction
    "environment": (Match("CI_ENVIRONMENT_ACTION", "(?:start)?", "{CI_ENVIRONMENT_NAME}"),),
    "not_deployed_to": (Match("CI_ENVIRONMENT_ACTION", "(?!start$)(.+)", "{CI_ENVIRONMENT_NAME}"),),
    "environment_type": (
        Match("CI_ENVIRONMENT_TIER", "production", "production"),
        Match("CI_ENVIRONMENT_TIER", "staging", "staging"),
        Match("CI_ENVIRONMENT_TIER", "testing", "testing"),
        Match("CI_ENVIRONMENT_TIER", "development", "development"),
        Match("CI_ENVIRONMENT_TIER", "other", "unmapped"),
    ),
    "version": ("CI_COMMIT_TAG",),
    "started": ("CI_JOB_STARTED_AT",),
    "workspace": ("CI_PROJECT_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader("GitLab", TABLE, recognised_by=("GITLAB_CI=true",), identity=("CI_PROJECT_PATH",))
)
