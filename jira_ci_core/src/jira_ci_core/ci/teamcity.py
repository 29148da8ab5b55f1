"""Reads a TeamCity build.

https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html
"""

from __future__ import annotations

from jira_ci_core import VariableTable, hookimpl, reader

# Branch, message and repository are server parameters and not variables: they come from the checkout.
TABLE: VariableTable = {
    # In the build configuration's own format: 42, 1.4.42, release.
    "number": ("BUILD_NUMBER",),
    "url": ("BUILD_URL",),
    "name": ("TEAMCITY_BUILDCONF_NAME",),
    "sha": ("BUILD_VCS_NUMBER",),
}

jira_ci_read_pipeline = hookimpl(trylast=True)(
    reader(
        "TeamCity",
        TABLE,
        recognised_by=("TEAMCITY_VERSION",),
        identity=("TEAMCITY_PROJECT_NAME", "TEAMCITY_BUILDCONF_NAME"),
    )
)
