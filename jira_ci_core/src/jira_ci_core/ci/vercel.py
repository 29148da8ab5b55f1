"""Reads a Vercel deployment, in its build.

https://vercel.com/docs/environment-variables/system-environment-variables
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

REPOSITORY = "/{VERCEL_GIT_REPO_OWNER}/{VERCEL_GIT_REPO_SLUG}"

# A deployment has an id and no number.
TABLE: VariableTable = {
    # Of the deployed site: no variable has the name of the team, which is in the address of the deployment's page.
    "url": ("https://{VERCEL_URL}",),
    # In a pull request, the source branch.
    "branch": ("VERCEL_GIT_COMMIT_REF",),
    "source_branch": ("VERCEL_GIT_COMMIT_REF",),
    # Empty if the pull request was opened later.
    "pull_request": ("VERCEL_GIT_PULL_REQUEST_ID",),
    "sha": ("VERCEL_GIT_COMMIT_SHA",),
    # Cut after 2048 bytes.
    "message": (Partial("VERCEL_GIT_COMMIT_MESSAGE", 2048),),
    "commit_before": ("VERCEL_GIT_PREVIOUS_SHA",),
    "repository": ("{VERCEL_GIT_REPO_OWNER}/{VERCEL_GIT_REPO_SLUG}",),
    "repository_url": (
        Match("VERCEL_GIT_PROVIDER", "github", f"https://github.com{REPOSITORY}"),
        Match("VERCEL_GIT_PROVIDER", "gitlab", f"https://gitlab.com{REPOSITORY}"),
        Match("VERCEL_GIT_PROVIDER", "bitbucket", f"https://bitbucket.org{REPOSITORY}"),
    ),
    # The first may be an environment of one's own.
    "environment": ("VERCEL_TARGET_ENV", "VERCEL_ENV"),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # The id stays if the project is renamed.
    reader("Vercel", TABLE, recognised_by=("VERCEL=1", "VERCEL=true"), identity=("VERCEL_PROJECT_ID",))
)
