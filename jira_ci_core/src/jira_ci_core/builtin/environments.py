"""Maps the usual names of environments to their types."""

from __future__ import annotations

import re

from jira_ci_core import EnvironmentType, MappedEnvironment, hookimpl

NAMES = {
    EnvironmentType.PRODUCTION: ("production", "prod", "prd", "live"),
    EnvironmentType.STAGING: ("staging", "stage", "stg", "preprod", "preproduction", "preview", "uat"),
    EnvironmentType.TESTING: ("testing", "test", "tests", "tst", "qa", "integration", "int", "acceptance", "sit"),
    EnvironmentType.DEVELOPMENT: ("development", "develop", "dev", "local", "sandbox", "trunk"),
}

TYPE_OF = {name: type for type, names in NAMES.items() for name in names}

# In `non-prod` and `not-prod` the name says what the environment is not.
_NEGATIONS = {"non", "not", "no"}


@hookimpl(trylast=True)
def jira_ci_map_environment(name: str) -> MappedEnvironment | None:
    """Return the type of `prod`, `pre-prod`, `eu-production` or `qa_2`; None if the name has no type in it, or two."""
    words = re.findall("[a-z]+", re.sub("(?<![a-z])pre[^a-z]+", "pre", name.lower(), count=1))
    types = {TYPE_OF[word] for word in words if word in TYPE_OF}
    if len(types) != 1 or _NEGATIONS.intersection(words):
        return None
    return MappedEnvironment(type=types.pop())
