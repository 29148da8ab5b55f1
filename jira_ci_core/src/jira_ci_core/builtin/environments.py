"""Maps the usual names of environments to their types."""

from __future__ import annotations

import re
import unicodedata

from jira_ci_core import EnvironmentType, MappedEnvironment, hookimpl

# The words of Atlassian's own app, `environmentMapping` in
# https://github.com/atlassian/github-for-jira/blob/main/src/transforms/transform-deployment.ts,
# and below them some of ours.
NAMES = {
    EnvironmentType.PRODUCTION: ("production", "prod", "prd", "live"),
    EnvironmentType.STAGING: (
        *("staging", "stage", "stg", "sta", "preprod", "model", "internal"),
        *("preproduction",),
    ),
    EnvironmentType.TESTING: (
        *("testing", "test", "tests", "tst", "integration", "integ", "intg", "int", "acceptance", "accept", "acpt"),
        *("qa", "qc", "control", "quality", "uat", "sit"),
    ),
    EnvironmentType.DEVELOPMENT: (
        *("development", "develop", "dev", "trunk"),
        *("local", "sandbox", "preview"),
    ),
}

TYPE_OF = {name: type for type, names in NAMES.items() for name in names}

# Directly before a word they say what the environment is not: `non-prod`, `not-prod`. `prod-no` is in Norway, and
# `non-critical-prod` is production.
_NEGATIONS = {"non", "not", "no"}

# GitLab's name for the environment of a branch, whatever the branch is called: https://docs.gitlab.com/ci/review_apps/
_REVIEW = "review/"


@hookimpl(trylast=True)
def jira_ci_map_environment(name: str) -> MappedEnvironment | None:
    """Return the type of `prod`, `pre-prod`, `eu-production` or `qa_2`; None if the name has no type in it, or two."""
    name = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char)).lower()
    if name.startswith(_REVIEW):
        return MappedEnvironment(type=EnvironmentType.DEVELOPMENT)
    words = re.findall("[a-z]+", re.sub("(?<![a-z])pre[^a-z]+", "pre", name, count=1))
    places = [place for place, word in enumerate(words) if word in TYPE_OF]
    types = {TYPE_OF[words[place]] for place in places}
    if len(types) != 1 or any(place and words[place - 1] in _NEGATIONS for place in places):
        return None
    return MappedEnvironment(type=types.pop())
