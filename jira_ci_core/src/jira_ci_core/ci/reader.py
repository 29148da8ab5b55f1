"""Reading what a CI's variables say, from a table that can be checked against the vendor's page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jira_ci_core.config.environ import UNRESOLVED
from jira_ci_core.models import Pipeline
from jira_ci_core.urls import browsable


class Match(NamedTuple):
    """A fact that a variable gives when all of it matches a pattern (case makes no difference).

    `Match("CODEBUILD_WEBHOOK_TRIGGER", "tag/(.+)")` is what the group matches, and
    `Match("BITBUCKET_EXIT_CODE", "0", "success")` the word in third place. That may name groups and other variables in
    braces: `{1}`, `{CI_ENVIRONMENT_NAME}`. A variable that is not set is matched as an empty one.
    """

    variable: str
    pattern: str
    fact: str = "{1}"


VariableSource = str | Match
"""Where a fact may come from: a variable, several in braces (`{SERVER}/{PROJECT}`, all must be set), or a When."""

VariableTable = Mapping[str, tuple[VariableSource, ...]]
"""Field of `Pipeline` to its sources; the first that says something wins.

`source_branch` is one more field: on a pull request it is the branch, and outside of one it is nothing.
"""


def read_facts(environ: Mapping[str, str], table: VariableTable) -> tuple[dict[str, str], dict[str, str]]:
    """The facts of a table, and for each the variable (or variables) it came from.

    Empty, `null` and an expression that Harness did not resolve are not set.
    """
    facts: dict[str, str] = {}
    origins: dict[str, str] = {}
    for field, sources in table.items():
        for source in sources:
            fact, variables = _look_up(environ, source)
            if fact:
                facts[field], origins[field] = fact, ", ".join(variables)
                break
    return facts, origins


def reader(
    ci: str,
    table: VariableTable,
    *,
    known_by: tuple[str, ...],
    identity: tuple[VariableSource, ...],
    more: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
) -> Callable[[Mapping[str, str]], Pipeline | None]:
    """A function for the hook `read_pipeline`, made from a table.

    `known_by` are the signs of this CI, of which one is enough: `ACME_BUILD` (it is set), `ACME=true` (it has that
    value, in any case), `ACME_BUILD and ACME_PROJECT` (both). `identity` names the pipeline, its parts that are set
    joined by slashes; it must never change. `more` adds variables from elsewhere, such as a file. A CI whose table
    has no `status` does not publish one.
    """
    parts = {str(place): (source,) for place, source in enumerate(identity)}

    def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
        sign = _sign(environ, known_by)
        if not sign:
            return None
        environ = {**environ, **more(environ)} if more else environ
        facts, origins = read_facts(environ, table)
        _settle(facts, origins)
        names, variables = read_facts(environ, parts)
        if names:
            facts["id"], origins["id"] = "/".join(names.values()), ", ".join(variables.values())
        known = {field: origin for field, origin in origins.items() if field in facts}
        return Pipeline.model_validate(
            {**facts, "ci": ci, "publishes_status": "status" in table, "origins": {"ci": sign, **known}}
        )

    # For `jira-ci explain`, and for whoever checks the documentation.
    vars(jira_ci_read_pipeline).update(ci=ci, known_by=known_by, identity=identity)
    return jira_ci_read_pipeline


def commit_before(before: str | None, sha: str | None) -> str | None:
    """The commit of the previous run; zeros, `null` and the commit itself mean that it is not known."""
    if before is None or before.strip("0") == "" or before == "null":
        return None
    # Either of the two may be shortened.
    length = min(len(before), len(sha or ""))
    return None if sha and before[:length].lower() == sha[:length].lower() else before


def short_ref(ref: str | None) -> str | None:
    """A branch without `refs/heads/`; None for a tag or any other ref."""
    if ref is None or not ref.startswith("refs/"):
        return ref
    return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None


def _settle(facts: dict[str, str], origins: dict[str, str]) -> None:
    """Apply what holds for every CI, since each of these rules was needed for several.

    Outside a pull request (none, or the word `false`) there is no source branch, no target and no title; inside,
    the branch is the source branch or not known. A tag in the place of a branch is a tag and no branch. What is no
    hexadecimal commit (`HEAD`) is none. Without an environment there is no type of one. No address holds a user or
    a password.
    """

    def put(field: str, fact: str | None) -> None:
        if fact:
            facts[field] = fact
        else:
            facts.pop(field, None)

    if facts.get("pull_request", "").lower() in ("false", "0"):
        del facts["pull_request"]
    source, origin = facts.pop("source_branch", None), origins.pop("source_branch", "")
    if "pull_request" in facts:
        put("branch", source)
        origins["branch"] = origin
    else:
        put("target_branch", None)
        put("pull_request_title", None)
    branch = facts.get("branch", "")
    if branch.startswith("refs/tags/") and "tag" not in facts:
        put("tag", branch.removeprefix("refs/tags/"))
        origins["tag"] = origins["branch"]
    put("branch", None if branch == facts.get("tag") else short_ref(branch))
    put("target_branch", short_ref(facts.get("target_branch")))
    if not re.fullmatch("[0-9A-Fa-f]{4,64}", facts.get("sha", "")):
        put("sha", None)
    if "environment" not in facts:
        put("environment_type", None)
    put("commit_before", commit_before(facts.get("commit_before"), facts.get("sha")))
    for field in ("url", "commit_url"):
        put(field, re.sub("(?<=://)[^/?#]*@", "", facts.get(field, "")))
    put("repository_url", browsable(facts.get("repository_url", "")))
    if "repository_url" in facts and "repository" not in facts:
        facts["repository"] = facts["repository_url"].split("/", 3)[3]
        origins["repository"] = origins["repository_url"]


def _sign(environ: Mapping[str, str], known_by: tuple[str, ...]) -> str:
    """The variables that say which CI this is; empty where they do not."""
    for condition in known_by:
        signs = [sign.partition("=") for sign in condition.split(" and ")]
        if all(_value(environ, name).lower() == word if word else _value(environ, name) for name, _, word in signs):
            return ", ".join(name for name, _, _ in signs)
    return ""


def _look_up(environ: Mapping[str, str], source: VariableSource) -> tuple[str, tuple[str, ...]]:
    """What a source says, and the variables that it takes that from."""
    if isinstance(source, str):
        return _filled_in(source, environ, {}) if "{" in source else (_value(environ, source), (source,))
    match = re.fullmatch(source.pattern, _value(environ, source.variable), re.IGNORECASE | re.DOTALL)
    if match is None:
        return "", ()
    groups = {str(place): (group or "").strip() for place, group in enumerate(match.groups(), 1)}
    fact, variables = _filled_in(source.fact, environ, groups)
    return fact, variables if variables and not match.groups() else (source.variable, *variables)


def _filled_in(text: str, environ: Mapping[str, str], groups: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    names = dict.fromkeys(re.findall(r"{(\w+)}", text))
    values = {name: groups[name] if name in groups else _value(environ, name) for name in names}
    if not all(values.values()):
        return "", ()
    return re.sub(r"{(\w+)}", lambda name: values[name[1]], text), tuple(name for name in names if name not in groups)


def _value(environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable, "").strip()
    return "" if value == "null" or (value[:2] == "<+" and UNRESOLVED.fullmatch(value)) else value
