"""The plugins that ship: core's own, and facts about the packages that may be installed beside it.

Core imports none of those packages. It knows their names for hints, for hiding credentials and for the environment that
it hands to plugins; what the settings mean is the packages' business.
"""

from __future__ import annotations

# Harness and Woodpecker imitate Drone, Forgejo and Gitea imitate GitHub. The last of them are known by variables that
# other systems set as well.
CIS = {
    "harness": ("HARNESS_PIPELINE_ID",),
    "woodpecker": ("CI=woodpecker", "CI_SYSTEM_NAME=woodpecker"),
    "drone": ("DRONE=true", "DRONE_BUILD_NUMBER"),
    "forgejo": ("FORGEJO_ACTIONS=true",),
    "gitea": ("GITEA_ACTIONS=true",),
    "github": ("GITHUB_ACTIONS=true",),
    "gitlab": ("GITLAB_CI=true",),
    "azure": ("TF_BUILD=true", "BUILD_BUILDURI and SYSTEM_TEAMPROJECT", "RELEASE_RELEASEID and SYSTEM_TEAMPROJECT"),
    "bitbucket": ("BITBUCKET_BUILD_NUMBER",),
    "buildkite": ("BUILDKITE=true",),
    "circleci": ("CIRCLECI=true",),
    "travis": ("TRAVIS=true",),
    "appveyor": ("APPVEYOR=true",),
    "codebuild": ("CODEBUILD_BUILD_ID",),
    "teamcity": ("TEAMCITY_VERSION",),
    "bamboo": ("bamboo_buildKey", "bamboo_planKey", "bamboo_deploy_environment"),
    "bitrise": ("BITRISE_IO=true",),
    "buddy": ("BUDDY=true", "BUDDY_WORKSPACE_ID"),
    "cirrus": ("CIRRUS_CI=true",),
    "codefresh": ("CF_BUILD_ID",),
    "codemagic": ("CM_BUILD_ID",),
    "gocd": ("GO_PIPELINE_COUNTER",),
    "screwdriver": ("SCREWDRIVER=true",),
    "semaphore": ("SEMAPHORE=true",),
    "vela": ("VELA=true",),
    "xcodecloud": ("CI_XCODE_CLOUD=true",),
    "jenkins": ("JENKINS_URL", "JENKINS_HOME and BUILD_TAG"),
    "spacelift": ("TF_VAR_spacelift_run_id",),
    "vercel": ("VERCEL=1", "VERCEL=true"),
    "netlify": ("NETLIFY=true",),
    "concourse": ("ATC_EXTERNAL_URL and BUILD_JOB_NAME",),
    "cloudbuild": ("BUILDER_OUTPUT", "BUILD_ID and PROJECT_ID"),
}
"""The CIs that core reads, in the order in which they are asked, each with what its reader is `recognised_by`.

A reader is imported only if one of its conditions holds. Readers of others have theirs in the group of the entry point.
"""

BUILT_IN = {
    **{ci: f"jira_ci_core.ci.{ci}" for ci in CIS},
    "checkout": "jira_ci_core.ci.git_checkout",
    **{name: f"jira_ci_core.builtin.{name}" for name in ("keys", "patterns", "states", "environments")},
    "http": "jira_ci_core.delivery.http",
    **{name: f"jira_ci_core.builtin.{name}" for name in ("card", "summary", "outputs", "annotations")},
}
"""Core's own plugins, name to module, in call order: each is asked only after all plugins of others."""

CREDENTIALS = {"oauth": ("client_id", "client_secret"), "connect": ("connect_key",)}
"""The kinds of sign-in that ship, each with its credentials. A kind has the name of its plugin and of core's extra."""

PREFERRED_KIND = "oauth"
"""Which of these is used if both are complete: Atlassian is ending Connect apps."""

DELIVERIES = {"celery": ("broker_url", "queue_key", "queue_key_old", "queue_limiter")}
"""Values of DELIVERY that ship in a package of their own, each with its credentials; core's extra has the same name."""

COMMANDS = {"demo": "sandbox", "sandbox": "sandbox", "queue": "celery", "worker": "celery"}
"""The commands of packages that ship, each with core's extra that installs it."""


def install_command(extra: str) -> str:
    """The command that installs one of core's extras."""
    return f"pip install 'jira-ci-core[{extra}]'"
