"""Reads the git repository in the working directory if no CI is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jira_ci_core import Pipeline, hookimpl, read_checkout


@hookimpl(trylast=True)
def jira_ci_read_pipeline(environ: Mapping[str, str]) -> Pipeline | None:
    """The commit that is checked out; number, link and status have to come from settings."""
    facts = read_checkout(Path(), environ)
    if not facts:
        return None
    name = facts.get("repository")
    values = {**facts, "ci": "git checkout", "name": name, "origins": dict.fromkeys(facts, "checkout")}
    return Pipeline.model_validate(values)
