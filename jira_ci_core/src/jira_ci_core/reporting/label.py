"""The label that Jira shows beside a build or a deployment: a tag, a version, a commit, or what the settings say."""

from __future__ import annotations

import re

from jira_ci_core.models import Pipeline

_LENGTH_OF_SHA = 7
_BEFORE = r"(?:.*?[^0-9A-Za-z.])??v?"
# https://semver.org: the suggested expression.
_SEMVER = (
    _BEFORE
    + r"((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)"
    + r"(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    + r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)"
)
# https://calver.org: a year of four digits or two, a month, perhaps a day and a counter, and a modifier.
_MONTH = "(?:0[1-9]|1[0-2]|[1-9])"
_CALVER = (
    _BEFORE
    + rf"((?:(?:20)?[0-9]{{2}}([.-]){_MONTH}(?:\2[0-9]+){{0,2}}|20[0-9]{{2}}(?:0[1-9]|1[0-2])[0-3][0-9])"
    + r"(?:[-.+_][0-9A-Za-z.+_-]*)?)"
)


def make_label(pipeline: Pipeline, wanted: str | None) -> str | None:
    """What LABEL asks for: `tag`, `semver`, `calver`, `sha`, or a text as it stands; the tag or version by default.

    None where it asks for what this run does not have.
    """
    if wanted is None:
        return pipeline.tag or pipeline.version or None
    kind = wanted.lower()
    if kind == "tag":
        return pipeline.tag or None
    if kind == "sha":
        return pipeline.sha[:_LENGTH_OF_SHA] if pipeline.sha else None
    if kind in ("semver", "calver"):
        pattern = _SEMVER if kind == "semver" else _CALVER
        found = (re.fullmatch(pattern, text) for text in (pipeline.tag, pipeline.version) if text)
        return next((match[1] for match in found if match), None)
    return wanted
