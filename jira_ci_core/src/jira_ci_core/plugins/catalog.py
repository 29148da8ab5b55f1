"""What ships: core's own plugins, and what core knows of the packages that may be installed beside it."""

from __future__ import annotations

# Harness and Woodpecker imitate Drone; the last of them are known by variables that others may set as well.
CIS = (
    *("harness", "woodpecker", "drone", "github", "gitlab", "azure", "bitbucket", "buildkite", "circleci", "travis"),
    *("appveyor", "codebuild", "teamcity", "jenkins", "cloudbuild"),
)
"""The CIs that core reads, in the order in which they are asked."""

BUILT_IN = {
    **{ci: f"jira_ci_core.ci.{ci}" for ci in CIS},
    "checkout": "jira_ci_core.ci.git_checkout",
    **{name: f"jira_ci_core.builtin.{name}" for name in ("keys", "patterns", "states", "environments")},
    "http": "jira_ci_core.delivery.http",
    **{name: f"jira_ci_core.builtin.{name}" for name in ("card", "summary", "outputs", "annotations")},
}
"""Core's own plugins, name to module, in call order: each is asked only after all plugins of others."""
