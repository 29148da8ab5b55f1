"""The identity of a run: its pipeline, its number, its environments, and the address that Jira links to.

These rules are fixed from the first release: a change in any of them would split a history in Jira.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from datetime import datetime

from jira_ci_core.clock import moment_of
from jira_ci_core.config.settings import Settings
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import Kind, Pipeline, PipelineIdentity
from jira_ci_core.problem import Problem
from jira_ci_core.urls import web_url_or_none

log = logging.getLogger(__name__)

LONGEST_ID = 255
_LARGEST = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST))


def pipeline_identity(pipeline: Pipeline, settings: Settings, redact: Callable[[str], str] = str) -> PipelineIdentity:
    """Return the pipeline's id, name and address. Raises SettingsError if there is no id or no address."""
    id = pipeline_id(pipeline, settings, redact)
    name = settings.pipeline or pipeline.name or pipeline.repository or id
    return PipelineIdentity(id=id, name=name, url=link(pipeline, settings))


def pipeline_id(pipeline: Pipeline, settings: Settings, redact: Callable[[str], str] = str) -> str:
    """Return the pipeline's id. Raises SettingsError if neither `PIPELINE` nor the CI nor the repository gives one."""
    id = settings.pipeline or pipeline.id
    if not id:
        why = f"{_source(pipeline)} does not say which pipeline this is, and there is no repository to name it after"
        remedy = "set PIPELINE to a name that stays the same from run to run, such as acme/shop"
        raise SettingsError(Problem("PIPELINE is not set", why, remedy))
    return stable_id(id, redact)


def identified(pipeline: Pipeline, reader: str) -> Pipeline:
    """Return the pipeline with the id that Jira gets: the plugin that read it, and what it or the repository is called.

    Several CIs may build one repository, call their pipelines after it, and each count its runs from 1: without the
    plugin's name their builds would replace each other.
    """
    name, source = (pipeline.id, "id") if pipeline.id else (pipeline.repository, "repository")
    if not name:
        return pipeline
    origins = {**pipeline.origins, "id": pipeline.origins.get(source, reader)}
    return pipeline.model_copy(update={"id": f"{reader}/{name}", "origins": origins})


def run_number(pipeline: Pipeline, settings: Settings, kind: Kind, now: datetime | None = None) -> int:
    """Return the number of this run, which orders its builds or deployments in Jira.

    It is RUN_NUMBER or the CI's own. A build of a CI that has none gets the start of the run in seconds, or else `now`.
    Raises SettingsError if there is none of these, or the CI's is no integer.
    """
    if settings.run_number is not None:
        return settings.run_number
    if pipeline.number and (number := ordered_number(pipeline.number)) is not None:
        return number
    why = f"{_source(pipeline)} does not say the number of this run"
    if pipeline.number:
        why = f"{_source(pipeline)} calls this run {pipeline.number}, which is no integer"
    began = moment_of(pipeline.started or "") or now
    if pipeline.number or began is None or kind is Kind.DEPLOYMENT or not pipeline.is_of_ci:
        why += f", and Jira shows the {kind} with the highest number as the latest"
        raise SettingsError(
            Problem("RUN_NUMBER is not set", why, "set RUN_NUMBER to a number that grows from run to run")
        )
    number = int(began.timestamp())
    remedy = "another step of this run shows as another build, unless RUN_NUMBER is set"
    log.warning("%s, so its time is taken (%d); %s", why, number, remedy)
    return number


def ordered_number(number: str) -> int | None:
    """Return a run's number; None if it is no integer, whose digits need not grow, or too large for Jira."""
    digits = number.lstrip("0") or "0"
    fits = re.fullmatch("[0-9]+", number) and len(digits) <= _MOST_DIGITS and int(digits) <= _LARGEST
    return int(digits) if fits else None


def link(pipeline: Pipeline, settings: Settings) -> str:
    """Return what Jira links to: LINK, the run's address or the commit's. Raises SettingsError if there is none."""
    for candidate in (settings.link, pipeline.url, commit_url(pipeline)):
        if url := web_url_or_none(candidate):
            return url
    why = f"{_source(pipeline)} gives no usable address of the run, and there is no commit with one"
    remedy = "set LINK to the address that people should get to from Jira, https://…"
    raise SettingsError(Problem("LINK is not set", why, remedy))


def commit_url(pipeline: Pipeline) -> str | None:
    if pipeline.commit_url or not (pipeline.repository_url and pipeline.sha):
        return pipeline.commit_url
    return f"{pipeline.repository_url.rstrip('/')}/{'commits' if _is_bitbucket(pipeline) else 'commit'}/{pipeline.sha}"


def branch_url(pipeline: Pipeline) -> str | None:
    if not (pipeline.repository_url and pipeline.branch):
        return None
    if "/_git/" in pipeline.repository_url:  # Azure Repos
        return f"{pipeline.repository_url}?version=GB{pipeline.branch}"
    return f"{pipeline.repository_url.rstrip('/')}/{'branch' if _is_bitbucket(pipeline) else 'tree'}/{pipeline.branch}"


def environment_id(name: str, redact: Callable[[str], str] = str) -> str:
    """Return a stable id made from an environment's name, regardless of case and white space."""
    # Masked first, since a secret is not recognised in lower case.
    name = redact(name) if len(name) > LONGEST_ID else name
    return stable_id(" ".join(name.lower().split()), redact)


def stable_id(text: str, redact: Callable[[str], str] = str) -> str:
    """Return a text as an id that Jira accepts: if it is too long, its beginning and a hash of the whole.

    `redact` masks secrets in one that is cut: the beginning of a secret is not recognised as one.
    """
    if len(text) <= LONGEST_ID or len(text := redact(text)) <= LONGEST_ID:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: LONGEST_ID - len(digest) - 1]}-{digest}"


def _is_bitbucket(pipeline: Pipeline) -> bool:
    return (pipeline.repository_url or "").startswith(("https://bitbucket.org/", "http://bitbucket.org/"))


def _source(pipeline: Pipeline) -> str:
    return pipeline.ci if pipeline.is_of_ci else "this machine (no CI was recognised)"
