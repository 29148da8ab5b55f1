"""The settings of the plugin."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from jira_ci_core import InvalidValueError, Names, PluginSettings, setting

MOST_PATHS = 100
"""How many paths KEYS_GIT_PATHS may have."""
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


def _split_paths(value: object) -> object:
    return [part for part in re.split("[,\n]", value) if part.strip()] if isinstance(value, str) else value


def _valid_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The paths as git takes them, without the `/**` that means everything in a folder elsewhere."""
    found = []
    for path in paths:
        plain = re.sub(r"(?:/\*{0,2})+$", "", path.strip().replace("\\", "/"))
        parts = PureWindowsPath(plain)
        if not plain or parts.anchor or ".." in parts.parts or plain.startswith("/"):
            raise InvalidValueError(
                f"{path!r} is empty, or leads out of the repository", "write paths from the top of the repository"
            )
        # `:!libs` excludes a folder elsewhere: https://git-scm.com/docs/gitglossary#Documentation/gitglossary.txt-pathspec
        if re.search(r"^:|[*?\[\0]", plain):
            raise InvalidValueError(f"{path!r} is a pattern", "write folders or files, such as services/shop")
        found.append(plain.removeprefix("./"))
    if len(found) > MOST_PATHS:
        raise InvalidValueError(f"it names more than {MOST_PATHS} paths", "name a folder that holds several of them")
    return tuple(dict.fromkeys(found))


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
    keys_git_paths: Annotated[tuple[str, ...], BeforeValidator(_split_paths), AfterValidator(_valid_paths)] = setting(
        (),
        help="folders or files: only commits that touch one of them count, several with commas; for monorepos",
        project_file=True,
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
