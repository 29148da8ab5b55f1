"""How environment variables spell settings, and which of them count as set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

PREFIXES = "PLUGIN_", "JIRA_CI_"

# Variables of other tools that settings of the network read as well, in this order.
HTTPS_PROXIES = "HTTPS_PROXY", "https_proxy", "HARNESS_HTTPS_PROXY"
HTTP_PROXIES = "http_proxy", "HTTP_PROXY", "HARNESS_HTTP_PROXY"
CA_BUNDLES = "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"

# Harness sets these for its own use, the first in every step:
# https://github.com/harness/lite-engine/blob/main/pipeline/runtime/run.go
OF_HARNESS = frozenset(
    {
        *("PLUGIN_ARTIFACT_FILE", "PLUGIN_METADATA_FILE", "PLUGIN_BUILD_TOOL_FILE", "PLUGIN_BUILDER_DRIVER_OPTS"),
        *("PLUGIN_CACHE_METRICS_FILE", "PLUGIN_CACHE_INTEL_METRICS_FILE"),
    }
)

# Harness passes on an expression that it could not resolve: <+pipeline.variables.x>
_EXPRESSION = r"<\+[^<>]*+(?:<\+[^<>]*+>[^<>]*+)*+>"

# What other systems leave where there is no value. None is ever a name, an address or a credential by itself.
_PLACEHOLDERS = (
    _EXPRESSION,
    # $(Name) stays as it is: https://learn.microsoft.com/en-us/azure/devops/pipelines/process/variables
    r"\$\([^()]++\)",
    r"\$\[[^\[\]]*+(?:\[[^\[\]]*+\][^\[\]]*+)*+\]",
    # Shells, GitLab, Bitbucket, Jenkins: ${NAME}, ${env.NAME}, ${NAME:-other}, $NAME; $$NAME where it was escaped.
    # https://docs.gitlab.com/ci/variables/where_variables_can_be_used/
    r"\$\{(?!\{)[^{}]++\}",
    r"\$\$?(?:env:)?[A-Za-z_][A-Za-z0-9_]*+",
    # GitHub, Codefresh, Argo Workflows and templates of other kinds:
    # https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
    r"\$?\{\{(?:(?!\{\{|\}\}).)++\}\}",
    # https://circleci.com/docs/guides/orchestrate/pipeline-variables/
    r"<<[^<>]++>>",
    # https://octopus.com/docs/projects/variables/variable-substitutions
    r"#\{[^{}]++\}",
    # https://concourse-ci.org/vars.html
    r"\(\([\w.:/\"-]++\)\)",
)
# A name begins with a letter: https://www.jetbrains.com/help/teamcity/2020.2/configuring-build-parameters.html
_BETWEEN_PERCENTS = r"%[A-Za-z_][A-Za-z0-9._*-]*+%"
# The same in a text, where %C3%A4 is a character of an address.
_AMONG_OTHERS = rf"(?!%[0-9A-Fa-f]{{2}}[A-Za-z0-9._*-]*+%[0-9A-Fa-f]{{2}}){_BETWEEN_PERCENTS}"
_MARKS = frozenset("$%<{#(")


def is_set(value: object) -> bool:
    """Whether a value counts as set; an empty text and `null` do not."""
    return value is not None and not (isinstance(value, str) and value.strip() in ("", "null"))


def value_of(environ: Mapping[str, str], variable: str) -> str:
    """What a variable of a CI holds; an empty text if it is empty, `null` or unresolved, and so counts as not set.

    Windows knows all names in capitals: https://docs.python.org/3/library/os.html#os.environ
    """
    value = (environ.get(variable) or environ.get(variable.upper(), "")).strip()
    return "" if value == "null" or (value[:2] == "<+" and re.fullmatch(_EXPRESSION, value)) else value


def variables_that_hold(environ: Mapping[str, str], conditions: Iterable[str]) -> str:
    """The variables of the first condition that holds; an empty text if none does.

    `ACME_BUILD` holds if it is set, `ACME=true` if it has that value, in any case, and `ACME_BUILD and ACME_PROJECT` if
    both hold.
    """
    for condition in conditions:
        names = []
        for part in condition.split(" and "):
            name, _, wanted = part.partition("=")
            value = value_of(environ, name)
            if not value or (wanted and value.lower() != wanted.lower()):
                break
            names.append(name)
        else:
            return ", ".join(names)
    return ""


def holds_data_of_harness(environ: Mapping[str, str], variable: str) -> bool:
    """Whether a variable is a PLUGIN_PIPELINE that Harness has set, and not the step: an object or several lines.

    `${NAME}` and `{{ name }}` are what CI has left of a name.
    """
    if variable != "PLUGIN_PIPELINE" or "HARNESS_PIPELINE_ID" not in environ:
        return False
    value = environ.get(variable, "").strip()
    return value != "" and re.search(r"[\r\n]|(?<![${]){(?!{)", value) is not None


def is_unresolved(text: str) -> bool:
    """Whether a text is nothing but what CI should have replaced, once or several times."""
    return _may_hold_placeholder(text) and _pattern(whole=True).fullmatch(text.strip()) is not None


def unresolved_part(text: str) -> str:
    """The first part of a text that CI should have replaced; empty if there is none."""
    found = _pattern(whole=False).search(text) if _may_hold_placeholder(text) else None
    return found[0] if found else ""


def _may_hold_placeholder(text: str) -> bool:
    return not _MARKS.isdisjoint(text)


@cache
def _pattern(*, whole: bool) -> re.Pattern[str]:
    """Compiled when it is first needed, which in most steps is never."""
    one = "|".join((*_PLACEHOLDERS, _BETWEEN_PERCENTS if whole else _AMONG_OTHERS))
    return re.compile(rf"(?:(?:{one})[\s,|/.:_-]*+)++" if whole else one, re.ASCII | re.DOTALL | re.IGNORECASE)


def words(text: str) -> list[str]:
    """The words in a text, separated by commas, spaces or vertical bars; one empty word for an empty text."""
    return re.split(r"[\s,|]+", text.strip(" \t\n,|"))
