"""The last commit deployed to an environment, as a ref of this plugin or a tag names it."""

from __future__ import annotations

import hashlib
import re

from jira_ci_core import Git, environment_id

REFS = "refs/jira-ci/deployed/"
# A ref is a file: file systems allow names of 255 bytes, and git appends ".lock".
MAX_NAME_LENGTH = 200


def ref_name(environment: str) -> str:
    """Return the ref of an environment. Names share a ref exactly if they are one environment in Jira.

    Only lower-case letters, digits, `-` and `_` stay as they are; every other byte becomes `%` and two hexadecimal
    digits. So a name cannot be an option or a path, git accepts it, and a file system may ignore case.
    """
    id = environment_id(environment)
    name = re.sub(rb"[^a-z0-9_-]", lambda match: b"%%%02x" % match[0][0], id.encode()).decode()
    if len(name) > MAX_NAME_LENGTH:
        digest = hashlib.sha256(id.encode()).hexdigest()
        name = f"{name[: MAX_NAME_LENGTH - len(digest) - 1]}-{digest}"
    return REFS + name


def record_deployed(git: Git, environment: str, commit: str) -> None:
    """Write the ref of an environment. Raises GitError."""
    git.output("update-ref", "-m", "jira-ci: deployed", ref_name(environment), commit)


def last_tagged_commit(git: Git, pattern: str, environment: str, head: str) -> str | None:
    """Return the commit of the newest tag of this pattern in the history of `head`.

    `{environment}` in the pattern stands for the environment's name. A tag on `head` itself belongs to this run and
    does not count. Raises GitError.
    """
    glob = pattern.replace("{environment}", _escape_glob(environment))
    answer = git.output(
        "for-each-ref",
        # Git sorts by the last key first.
        *("--sort=-version:refname", "--sort=-creatordate"),
        *("--merged", head),
        "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)",
        f"refs/tags/{glob}",
    )
    return next((commit for commit in answer.split() if commit != head), None)


def _escape_glob(text: str) -> str:
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
