"""What is reported: builds and deployments."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import Field, StringConstraints, model_validator

from jira_ci_core.models.base import Id, IssueKey, Model, Moment, Number, Text, WebUrl, is_issue_id
from jira_ci_core.models.pipeline import EnvironmentType
from jira_ci_core.urls import origin

MOST_PROPERTIES = 5
LONGEST_PROPERTY = 255
PROPERTY_NAME = r"^[^_:][^:]*$"
PropertyName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PROPERTY, pattern=PROPERTY_NAME)]
PropertyValue = Annotated[str, StringConstraints(max_length=LONGEST_PROPERTY)]
Properties = Annotated[dict[PropertyName, PropertyValue], Field(max_length=MOST_PROPERTIES)]

LONGEST_TEXT = 255
"""In characters; Jira takes no longer names, labels and descriptions."""
MOST_ASSOCIATIONS = 500
"""Jira takes no more issue keys, services, commits and repositories together, in one build or deployment.

https://developer.atlassian.com/cloud/jira/software/rest/api-group-deployments/
"""


class Kind(StrEnum):
    """Which field of the issue is updated."""

    BUILD = "build"
    DEPLOYMENT = "deployment"


class State(StrEnum):
    """The states Jira shows. A build has no `rolled_back`."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"
    UNKNOWN = "unknown"


class Site(Model):
    """The Jira site that reports are for; at least one of the two is known."""

    url: str | None = None
    """`https://myorg.atlassian.net`, without a path."""
    cloud_id: str | None = None

    @property
    def name(self) -> str:
        """The name shown to users: the host, or the cloud id if only that is known."""
        return self.url.partition("://")[2] if self.url else f"cloud id {self.cloud_id}"

    def issue_url(self, key: str) -> str | None:
        """Where an issue is shown; None for an issue's id, and if the site's address is not known."""
        if self.url is None or origin(self.url) != self.url or is_issue_id(key):
            return None
        return f"{self.url}/browse/{quote(key, safe='')}"

    def is_same(self, other: Site) -> bool:
        """Whether both are the same site: they share at least one of URL and cloud id, and none differs."""
        shared = [(mine, its) for mine, its in ((self.url, other.url), (self.cloud_id, other.cloud_id)) if mine and its]
        return bool(shared) and all(mine == its for mine, its in shared)


class Reference(Model):
    """The commit and the branch a build is of; each is shown only if it has an address."""

    commit: Text | None = None
    repository_url: WebUrl | None = None
    branch: Text | None = None
    branch_url: WebUrl | None = None


class PipelineIdentity(Model):
    """The pipeline as Jira shows it."""

    id: Id
    name: Text
    url: WebUrl


class Environment(Model):
    """Where a deployment goes. `id` stays the same from deployment to deployment, `name` is for people."""

    id: Id
    name: Text
    type: EnvironmentType = EnvironmentType.UNMAPPED


class MappedEnvironment(Model):
    """The result of `map_environment`: the type of a named environment and, if it differs from the name, its id."""

    type: EnvironmentType
    id: Text | None = None


class CountedTests(Model):
    """How many tests a build has run; each test is counted once."""

    passed: Number
    failed: Number
    skipped: Number | None = None
    """None if it is not known."""

    @property
    def total(self) -> int:
        return self.passed + self.failed + (self.skipped or 0)


class _Entity(Model):
    number: Number
    """With the pipeline (and the environment) it says which build or deployment this is."""
    sequence: Number
    """Milliseconds since the epoch; an update with a lower or equal one is ignored by Jira."""
    name: Text
    description: str = ""
    label: Text | None = None
    """A version or a tag."""
    url: WebUrl
    """Where the run is shown."""
    state: State
    last_updated: Moment
    pipeline: PipelineIdentity


class Build(_Entity):
    """One build of one pipeline; identity is (`pipeline.id`, `number`)."""

    kind: Literal[Kind.BUILD] = Kind.BUILD
    issue_keys: Annotated[tuple[IssueKey, ...], Field(min_length=1, max_length=MOST_ASSOCIATIONS)]
    """The keys, or the ids, of its issues."""
    references: Annotated[tuple[Reference, ...], Field(max_length=5)] = ()
    tests: CountedTests | None = None

    @model_validator(mode="after")
    def _has_a_state_builds_have(self) -> Self:
        if self.state is State.ROLLED_BACK:
            raise ValueError("a build cannot be rolled_back; only a deployment can")
        return self


class Commit(Model):
    """A commit, as the tool that tells Jira of commits names it and its repository."""

    hash: Text
    repository_id: Text


class Deployment(_Entity):
    """One deployment, of issues or services; identity is (`pipeline.id`, `environment.id`, `number`)."""

    kind: Literal[Kind.DEPLOYMENT] = Kind.DEPLOYMENT
    issue_keys: tuple[IssueKey, ...] = ()
    """The keys, or the ids, of its issues."""
    environment: Environment
    asks_for_gate: bool = False
    """Whether Jira is to decide if it may go on; only a pending one may ask."""
    duration: Number | None = None
    """In seconds."""
    service_ids: tuple[Text, ...] = ()
    """Ids or keys of the services that are deployed."""
    commits: tuple[Commit, ...] = ()
    """The commits that it brings."""
    repository_ids: tuple[Text, ...] = ()
    """The repositories that it is made from, as the tool that tells Jira of commits names them."""

    @model_validator(mode="after")
    def _is_about_as_much_as_jira_takes(self) -> Self:
        if not (self.issue_keys or self.service_ids):
            raise ValueError("it has neither an issue key nor a service")
        associations = (self.issue_keys, self.service_ids, self.commits, self.repository_ids)
        if sum(map(len, associations)) > MOST_ASSOCIATIONS:
            raise ValueError(f"issue keys, services, commits and repositories are more than {MOST_ASSOCIATIONS}")
        return self


class Report(Model):
    """One build or deployment for one site: everything that a delivery needs, and no credential."""

    site: Site
    entity: Annotated[Build | Deployment, Field(discriminator="kind")]
    properties: Properties = Field(default={})
    """The properties that "delete by property" selects on."""

    @property
    def identity(self) -> tuple[object, ...]:
        """Which build or deployment it is about; of its reports, the one with the highest sequence stands."""
        entity = self.entity
        environment = entity.environment.id if isinstance(entity, Deployment) else None
        return entity.kind, entity.pipeline.id, environment, entity.number

    def ready_to_cut(self, redact: Callable[[str], str]) -> Report:
        """The report with `redact`, which masks secrets, applied to each text that is too long for Jira."""

        def ready(text: str) -> str:
            return redact(text) if len(text) > LONGEST_TEXT else text

        entity = self.entity
        texts: dict[str, object] = {
            "name": ready(entity.name),
            "description": ready(entity.description),
            "label": entity.label and ready(entity.label),
            "pipeline": entity.pipeline.model_copy(update={"name": ready(entity.pipeline.name)}),
        }
        if isinstance(entity, Deployment):
            texts["environment"] = entity.environment.model_copy(update={"name": ready(entity.environment.name)})
        return self.model_copy(update={"entity": entity.model_copy(update=texts)})

    @property
    def title(self) -> str:
        """The name shown to users: `deployment 42 of acme/shop to prod`."""
        entity = self.entity
        to = f" to {entity.environment.name}" if isinstance(entity, Deployment) else ""
        return f"{entity.kind} {entity.number} of {entity.pipeline.name}{to}"


def is_property(name: str, value: str) -> bool:
    """Whether Jira takes this pair as a property, which `delete by property` selects on."""
    fits = max(len(name), len(value)) <= LONGEST_PROPERTY
    return fits and re.fullmatch(PROPERTY_NAME, name, re.DOTALL) is not None
