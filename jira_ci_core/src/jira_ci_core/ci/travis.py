"""Reads a Travis CI job.

https://docs.travis-ci.com/user/environment-variables/#default-environment-variables
"""

from __future__ import annotations

from jira_ci_core import Match, Partial, VariableTable, hookimpl, reader

TABLE: VariableTable = {
    "number": ("TRAVIS_BUILD_NUMBER",),
    "url": ("TRAVIS_BUILD_WEB_URL",),
    "status": (Match("TRAVIS_TEST_RESULT", "0", "success"), Match("TRAVIS_TEST_RESULT", ".+", "failed")),
    "name": ("TRAVIS_REPO_SLUG",),
    # For a tag, the tag's name; in a pull request, the target branch.
    "branch": ("TRAVIS_BRANCH",),
    "source_branch": ("TRAVIS_PULL_REQUEST_BRANCH",),
    "target_branch": ("TRAVIS_BRANCH",),
    "tag": ("TRAVIS_TAG",),
    # `false` if there is no pull request.
    "pull_request": ("TRAVIS_PULL_REQUEST",),
    # In a pull request TRAVIS_COMMIT is a merge commit by GitHub, with a generated message.
    "sha": ("TRAVIS_PULL_REQUEST_SHA", "TRAVIS_COMMIT"),
    "commit_before": (Match("TRAVIS_COMMIT_RANGE", r"([0-9a-f]+)\.{2,3}.*"),),
    # A build that the API starts may have a message of its own: https://docs.travis-ci.com/user/triggering-builds
    "message": (Partial(Match("TRAVIS_PULL_REQUEST", "(?:false)?", "{TRAVIS_COMMIT_MESSAGE}")),),
    "repository": ("TRAVIS_REPO_SLUG",),
    "version": ("TRAVIS_TAG",),
    "workspace": ("TRAVIS_BUILD_DIR",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader("Travis CI", TABLE, recognised_by=("TRAVIS=true",), identity=("TRAVIS_REPO_SLUG",))
)
