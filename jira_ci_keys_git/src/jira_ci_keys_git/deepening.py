"""Fetches the history that a range needs and a clone lacks: step by step, and no further than some bound."""

from __future__ import annotations

import logging
from dataclasses import replace

from jira_ci_core import Problem

from jira_ci_keys_git.git import GitError
from jira_ci_keys_git.ranges import Range, Ranges
from jira_ci_keys_git.repository import is_hash

log = logging.getLogger(__name__)

# So many commits further each time.
STEPS = 50, 500, 5_000, 50_000

# What is fetched has to have a name here, or git does not bring the tags along that lie on its way.
FETCHED = "refs/jira-ci/fetched"


def deepened(ranges: Ranges) -> Range:
    """The range, after fetching what it lacks. What cannot be fetched is one more problem of it."""
    found = ranges.find()
    repository = ranges.repository
    if not _lacks_history(ranges, found):
        return found
    program = repository.own_program()
    if program:
        return _with_problem(
            found,
            f"the repository's own configuration sets {program}, which names a program that fetching would run",
            "an earlier step could have put it there, and this step holds credentials",
            "set it in git's global configuration, or fetch all history when checking out",
        )
    remote = repository.remote()
    if remote is None:
        return _with_problem(
            found, "there is no remote to fetch from", "neither is there one named origin, nor exactly one", _REMEDY
        )
    fetched = 0
    for step in STEPS:
        was_shallow = bool(repository.shallow)
        try:
            reason = _fetch(ranges, found, remote, step)
        except GitError as error:
            reason = f"{error.problem.what}: {error.problem.why}"
        repository.look_for_cuts()
        found = ranges.find()
        if reason:
            return _with_problem(found, f"more history could not be fetched from {remote}", reason, _REMEDY)
        fetched += step
        if not (was_shallow and repository.shallow and _lacks_history(ranges, found)):
            break
    log.info("history was fetched from %s%s", remote, f", up to {fetched} commits further" if was_shallow else "")
    return found


_REMEDY = "check the remote and its credentials, or fetch all history when checking out (fetch-depth 0, GIT_DEPTH 0)"


def _lacks_history(ranges: Ranges, found: Range) -> bool:
    if found.problems:
        return True
    if found.is_known:
        return ranges.repository.is_cut(found.head, found.start.commits)
    return ranges.looks_back


def _fetch(ranges: Ranges, found: Range, remote: str, step: int) -> str:
    """Fetch; answers why that failed, or nothing."""
    repository = ranges.repository
    options = ["--quiet", "--no-recurse-submodules"]
    if repository.shallow:
        options.append(f"--deepen={step}")
    if not ranges.wants_tags:
        options.append("--no-tags")
    wanted = [f"+{found.head}:{FETCHED}"]
    branch = ranges.target_branch
    if branch:
        wanted.append(f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    # A commit that no branch has any more can be asked for by its hash, for as long as the remote keeps it.
    lost = (ranges.pipeline.sha, ranges.pipeline.commit_before)
    by_hash = [] if repository.shallow else [sha for sha in lost if sha and is_hash(sha) and not repository.commit(sha)]
    for refs in dict.fromkeys([(*wanted, *by_hash), tuple(wanted), ()]):
        # All or nothing, says git: what the remote does not have (a merge made here) spoils the rest.
        done = repository.git.fetch(*options, "--end-of-options", remote, *refs)
        if done.code == 0:
            return ""
    return done.reason


def _with_problem(found: Range, what: str, why: str, remedy: str) -> Range:
    return replace(found, problems=(*found.problems, Problem(what, why, remedy)))
