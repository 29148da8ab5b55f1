"""Reading what a CI's variables say, from a table that can be checked against the vendor's page."""

from __future__ import annotations

from collections.abc import Mapping

from jira_ci_core.sources import UNRESOLVED


def read_facts(
    environ: Mapping[str, str], table: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, str], dict[str, str]]:
    """The facts of a table of field → variables, and for each the variable it came from.

    The first variable that is set wins. Empty, `null` and an expression that Harness did not resolve are not set.
    """
    facts: dict[str, str] = {}
    origins: dict[str, str] = {}
    for field, variables in table.items():
        for variable in variables:
            value = environ.get(variable, "").strip()
            if value not in ("", "null") and not UNRESOLVED.fullmatch(value):
                facts[field], origins[field] = value, variable
                break
    return facts, origins


def identity(environ: Mapping[str, str], variables: tuple[str, ...]) -> tuple[str, str]:
    """The values of those of these variables that are set, joined by slashes, and their names."""
    facts, origins = read_facts(environ, {variable: (variable,) for variable in variables})
    return "/".join(facts.values()), ", ".join(origins.values())


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
