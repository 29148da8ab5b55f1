"""Facts about a change from the repository that is checked out, for what a CI leaves out."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO

from jira_ci_core.git.command import Git, GitError, GitFailure
from jira_ci_core.models import Pipeline
from jira_ci_core.urls import browsable

log = logging.getLogger(__name__)

FACTS = "sha", "message", "branch", "repository", "repository_url"
TIME_LIMIT = 10
# Such as safe.directory: https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
_KEPT = "GIT_CONFIG"
_READ_SIZE = 1 << 16
LOG = "log", "-1", "--encoding=UTF-8", "--decorate=full", "--format=%H%x00%D%x00%B"


def work_tree(pipeline: Pipeline) -> Path:
    """Return the folder of the checkout: the workspace that CI names, or else the working directory."""
    folder = Path(pipeline.workspace or "")
    try:
        return folder if folder.is_dir() else Path()
    except OSError:
        return Path()


def repositories_around(folder: Path, environ: Mapping[str, str]) -> dict[Path, dict[str, str]]:
    """Return the top of each repository that a folder lies in, the nearest first, with the environment for git there.

    What the environment says of a repository or its index counts for none that the file system shows, since a step
    before this one may have set it. Where GIT_DIR is set, its work tree is one more.
    """
    folder = folder.resolve()
    common = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
    found = {top: common for top in (folder, *folder.parents) if os.path.lexists(top / ".git")}
    if git_dir := environ.get("GIT_DIR"):
        top = Path(environ.get("GIT_WORK_TREE") or "").resolve()
        if folder.is_relative_to(top):
            found.setdefault(top, {**common, "GIT_DIR": str(Path(git_dir).absolute())})
    return found


def part_of_change(folder: Path, names: Collection[str], environ: Mapping[str, str]) -> frozenset[str]:
    """Return those of the files in a folder that came with the change: HEAD, or the index, of a repository holds them.

    Raises GitError. Code of the change can empty the index (`git rm --cached`), name another work tree, or put a
    repository of its own around the files, but HEAD of the repository around it all still holds them.
    """
    found: set[str] = set()
    for top, variables in repositories_around(folder, environ).items():
        place = folder.resolve().relative_to(top)
        above = [parent.as_posix() for parent in (place, *place.parents) if parent != Path()]
        files = {os.fsencode(place / name): name for name in names}
        git = Git(top, {**variables, "GIT_WORK_TREE": str(top), "GIT_NO_REPLACE_OBJECTS": "1"}, TIME_LIMIT)
        with git.stream("ls-files", "-z", "--", place.as_posix()) as output:
            found.update(files[path] for path in _parts(output) if path in files)
        in_folder = [f"{above[0]}/"] if above else []
        with git.stream("ls-tree", "-z", "--full-tree", "HEAD", "--", *in_folder, *above) as output:
            for entry in _parts(output):
                about, _, path = entry.partition(b"\t")
                if path in files:
                    found.add(files[path])
                elif b" commit " in about:  # the folder is a submodule, or in one
                    found.update(names)
    return frozenset(found)


def _parts(output: IO[bytes]) -> Iterator[bytes]:
    """What is separated by zero bytes; longer ones than any path are cut."""
    rest = b""
    while read := output.read(_READ_SIZE):
        *parts, rest = (rest + read).split(b"\0")
        yield from parts
        rest = rest[-_READ_SIZE:]


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
            case GitFailure.GIVEN_UP:
                log.debug("nothing is taken from the checkout: %s", error.problem.why)
            case GitFailure.NOT_STARTED | GitFailure.TIMED_OUT:
                log.warning("git could not be asked about the checkout: %s", error.problem.why)
            case GitFailure.NOT_TRUSTED:
                log.warning("%s; nothing is taken from it; %s", error.problem.why, error.problem.remedy)
        return ""
