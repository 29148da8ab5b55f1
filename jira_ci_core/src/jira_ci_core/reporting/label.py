"""The label that Jira shows for a build or a deployment: a tag, a version, a commit, or a text from the settings."""

from __future__ import annotations

import re

from jira_ci_core.models import Pipeline

_SHORT_SHA_LENGTH = 7
_PREFIX = r"(?:.*?[^0-9A-Za-z.])??v?"
# The regular expression that https://semver.org suggests.
_SEMVER = (
    _PREFIX
    + r"((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)"
    + r"(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    + r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)"
)
# https://calver.org: a year of four digits or two, a month, perhaps a day and a counter, and a modifier.
_MONTH = "(?:0[1-9]|1[0-2]|[1-9])"
_CALVER = (
    _PREFIX
    + rf"((?:(?:20)?[0-9]{{2}}([.-]){_MONTH}(?:\2[0-9]+){{0,2}}|20[0-9]{{2}}(?:0[1-9]|1[0-2])[0-3][0-9])"
    + r"(?:[-.+_][0-9A-Za-z.+_-]*)?)"
)


def make_label(pipeline: Pipeline, wanted: str | None) -> str | None:
    """Return the label for `wanted`, the value of LABEL: `tag`, `semver`, `calver`, `sha`, or any other text itself.

    By default it is the tag, else the version. None if the run has no such thing.
    """
    if wanted is None:
        return pipeline.tag or pipeline.version or None
    kind = wanted.lower()
    if kind == "tag":
        return pipeline.tag or None
    if kind == "sha":
        return pipeline.sha[:_SHORT_SHA_LENGTH] if pipeline.sha else None
    if kind in ("semver", "calver"):
        pattern = _SEMVER if kind == "semver" else _CALVER
        matches = (re.fullmatch(pattern, text) for text in (pipeline.tag, pipeline.version) if text)
        return next((match[1] for match in matches if match), None)
    return wanted
