"""Makes the builds and deployments to report, from what is known of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from jira_ci_core.clock import Clock, moment_of
from jira_ci_core.config.settings import Settings
from jira_ci_core.delivery.session import make_site
from jira_ci_core.errors import SettingsError
from jira_ci_core.models import (
    MOST_ASSOCIATIONS,
    Build,
    Commit,
    CountedTests,
    Deployment,
    Environment,
    EnvironmentType,
    Kind,
    MappedEnvironment,
    Pipeline,
    Reference,
    Report,
    State,
)
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.identity import branch_url, environment_id, pipeline_identity, run_number, stable_id
from jira_ci_core.reporting.label import make_label
from jira_ci_core.urls import browsable, web_url_or_none

UNFINISHED = State.PENDING, State.IN_PROGRESS

log = logging.getLogger(__name__)


def kind_of(settings: Settings) -> Kind:
    """A deployment if ENVIRONMENT_NAME is set, else a build."""
    return Kind.DEPLOYMENT if settings.environment_name else Kind.BUILD


def services_of(settings: Settings) -> tuple[str, ...]:
    """The services that this run is about: those of a deployment, which needs no issue key beside them."""
    return settings.service_ids if kind_of(settings) is Kind.DEPLOYMENT else ()


def hint_at_deployment(pipeline: Pipeline, settings: Settings) -> None:
    """Log how to report a deployment if CI names an environment, or services are set; neither makes a build one."""
    name = pipeline.environment
    if settings.service_ids and not settings.environment_name:
        log.info("SERVICE_IDS is for deployments; a build is reported. Set ENVIRONMENT_NAME to report a deployment")
    if name and not settings.environment_name:
        remedy = f"Set ENVIRONMENT_NAME={name} to report a deployment"
        log.info("%s says that this run deploys to %s; a build is reported. %s", pipeline.ci, name, remedy)


def make_reports(
    plugins: Plugins,
    pipeline: Pipeline,
    keys: tuple[str, ...],
    state: State,
    settings: Settings,
    clock: Clock,
    redact: Callable[[str], str] = str,
) -> tuple[Report, ...]:
    """One report for a build, or one for each environment. Raises SettingsError without identity, number or address.

    `redact` masks secrets in the texts that are longer than Jira takes, before they are cut.
    """
    kind = kind_of(settings)
    site = make_site(settings)
    sequence = clock.next_sequence()
    now = clock.moment(sequence)
    identity = pipeline_identity(pipeline, settings, redact)
    number = run_number(pipeline, settings, kind, now)
    title = pipeline.pull_request_title or pipeline.message or ""
    label = make_label(pipeline, settings.label)
    if label is None and settings.label:
        log.info("LABEL is %s, and this run has none; no label is shown", settings.label)
    facts = {
        "number": number,
        "sequence": sequence,
        "name": f"{identity.name} #{number}",
        "description": title.strip().partition("\n")[0].strip(),
        "label": label,
        "url": identity.url,
        "state": state,
        "last_updated": now,
        "issue_keys": keys,
        "pipeline": identity,
    }
    entities: list[Build | Deployment]
    if kind is Kind.BUILD:
        facts |= {"references": _references(pipeline), "tests": _tests(state, settings)}
        entities = [Build.model_validate(facts)]
    else:
        facts |= {**_associations(keys, settings), "duration": _duration(pipeline, state, settings, now)}
        environments = make_environments(plugins, pipeline, settings, redact)
        entities = [Deployment.model_validate({**facts, "environment": environment}) for environment in environments]
    reports = (Report(site=site, entity=entity, properties=settings.properties) for entity in entities)
    return tuple(report.ready_to_cut(redact) for report in reports)


def make_environments(
    plugins: Plugins, pipeline: Pipeline, settings: Settings, redact: Callable[[str], str] = str
) -> list[Environment]:
    """The environments that ENVIRONMENT_NAME names. Raises SettingsError if several would share one id."""
    names = settings.environment_name
    if settings.environment_id and len(names) > 1:
        why = f"it is the id of one environment, and ENVIRONMENT_NAME names {len(names)}"
        remedy = "leave ENVIRONMENT_ID out, or report each environment in a step of its own"
        raise SettingsError(Problem("ENVIRONMENT_ID cannot be set here", why, remedy))
    id_of_ci = environment_id(pipeline.environment) if pipeline.environment is not None else None
    found: dict[str, Environment] = {}
    for name in names:
        type = settings.environment_type or _type_in_table(name, settings.environments)
        mapped = None
        if type is None or settings.environment_id is None:
            mapped = plugins.map_environment(name, settings)
        mapped = mapped or MappedEnvironment(type=EnvironmentType.UNMAPPED)
        # GitLab's tier `other` says only that GitLab does not know better.
        if type is None and environment_id(name) == id_of_ci and pipeline.environment_type != EnvironmentType.UNMAPPED:
            type = pipeline.environment_type
        id = settings.environment_id or mapped.id or environment_id(name, redact)
        found.setdefault(id, Environment(id=stable_id(id, redact), name=name, type=type or mapped.type))
    return list(found.values())


def _type_in_table(name: str, table: Mapping[str, EnvironmentType]) -> EnvironmentType | None:
    name = name.lower()
    return next((type for pattern, type in table.items() if fnmatchcase(name, pattern.lower())), None)


def _duration(pipeline: Pipeline, state: State, settings: Settings, now: datetime) -> int | None:
    """The seconds that a deployment took: DURATION, or the time since the job began, once it has ended."""
    if settings.duration is not None:
        return settings.duration
    began = moment_of(pipeline.started or "") if state not in UNFINISHED else None
    return int((now - began).total_seconds()) if began and began <= now else None


def _associations(keys: tuple[str, ...], settings: Settings) -> dict[str, object]:
    """What a deployment is about, as much of it as Jira takes: services first, then issue keys, then commits."""
    services, repository = settings.service_ids, settings.repository_id
    repositories = (repository,) if repository else ()
    room = MOST_ASSOCIATIONS - len(services) - len(repositories)
    left = room - len(keys[:room])
    for name, found, most in (("issue keys", keys, room), ("commits", settings.commits, left)):
        if len(found) > most:
            warning = "Jira takes %d issue keys, services and commits together: the last %d %s are dropped"
            log.warning(warning, MOST_ASSOCIATIONS, len(found) - most, name)
    commits = tuple(Commit(hash=hash, repository_id=repository or "") for hash in settings.commits[:left])
    return {
        "issue_keys": keys[:room],
        "service_ids": services,
        "commits": commits,
        "repository_ids": repositories,
    }


def _tests(state: State, settings: Settings) -> CountedTests | None:
    """The tests of a build that has ended. Before that, the files may be those of an earlier run."""
    if not settings.test_results or state in UNFINISHED:
        return None
    from jira_ci_core.reporting.test_results import count_tests

    return count_tests(settings.test_results, Path())


def _references(pipeline: Pipeline) -> tuple[Reference, ...]:
    repository = browsable(pipeline.repository_url or "")
    if repository is None:
        return ()
    commit = {"commit": pipeline.sha, "repository_url": repository} if pipeline.sha else {}
    address = web_url_or_none(branch_url(pipeline.model_copy(update={"repository_url": repository})))
    branch = {"branch": pipeline.branch, "branch_url": address} if address else {}
    return (Reference.model_validate({**commit, **branch}),) if commit or branch else ()
