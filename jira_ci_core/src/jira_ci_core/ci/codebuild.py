"""Reads an AWS CodeBuild build.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

CONSOLE = (
    "https://{AWS_REGION}.console.aws.amazon.com/codesuite/codebuild/projects/{1}/build/{1}:{2}/?region={AWS_REGION}"
)

PROJECT = (
    Match("CODEBUILD_BUILD_ARN", "(arn:.+):build/(.+):.+", "{1}:project/{2}"),
    Match("CODEBUILD_BUILD_ID", "(.+):.+"),
)

# CODEBUILD_BUILD_ID is `project:uuid`.
TABLE: VariableTable = {
    "number": ("CODEBUILD_BUILD_NUMBER",),
    # The first is set for public builds only.
    "url": ("CODEBUILD_PUBLIC_BUILD_URL", Match("CODEBUILD_BUILD_ID", "(.+):(.+)", CONSOLE)),
    "status": (
        Match("CODEBUILD_BUILD_SUCCEEDING", "1", "success"),
        Match("CODEBUILD_BUILD_SUCCEEDING", "0", "failed"),
    ),
    "name": (Match("CODEBUILD_BUILD_ID", "(.+):.+"),),
    # Without a webhook, what the build was started with: a name, a ref (perhaps with `^{commit}`), pr/7, a commit; for
    # sources in S3 a version of the object.
    "branch": (
        Match("CODEBUILD_WEBHOOK_TRIGGER", "branch/(.+)"),
        "CODEBUILD_WEBHOOK_HEAD_REF",
        Match("CODEBUILD_SOURCE_VERSION", r"(refs/(?:heads|tags)/.+?)(?:\^\{.*)?"),
        Match("CODEBUILD_SOURCE_VERSION", r"(?!arn:|pr/|refs/|[0-9a-f]{7,64}$|[\w.]{32}$)(.+)"),
    ),
    "source_branch": ("CODEBUILD_WEBHOOK_HEAD_REF",),
    "target_branch": ("CODEBUILD_WEBHOOK_BASE_REF",),
    "tag": (Match("CODEBUILD_WEBHOOK_TRIGGER", "tag/(.+)"),),
    "pull_request": (
        Match("CODEBUILD_WEBHOOK_TRIGGER", "pr/(.+)"),
        Match("CODEBUILD_SOURCE_VERSION", r"pr/([0-9]+)(?:\^\{.*)?"),
    ),
    # Not a commit if the source is in S3.
    "sha": ("CODEBUILD_RESOLVED_SOURCE_VERSION",),
    "commit_before": ("CODEBUILD_WEBHOOK_PREV_COMMIT",),
    "repository_url": ("CODEBUILD_SOURCE_REPO_URL",),
    "version": (Match("CODEBUILD_WEBHOOK_TRIGGER", "tag/(.+)"),),
    # In milliseconds.
    "started": ("CODEBUILD_START_TIME",),
    "workspace": ("CODEBUILD_SRC_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "AWS CodeBuild",
        TABLE,
        recognised_by=("CODEBUILD_BUILD_ID",),
        # A project's name is its own in one region of one account only.
        identity=(PROJECT,),
    )
)
