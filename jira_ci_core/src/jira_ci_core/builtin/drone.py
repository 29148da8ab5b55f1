"""Reads a Drone step.

https://docs.drone.io/pipeline/environment/reference/
"""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core import Pipeline, hookimpl, read_facts
from jira_ci_core.readers import commit_before, identity, short_ref

TABLE = {
    "number": ("DRONE_BUILD_NUMBER",),
    "url": ("DRONE_BUILD_LINK",),
    "status": ("DRONE_BUILD_STATUS",),
    "name": ("DRONE_REPO",),
    "branch": ("DRONE_COMMIT_BRANCH", "DRONE_BRANCH"),
    "source_branch": ("DRONE_SOURCE_BRANCH",),
    "target_branch": ("DRONE_TARGET_BRANCH",),
    "tag": ("DRONE_TAG",),
    "pull_request": ("DRONE_PULL_REQUEST",),
    "pull_request_title": ("DRONE_PULL_REQUEST_TITLE",),
    "sha": ("DRONE_COMMIT_SHA", "DRONE_COMMIT"),
    "commit_before": ("DRONE_COMMIT_BEFORE",),
    "message": ("DRONE_COMMIT_MESSAGE",),
    "commit_url": ("DRONE_COMMIT_LINK",),
    "repository": ("DRONE_REPO",),
    "repository_url": ("DRONE_REPO_LINK",),
    "environment": ("DRONE_DEPLOY_TO",),
    "version": ("DRONE_SEMVER",),
    "workspace": ("DRONE_WORKSPACE",),
}

# Fixed from the first release: a change would split the history in Jira.
IDENTITY = "DRONE_REPO", "DRONE_STAGE_NAME"


@hookimpl(trylast=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """The run, where `DRONE=true` says that this is Drone."""
    if environ.get("DRONE", "").lower() != "true":
        return None
    facts, origins = read_facts(environ, TABLE)
    facts["id"], origins["id"] = identity(environ, IDENTITY)
    return change("Drone", facts, origins)


def change(ci: str, facts: dict[str, str], origins: dict[str, str]) -> Pipeline:
    """A pipeline from facts as Drone and Harness name them.

    Only a pull request's number says that it is one. On a pull request the branch is its target, on a tag it may
    be `refs/tags/x`, and the commit before may be empty, zeros or the commit itself.
    """
    source, origin = facts.pop("source_branch", None), origins.pop("source_branch", "")
    if "pull_request" in facts:
        if "target_branch" not in facts and "branch" in facts:
            facts["target_branch"], origins["target_branch"] = facts["branch"], origins["branch"]
        if source:
            facts["branch"], origins["branch"] = source, origin
        else:
            facts.pop("branch", None)
    else:
        facts.pop("target_branch", None)
        facts.pop("pull_request_title", None)
        branch = facts.get("branch", "")
        if branch.startswith("refs/tags/") and "tag" not in facts:
            facts["tag"], origins["tag"] = branch.removeprefix("refs/tags/"), origins["branch"]
    values = {
        **facts,
        "id": facts["id"] or None,
        "ci": ci,
        "publishes_status": True,
        "branch": short_ref(facts.get("branch")),
        "target_branch": short_ref(facts.get("target_branch")),
        "commit_before": commit_before(facts.get("commit_before"), facts.get("sha")),
    }
    known = {name: place for name, place in origins.items() if values.get(name)}
    return Pipeline.model_validate({**values, "origins": known})
