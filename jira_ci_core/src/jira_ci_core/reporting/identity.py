"""Who a run is: its pipeline, its number, its environments, and the address that Jira links to.

These rules are fixed from the first release: a change in any of them splits a history in Jira.
"""

from __future__ import annotations

import hashlib
import re

from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Kind, Pipeline, PipelineIdentity
from jira_ci_core.problem import Problem
from jira_ci_core.urls import web_url

LONGEST_ID = 255
_LARGEST = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST))
# Digits that no letter follows directly: `build-42`, `v1.2.17`, `20240115.3`. What looks like a hash or a UUID
# has digits too, but they count nothing.
_COUNTING = re.compile(r"(?:[^0-9]*+[0-9]++(?![A-Za-z]))++[^0-9]*+")


def pipeline_identity(pipeline: Pipeline, settings: Settings) -> PipelineIdentity:
    """Which pipeline this is, for Jira and for people.

    Raises SettingsError where neither `PIPELINE` nor CI nor the repository says, or nothing can be linked to.
    """
    id = pipeline_id(pipeline, settings)
    name = settings.pipeline or pipeline.name or pipeline.repository or id
    return PipelineIdentity(id=id, name=name, url=link(pipeline, settings))


def pipeline_id(pipeline: Pipeline, settings: Settings) -> str:
    """What Jira knows the pipeline by. Raises SettingsError where neither `PIPELINE` nor CI nor the repository says."""
    id = settings.pipeline or pipeline.id or pipeline.repository
    if not id:
        raise SettingsError(
            Problem(
                "PIPELINE is not set",
                f"{_who(pipeline)} does not say which pipeline this is, and there is no repository to name it after",
                "set PIPELINE to a name that stays the same from run to run, such as acme/shop",
            )
        )
    return stable_id(id)


def run_number(pipeline: Pipeline, settings: Settings, kind: Kind) -> int:
    """The number of this run, the same in every step and every rerun of it.

    Raises SettingsError where there is none, or none that has an order and a deployment needs one.
    """
    if settings.run_number is not None:
        return settings.run_number
    if not pipeline.number:
        raise SettingsError(
            Problem(
                "RUN_NUMBER is not set",
                f"{_who(pipeline)} does not say the number of this run",
                "set RUN_NUMBER to a number that grows from run to run",
            )
        )
    counted = countable(pipeline.number)
    if counted is not None:
        return counted
    if kind is Kind.DEPLOYMENT:
        raise SettingsError(
            Problem(
                "RUN_NUMBER is not set",
                f"the number that {_who(pipeline)} gives this run ({pipeline.number}) has no order, "
                "and Jira shows the deployment with the highest number as the latest",
                "set RUN_NUMBER to a number that grows from run to run",
            )
        )
    # 52 bits: as large as a number can be that every JSON reader keeps exact.
    return int.from_bytes(hashlib.sha256(pipeline.number.encode()).digest()[:8]) >> 12


def countable(number: str) -> int | None:
    """The digits in a run's number, where they count something; None where it has no order."""
    digits = re.sub(r"[^0-9]", "", number).lstrip("0") or "0"
    if _COUNTING.fullmatch(number) and len(digits) <= _MOST_DIGITS and int(digits) <= _LARGEST:
        return int(digits)
    return None


def link(pipeline: Pipeline, settings: Settings) -> str:
    """The address that Jira links to: LINK, else the run, else the commit.

    Raises SettingsError, naming LINK, where none of them is known.
    """
    for candidate in (settings.link, pipeline.url, commit_url(pipeline)):
        try:
            if candidate:
                return web_url(candidate)
        except ValueError:
            continue
    raise SettingsError(
        Problem(
            "LINK is not set",
            f"{_who(pipeline)} gives no usable address of the run, and there is no commit with one",
            "set LINK to the address that people should get to from Jira, https://…",
        )
    )


def commit_url(pipeline: Pipeline) -> str | None:
    """Where the commit is shown, as far as that can be known."""
    if pipeline.commit_url:
        return pipeline.commit_url
    if not (pipeline.repository_url and pipeline.sha):
        return None
    return f"{pipeline.repository_url.rstrip('/')}/{'commits' if _is_bitbucket(pipeline) else 'commit'}/{pipeline.sha}"


def branch_url(pipeline: Pipeline) -> str | None:
    """Where the branch is shown, as far as that can be known."""
    if not (pipeline.repository_url and pipeline.branch):
        return None
    if "/_git/" in pipeline.repository_url:
        # Azure Repos.
        return f"{pipeline.repository_url}?version=GB{pipeline.branch}"
    return f"{pipeline.repository_url.rstrip('/')}/{'branch' if _is_bitbucket(pipeline) else 'tree'}/{pipeline.branch}"


def environment_id(name: str) -> str:
    """A stable id made from an environment's name: case and white space make no difference."""
    return stable_id(" ".join(name.lower().split()))


def stable_id(text: str) -> str:
    """An id that Jira takes: the text itself, or, where that is too long, its beginning and a hash of all of it."""
    if len(text) <= LONGEST_ID:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: LONGEST_ID - len(digest) - 1]}-{digest}"


def _is_bitbucket(pipeline: Pipeline) -> bool:
    return (pipeline.repository_url or "").startswith(("https://bitbucket.org/", "http://bitbucket.org/"))


def _who(pipeline: Pipeline) -> str:
    return pipeline.ci if pipeline.is_of_ci else "this machine (no CI was recognised)"
