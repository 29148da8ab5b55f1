"""Facts about a change from the repository that is checked out, for what a CI leaves out."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

from jira_ci_core.git.command import Git, GitError, GitFailure
from jira_ci_core.models import Pipeline
from jira_ci_core.problem import Problem
from jira_ci_core.urls import browsable

log = logging.getLogger(__name__)

OF_REPOSITORY = "repository", "repository_url"
FACTS = "sha", "message", "branch", *OF_REPOSITORY
OF_COMMIT = "sha", "message", "branch", "tag", "version", "commit_before", "commit_url"
LENGTH_OF_SHA = 40
MOST_FOLDERS = 1000
MOST_LEVELS = 3
MOST_REPOSITORIES = 10
TIME_LIMIT = 10
# Such as safe.directory: https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
_KEPT = "GIT_CONFIG"
_READ_SIZE = 1 << 16
LOG = "log", "-1", "--encoding=UTF-8", "--decorate=full", "--format=%H%x00%D%x00%B"


def work_tree(pipeline: Pipeline, environ: Mapping[str, str]) -> Path:
    """Return the folder of the checkout of this change.

    That is the repository around the working directory, or else around the workspace that CI names: the first that
    holds the commit of the run, if CI names one.
    """
    folders, commit = _checkouts(pipeline, environ) or [Path()], _commit_of(pipeline)
    holding = (folder for folder in folders if _holds(folder, commit, environ))
    return next(holding, folders[0]) if commit and len(folders) > 1 else folders[0]


def _checkouts(pipeline: Pipeline, environ: Mapping[str, str]) -> list[Path]:
    """The folders to ask git in, best first; none if none seems to be a checkout."""
    if "GIT_DIR" in environ:
        return [Path()]
    here, workspace = _folder(""), _folder(pipeline.workspace)
    # Around a submodule there is another repository, which may be the one that holds the commit.
    found = dict.fromkeys(top for folder in (here, workspace) if folder for top in repositories_around(folder, environ))
    root = workspace or here
    if root and not any(root.is_relative_to(top) for top in found):
        # GitHub's `path:`, the `dir` of Jenkins and several repositories at Azure put a checkout into a folder below;
        # perhaps `src/github.com/acme`, but what lies so deep may be anything else that does not hold the commit.
        below = _repositories_below(root, levels=MOST_LEVELS if pipeline.sha else 1)
        if len(found) + len(below) > 1 or any(folder.parent != root for folder in below):
            below = [folder for folder in below if _holds(folder, pipeline.sha, environ)]
        found |= dict.fromkeys(below)
    return list(found)


def _resolved(path: str | Path) -> Path:
    """The path without links; one that leads nowhere stays, where `Path.resolve` raises RuntimeError up to Python 3.12.

    https://docs.python.org/3.12/library/pathlib.html#pathlib.Path.resolve
    """
    return Path(os.path.realpath(path))


def _folder(path: str | None) -> Path | None:
    try:
        folder = None if path is None else _resolved(path)
        return folder if folder and folder.is_dir() else None
    except (OSError, ValueError):
        return None


def _repositories_below(folder: Path, levels: int) -> list[Path]:
    """The repositories in a folder, the nearest first; not those in repositories, hidden folders and node_modules."""
    repositories: list[Path] = []
    folders = [folder]
    for _ in range(levels):
        inner = list(islice((inner for one in folders for inner in _folders_in(one)), MOST_FOLDERS))
        of_level = {one for one in inner if os.path.lexists(one / ".git")}
        repositories += sorted(of_level)
        folders = [one for one in inner if one not in of_level and one.name[0] != "." and one.name != "node_modules"]
    return repositories[:MOST_REPOSITORIES]


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in islice(entries, MOST_FOLDERS) if entry.is_dir()]
    except OSError:
        return []


def _holds(folder: Path, sha: str | None, environ: Mapping[str, str]) -> bool:
    try:
        _look_for(f"{sha}", folder, environ)
    except GitError:
        return False
    return True


def _look_for(commit: str, folder: Path, environ: Mapping[str, str]) -> None:
    """Raises GitError if a repository does not hold a commit, or cannot be asked."""
    Git(folder, environ, TIME_LIMIT).output("cat-file", "-e", f"{commit}^{{commit}}")


def _commit_of(pipeline: Pipeline) -> str | None:
    """The commit of the run that the checkout of the change must hold."""
    is_option = (pipeline.sha or "").startswith("-")
    return None if is_option or "sha" in pipeline.partial else pipeline.sha


def repositories_around(folder: Path, environ: Mapping[str, str]) -> dict[Path, dict[str, str]]:
    """Return the top of each repository that a folder lies in, the nearest first, with the environment for git there.

    What the environment says of a repository or its index counts for none that the file system shows, since a step
    before this one may have set it. Where GIT_DIR is set, its work tree is one more.
    """
    folder = _resolved(folder)
    common = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
    found = {top: common for top in (folder, *folder.parents) if os.path.lexists(top / ".git")}
    if git_dir := environ.get("GIT_DIR"):
        top = _resolved(environ.get("GIT_WORK_TREE") or "")
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
        place = _resolved(folder).relative_to(top)
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
    """The pipeline with what the checkout says of facts that are missing or partial."""
    is_short = 0 < len(pipeline.sha or "") < LENGTH_OF_SHA
    if all(getattr(pipeline, name) for name in FACTS) and not (pipeline.partial or is_short):
        return pipeline
    commit = _commit_of(pipeline)
    answers = (read_checkout(folder, environ, commit) for folder in _checkouts(pipeline, environ))
    facts = next(filter(None, answers), None)
    if facts is None:
        return pipeline
    if commit:
        pipeline = _without(pipeline, "sha") if is_short else pipeline
    elif facts["sha"] == pipeline.unrelated_commit:
        facts = {name: fact for name, fact in facts.items() if name in OF_REPOSITORY}
    elif "sha" in pipeline.partial and facts["sha"] != pipeline.sha:
        # The change is what is checked out, so what CI says is about another commit, and perhaps another repository.
        pipeline = _without(pipeline, *OF_COMMIT, *(name for name in OF_REPOSITORY if name in facts))
    if pipeline.tag or pipeline.pull_request:
        # CI checks these out as a detached commit, or as a branch that only CI knows.
        facts.pop("branch", None)
    return pipeline.filled(facts, "checkout")


def checkout_problem(pipeline: Pipeline, environ: Mapping[str, str]) -> Problem | None:
    """Return why the checkout does not tell the message of this change; None if git can read its commit."""
    commit = _commit_of(pipeline) or "HEAD"
    problems = []
    for folder in _checkouts(pipeline, environ) or [Path()]:
        try:
            _look_for(commit, folder, environ)
        except GitError as error:
            problem = error.problem
            if error.failure is GitFailure.FAILED:
                remedy = "check out the commit of this run, with more history if the clone is shallow (fetch-depth: 0)"
                problem = Problem("the message cannot be read", f"{commit} is not in the checkout in {folder}", remedy)
            problems.append(problem)
        else:
            return None
    return problems[0] if problems else None


def _without(pipeline: Pipeline, *names: str) -> Pipeline:
    origins = {name: origin for name, origin in pipeline.origins.items() if name not in names}
    return pipeline.model_copy(update={**dict.fromkeys(names), "origins": origins})


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
    if url := _remote_url(git):
        facts |= {"repository_url": url, "repository": url.split("/", 3)[3]}
    return {name: value for name, value in facts.items() if value}


def _remote_url(git: Git) -> str | None:
    """The web address of origin, or else of the first remote that has one."""
    entries = _output(git, "config", "--null", "--get-regexp", r"^remote\..*\.url$").split("\0")
    remotes = dict(entry.partition("\n")[::2] for entry in reversed(entries))
    urls = [remotes.pop("remote.origin.url", ""), *reversed(remotes.values())]
    return next(filter(None, map(browsable, urls)), None)


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
