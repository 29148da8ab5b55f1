"""Reads a Netlify build.

https://docs.netlify.com/build/configure-builds/environment-variables/#read-only-variables
"""

from __future__ import annotations

from jira_ci_core import Match, VariableTable, hookimpl, reader

# A deploy has an id and no number. CACHED_COMMIT_REF may be the commit of another branch.
TABLE: VariableTable = {
    "url": ("https://app.netlify.com/sites/{SITE_NAME}/deploys/{DEPLOY_ID}",),
    "name": ("SITE_NAME",),
    # In a pull request, pull/7/head.
    "branch": ("BRANCH",),
    "source_branch": ("HEAD",),
    "pull_request": (Match("PULL_REQUEST", "true", "{REVIEW_ID}"),),
    "sha": ("COMMIT_REF",),
    "repository_url": ("REPOSITORY_URL",),
    # production, deploy-preview, branch-deploy, or a branch that has settings of its own.
    "environment": ("CONTEXT",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    # The id stays if the site is renamed.
    reader("Netlify", TABLE, recognised_by=("NETLIFY=true",), identity=("SITE_ID",))
)
