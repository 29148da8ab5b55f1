"""What the checked-out git repository says of the change, for the facts that a CI leaves out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from jira_ci_core.models import Pipeline
from jira_ci_core.urls import browsable

log = logging.getLogger(__name__)

FACTS = "sha", "message", "branch", "repository", "repository_url"
LONGEST_WAIT = 10
# Of the repository's own configuration nothing may run or colour the output; nothing may ask for a password.
_SAFE = "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "color.ui=false", "--no-pager"


def filled_from_checkout(pipeline: Pipeline, environ: Mapping[str, str]) -> Pipeline:
    """The pipeline, with what it leaves empty taken from the repository in its workspace, or else right here."""
    if all(getattr(pipeline, name) for name in FACTS):
        return pipeline
    workspace = Path(pipeline.workspace or "")
    facts = read_checkout(workspace if _is_folder(workspace) else Path(), environ, pipeline.sha)
    if pipeline.tag or pipeline.pull_request:
        # What is checked out for those is a detached commit, or a branch that only CI knows.
        facts.pop("branch", None)
    return pipeline.filled(facts, "checkout")


def read_checkout(folder: Path, environ: Mapping[str, str], sha: str | None = None) -> dict[str, str]:
    """What is known of the commit `sha`, or of the one that is checked out; empty where there is no repository.

    The branch is told only where that commit is the one checked out.
    """
    if sha and sha.startswith("-"):
        return {}  # git would take it for an option
    head = _git(folder, environ, "log", "-1", "--decorate=full", "--format=%H%x00%D%x00%B", sha or "HEAD", "--")
    if not head:
        return {}
    commit, refs, message = head.split("\0", 2)
    facts = {"sha": commit, "message": message.strip()}
    for ref in refs.split(", "):
        if ref.startswith("HEAD -> refs/heads/"):
            facts["branch"] = ref.removeprefix("HEAD -> refs/heads/")
    url = browsable((_git(folder, environ, "config", "--get", "remote.origin.url") or "").strip())
    if url:
        facts["repository_url"] = url
        facts["repository"] = url.split("/", 3)[3]
    return {name: value for name, value in facts.items() if value}


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _git(folder: Path, environ: Mapping[str, str], *arguments: str) -> str | None:
    import subprocess

    quiet = {**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            ["git", *_SAFE, *arguments],
            cwd=folder,
            env=quiet,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_WAIT,
        )
    except FileNotFoundError:
        log.debug("there is no git here; nothing is taken from the checkout")
        return None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        log.warning("git could not be asked about the checkout: %s", error)
        return None
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    if b"dubious ownership" in done.stderr:
        log.warning(
            "git does not trust the checkout in %s, because it belongs to another user; nothing is taken from it. "
            "Run: git config --global --add safe.directory %s",
            folder,
            folder,
        )
    return None
