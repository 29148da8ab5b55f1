"""Which commit was deployed to an environment last: by a ref that this tool keeps, or by a tag."""

from __future__ import annotations

import hashlib
import re

from jira_ci_core import Git, environment_id

REFS = "refs/jira-ci/deployed/"
# What a file may be called on every system, with room for what git adds to it.
LONGEST_NAME = 200


def ref_of(environment: str) -> str:
    """The ref of one environment; two environments that are not the same in Jira never share one.

    What is not a plain character is written as `%` and two hexadecimal digits, so that no name can be an option, lead
    elsewhere, or be one that git refuses; all in lower case, as there are file systems that ignore it.
    """
    id = environment_id(environment)
    name = re.sub(rb"[^a-z0-9_-]", lambda match: b"%%%02x" % match[0][0], id.encode()).decode()
    if len(name) > LONGEST_NAME:
        digest = hashlib.sha256(id.encode()).hexdigest()
        name = f"{name[: LONGEST_NAME - len(digest) - 1]}-{digest}"
    return REFS + name


def remember(git: Git, environment: str, commit: str) -> None:
    """Note that this commit is deployed now. Raises GitError."""
    git.output("update-ref", "-m", "jira-ci: deployed", ref_of(environment), commit)


def last_tagged(git: Git, pattern: str, environment: str, head: str) -> str | None:
    """The newest commit with a matching tag in the history of `head`; a tag on `head` itself is of this run.

    `{environment}` in the pattern stands for the environment's name. Raises GitError.
    """
    glob = pattern.replace("{environment}", _literally(environment))
    answer = git.output(
        "for-each-ref",
        # The last key is the first to sort by.
        *("--sort=-version:refname", "--sort=-creatordate"),
        *("--merged", head),
        "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)",
        f"refs/tags/{glob}",
    )
    return next((commit for commit in answer.split() if commit != head), None)


def _literally(text: str) -> str:
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
