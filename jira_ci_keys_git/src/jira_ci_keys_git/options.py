"""The settings of the plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from jira_ci_core import InvalidValueError, Names, PluginSettings, setting

SOURCES = "subjects", "bodies", "trailers", "branches", "tags"


def _valid_sources(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name.lower() not in SOURCES:
            raise InvalidValueError(f"{name!r} is not a place in a commit", f"choose from: {', '.join(SOURCES)}")
    return tuple(name.lower() for name in names)


def _valid_rev(rev: str) -> str:
    if rev.startswith("-") or ".." in rev or "\0" in rev:
        raise InvalidValueError(
            "it is not a commit: it begins with a hyphen, or holds two dots", "write a commit, a tag or a branch"
        )
    return rev


class Options(PluginSettings):
    keys_git_sources: Annotated[Names, AfterValidator(_valid_sources)] = setting(
        ("subjects", "bodies", "trailers", "branches"),
        help=f"where to look for keys: {', '.join(SOURCES)} (merged ones, annotated ones), several with commas",
        project_file=True,
    )
    keys_git_trailers: Names = setting(
        (), help="the trailers to look at, such as Refs,Fixes; all by default", project_file=True
    )
    keys_git_skip_reverted: bool = setting(
        False, help="leave out the keys of commits that a later one of this change reverts", project_file=True
    )
    keys_git_since: Annotated[str, AfterValidator(_valid_rev)] | None = setting(
        None, help="a commit, tag or branch: all commits after it count, whatever CI says"
    )
    deployed_tag: str | None = setting(
        None, help="a deployment counts from the newest tag of this pattern, such as deployed/{environment}/*"
    )
    keys_git_remember: Literal["ref"] | None = setting(
        None, help="ref: keep the last commit deployed to each environment in refs/jira-ci/deployed/"
    )
    keys_git_deepen: bool = setting(False, help="fetch history that a shallow clone lacks, as much as is needed")
    keys_git_strict: bool = setting(False, help="fail the step (exit 3) if the commits cannot all be read")
