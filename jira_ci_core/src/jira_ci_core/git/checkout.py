"""Facts about a change from the repository that is checked out, for what a CI leaves out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from jira_ci_core.git.command import Git, GitError, GitFailure
from jira_ci_core.models import Pipeline
from jira_ci_core.urls import browsable

log = logging.getLogger(__name__)

FACTS = "sha", "message", "branch", "repository", "repository_url"
TIME_LIMIT = 10
LOG = "log", "-1", "--encoding=UTF-8", "--decorate=full", "--format=%H%x00%D%x00%B"


def work_tree(pipeline: Pipeline) -> Path:
    """Return the folder of the checkout: the workspace that CI names, or else the working directory."""
    folder = Path(pipeline.workspace or "")
    try:
        return folder if folder.is_dir() else Path()
    except OSError:
        return Path()


def checkout_of(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the top of the checkout that a folder lies in; None if it lies in none.

    A change can bring no `.git` of its own: git refuses such a path (https://git-scm.com/docs/git-fsck, hasDotgit).
    """
    folder, here = folder.resolve(), Path.cwd()
    for parent in (folder, *folder.parents):
        if os.path.lexists(parent / ".git"):
            return parent
    return here if "GIT_DIR" in environ and folder.is_relative_to(here) else None


def untracked(folder: Path, environ: Mapping[str, str]) -> frozenset[str] | None:
    """Return the names of the files in a folder that git does not track; None if it lies in no checkout.

    Raises GitError. git is asked at the top, where it looks for `.git` first: below it, a folder of the change may
    pretend to be a repository that tracks nothing.
    """
    top = checkout_of(folder, environ)
    if top is None:
        return None
    place = folder.resolve().relative_to(top).as_posix()
    with Git(top, environ, TIME_LIMIT).stream("ls-files", "--others", "-z", "--", place) as output:
        names = os.fsdecode(output.read()).split("\0")
    return frozenset(name if place == "." else name.removeprefix(f"{place}/") for name in names)


def filled_from_checkout(pipeline: Pipeline, environ: Mapping[str, str]) -> Pipeline:
    if all(getattr(pipeline, name) for name in FACTS):
        return pipeline
    facts = read_checkout(work_tree(pipeline), environ, pipeline.sha)
    if pipeline.tag or pipeline.pull_request:
        # CI checks these out as a detached commit, or as a branch that only CI knows.
        facts.pop("branch", None)
    return pipeline.filled(facts, "checkout")


def read_checkout(folder: Path, environ: Mapping[str, str], sha: str | None = None) -> dict[str, str]:
    """Return facts about the commit `sha`, or HEAD, by the names of Pipeline's fields; none if there is no such commit.

    They include a branch only if the commit is the one that is checked out.
    """
    if sha and sha.startswith("-"):
        return {}  # git would take it for an option
    git = Git(folder, environ, TIME_LIMIT)
    head = _output(git, *LOG, sha or "HEAD", "--")
    if not head:
        return {}
    commit, refs, message = f"{head}\0\0".split("\0", 2)  # git's output may be cut
    facts = {"sha": commit, "message": message.strip("\0").strip()}
    for ref in refs.split(", "):
        if ref.startswith("HEAD -> refs/heads/"):
            facts["branch"] = ref.removeprefix("HEAD -> refs/heads/")
    if url := browsable(_output(git, "config", "--get", "remote.origin.url").strip()):
        facts |= {"repository_url": url, "repository": url.split("/", 3)[3]}
    return {name: value for name, value in facts.items() if value}


def _output(git: Git, *arguments: str) -> str:
    """The output of a command; empty if it fails. Errors that the user can fix are logged."""
    try:
        return git.output(*arguments)
    except GitError as error:
        match error.failure:
            case GitFailure.NOT_INSTALLED:
                log.debug("there is no git here; nothing is taken from the checkout")
            case GitFailure.NOT_STARTED | GitFailure.TIMED_OUT:
                log.warning("git could not be asked about the checkout: %s", error.problem.why)
            case GitFailure.NOT_TRUSTED:
                log.warning("%s; nothing is taken from it; %s", error.problem.why, error.problem.remedy)
        return ""
