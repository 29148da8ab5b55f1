"""Reads a pipeline run from a CI's variables, by a table that can be checked against the vendor's page."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jira_ci_core.config.environ import value_of, variables_that_hold
from jira_ci_core.models import Pipeline
from jira_ci_core.urls import browsable


class Match(NamedTuple):
    """A fact taken from a variable whose whole value matches a pattern, in any case.

    `Match("CODEBUILD_WEBHOOK_TRIGGER", "tag/(.+)")` gives what the group matches, and
    `Match("BITBUCKET_EXIT_CODE", "0", "success")` gives its third part, which may name groups and other variables in
    braces: `{1}`, `{CI_ENVIRONMENT_NAME}`. A variable that is not set is matched as an empty text.
    """

    variable: str
    pattern: str
    fact: str = "{1}"


class Partial(NamedTuple):
    """A source whose fact CI may cut, or may take from elsewhere than the commit: what the checkout says comes first.

    `Partial("BUILDKITE_MESSAGE")`: a message that was typed, perhaps. A partial `sha` is that of the run and not of the
    change: if another commit is checked out, that is the change, and what CI says of its own does not count.

    `Partial("ACME_MESSAGE", 200)`: CI cuts it to that many characters or bytes. A text as long as that may be cut
    within an issue key, which is then another key, so the word that it ends with is left out.
    """

    source: str | Match
    limit: int | None = None


VariableSource = str | Match | Partial
"""A source of a fact: a variable, a text with variables in braces, all of them set (`{SERVER}/{PATH}`), or a Match.

`Partial(…)` around it: the checkout knows better.
"""

VariableTable = Mapping[str, tuple[VariableSource, ...]]
"""The sources of each field of `Pipeline`; the first that gives a fact wins.

There are two more fields: `source_branch`, which is the branch in a pull request and is not used elsewhere, and
`title`, the title of a pull request even if its number is unknown.
"""


# With what a version goes on after a number, and what some put for the rest.
_OF_A_WORD = f"{string.ascii_letters}{string.digits}_-.…"
_NAME_IN_BRACES = re.compile(r"{([\w.]+)}")


def read_facts(environ: Mapping[str, str], table: VariableTable) -> tuple[dict[str, str], dict[str, str]]:
    """Return the facts of a table, and for each the variable (or variables) it came from.

    A variable counts as not set if it is empty, `null`, or an expression that Harness left unresolved.
    """
    facts, origins, _ = _read_table(environ, table)
    return facts, origins


def reader(
    ci: str,
    table: VariableTable,
    *,
    recognised_by: tuple[str, ...],
    identity: tuple[VariableSource | tuple[VariableSource, ...], ...],
    extra_variables: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
    status_may_be_missing: bool = False,
) -> Callable[[Mapping[str, str]], Pipeline | None]:
    """Make a function for the hook `read_pipeline` from a table.

    The CI is recognised if any of the conditions in `recognised_by` holds: `ACME_BUILD` (it is set), `ACME=true` (it
    has that value, in any case), `ACME_BUILD and ACME_PROJECT` (both hold). `identity` names the pipeline: its parts
    that are set, joined by slashes; of a part that is a tuple, the first that is set. It must never change, or Jira
    shows one pipeline as two. Core puts the plugin's name before it. `extra_variables` adds variables from elsewhere,
    such as a file. A CI whose table has no `status` does not publish one; with `status_may_be_missing`, a run without
    one does not either, and has not just begun.
    """
    identity_table = {str(place): alternatives(part) for place, part in enumerate(identity)}

    def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
        recognised = variables_that_hold(environ, recognised_by)
        if not recognised:
            return None
        environ = {**environ, **extra_variables(environ)} if extra_variables else environ
        facts, origins, partial = _read_table(environ, table)
        _normalise(facts, origins)
        parts, variables = read_facts(environ, identity_table)
        if parts:
            facts["id"], origins["id"] = "/".join(parts.values()), ", ".join(variables.values())
        publishes_status = "status" in (facts if status_may_be_missing else table)
        of_ci = {"ci": ci, "publishes_status": publishes_status, "origins": {"ci": recognised, **origins}}
        return Pipeline.model_validate({**facts, **of_ci, "partial": tuple(name for name in partial if name in facts)})

    # `jira-ci explain` shows them, and the tests hold docs/ci.md against them.
    vars(jira_ci_read_pipeline).update(ci=ci, recognised_by=recognised_by, identity=identity)
    return jira_ci_read_pipeline


def alternatives(part: VariableSource | tuple[VariableSource, ...]) -> tuple[VariableSource, ...]:
    """Return the sources of a part of an identity."""
    return (part,) if isinstance(part, (str, Match, Partial)) else part


def commit_before(before: str | None, sha: str | None) -> str | None:
    """Return the commit of the previous run; None for zeros, `null` and the commit itself, which mean "not known"."""
    if before is None or before.strip("0") == "" or before == "null":
        return None
    # Either of the two may be shortened.
    length = min(len(before), len(sha or ""))
    return None if sha and before[:length].lower() == sha[:length].lower() else before


def branch_name(ref: str | None) -> str | None:
    """Return a branch without `refs/heads/`; None for a tag or any other ref."""
    if ref is None or not ref.startswith("refs/"):
        return ref
    return ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None


def _normalise(facts: dict[str, str], origins: dict[str, str]) -> None:
    """Apply the rules that hold for every CI; each was needed for several.

    - In a pull request the branch is its source branch, or not known. Elsewhere (no number, or `false`) there is no
      target branch, no description and no title, unless the table has a `title`.
    - A tag in place of a branch is a tag.
    - A commit is hexadecimal (`HEAD` is not).
    - The type of an environment needs an environment.
    - An address holds no user and no password.
    """

    def replace(field: str, fact: str | None, origin: str | None = None) -> None:
        if fact:
            facts[field], origins[field] = fact, origin or origins[field]
        else:
            facts.pop(field, None)
            origins.pop(field, None)

    if facts.get("pull_request", "").lower() in ("false", "0"):
        replace("pull_request", None)
    source, origin = facts.pop("source_branch", None), origins.pop("source_branch", None)
    if "pull_request" in facts:
        replace("branch", source, origin)
    else:
        replace("target_branch", None)
        replace("pull_request_title", None)
        replace("pull_request_description", None)
    title, origin = facts.pop("title", None), origins.pop("title", None)
    has_title = "pull_request_title" in facts
    replace("pull_request_title", facts["pull_request_title"] if has_title else title, None if has_title else origin)
    branch = facts.get("branch", "")
    if branch.startswith("refs/tags/") and "tag" not in facts:
        replace("tag", branch.removeprefix("refs/tags/"), origins["branch"])
    replace("branch", None if branch == facts.get("tag") else branch_name(branch))
    replace("target_branch", branch_name(facts.get("target_branch")))
    if not re.fullmatch("[0-9A-Fa-f]{4,64}", facts.get("sha", "")):
        replace("sha", None)
    if "environment" not in facts:
        replace("environment_type", None)
    replace("commit_before", commit_before(facts.get("commit_before"), facts.get("sha")))
    for field in ("url", "commit_url"):
        replace(field, re.sub("(?<=://)[^/?#]*@", "", facts.get(field, "")))
    replace("repository_url", browsable(facts.get("repository_url", "")))
    if "repository_url" in facts and "repository" not in facts:
        replace("repository", facts["repository_url"].split("/", 3)[3], origins["repository_url"])


def _read_table(
    environ: Mapping[str, str], table: VariableTable
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Return facts and origins, and the fields whose source is partial."""
    facts: dict[str, str] = {}
    origins: dict[str, str] = {}
    partial = []
    for field, sources in table.items():
        for source in sources:
            of_ci = source.source if isinstance(source, Partial) else source
            fact, variables = _read(environ, of_ci)
            if fact:
                if isinstance(source, Partial):
                    partial.append(field)
                    fact = _without_cut_word(fact, source.limit)
                if fact:
                    facts[field], origins[field] = fact, ", ".join(variables)
                break
    return facts, origins, tuple(partial)


def _without_cut_word(text: str, limit: int | None) -> str:
    is_whole = limit is None or len(text.encode(errors="replace")) < limit
    return text if is_whole else text.rstrip(_OF_A_WORD).rstrip()


def _read(environ: Mapping[str, str], source: str | Match) -> tuple[str, tuple[str, ...]]:
    """Return the fact that a source gives, and the variables that it was made from."""
    if isinstance(source, str):
        return _substitute(source, environ, {}) if "{" in source else (value_of(environ, source), (source,))
    match = re.fullmatch(source.pattern, value_of(environ, source.variable), re.IGNORECASE | re.DOTALL)
    if match is None:
        return "", ()
    groups = {str(place): (group or "").strip() for place, group in enumerate(match.groups(), 1)}
    fact, variables = _substitute(source.fact, environ, groups)
    return fact, variables if variables and not match.groups() else (source.variable, *variables)


def _substitute(template: str, environ: Mapping[str, str], groups: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the template with groups and variables in it, and those variables; nothing if one of them is empty."""
    names = dict.fromkeys(_NAME_IN_BRACES.findall(template))
    values = {name: groups[name] if name in groups else value_of(environ, name) for name in names}
    if not all(values.values()):
        return "", ()
    variables = tuple(name for name in names if name not in groups)
    return _NAME_IN_BRACES.sub(lambda name: values[name[1]], template), variables
