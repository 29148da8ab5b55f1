"""The values that flow from step to step: what CI knows, which keys were found, what is reported, what Jira said.

All of them are immutable. Those that may travel (a `Report`, a `Receipt`) are plain data and hold no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jira_ci_core.issue_keys import is_issue_key
from jira_ci_core.problem import Problem
from jira_ci_core.urls import origin, web_url


class Model(BaseModel):
    """Base of all models: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def redacted(self, redact: Callable[[str], str]) -> Self:
        """Return a copy with `redact` applied to every string. The copy is not validated."""
        return self.model_copy(update={name: _redacted(value, redact) for name, value in self})


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """Enum members are left as they are."""
    if isinstance(value, (Model, Problem)):
        return value.redacted(redact)
    if isinstance(value, tuple):
        return tuple(_redacted(one, redact) for one in value)
    if isinstance(value, dict):
        return {redact(name): _redacted(one, redact) for name, one in value.items()}
    return redact(value) if type(value) is str else value


def _issue_key(text: str) -> str:
    if not is_issue_key(text):
        raise ValueError(f"{text!r} is not an issue key, such as MYT-1234")
    return text.upper()


IssueKey = Annotated[str, AfterValidator(_issue_key)]
Text = Annotated[str, StringConstraints(min_length=1)]
# Jira's limit; a longer one must not be cut, or two might become one.
Id = Annotated[str, StringConstraints(min_length=1, max_length=255)]
WebUrl = Annotated[str, AfterValidator(web_url)]
# In UTC, as JSON has no place for an offset with seconds.
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
MOST_PROPERTIES = 5
LONGEST_PROPERTY = 255
PROPERTY_NAME = r"^[^_:][^:]*$"
PropertyName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PROPERTY, pattern=PROPERTY_NAME)]
PropertyValue = Annotated[str, StringConstraints(max_length=LONGEST_PROPERTY)]
Properties = Annotated[dict[PropertyName, PropertyValue], Field(max_length=MOST_PROPERTIES)]
# Jira's integers are signed and 64 bits wide.
Number = Annotated[int, Field(ge=0, lt=2**63)]

LONGEST_TEXT = 255
"""In characters; Jira takes no longer names, labels and descriptions."""
MOST_ASSOCIATIONS = 500
"""Jira takes no more issue keys, services included, in one build or deployment."""


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


class EnvironmentType(StrEnum):
    """The types Jira knows for an environment; `unmapped` is shown as "other"."""

    UNMAPPED = "unmapped"
    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"


NO_CI = "none"
GIT_CHECKOUT = "git checkout"
"""Values of `Pipeline.ci` if no CI is recognised: without and with a git repository."""


class Pipeline(Model):
    """The facts about this run. Every one is optional; `origins` says where each came from.

    Values are as the CI writes them: `number` may hold no number, `status` is the CI's own word.
    """

    ci: Text
    """The name of the CI, as people say it: "Harness", "Drone"."""
    number: str | None = None
    """The run's number, the same in every step and every rerun of that run."""
    url: str | None = None
    """Where the run is shown."""
    status: str | None = None
    publishes_status: bool = False
    """Whether this CI tells a step its status at all; then no `status` means that it has just begun."""
    id: str | None = None
    """Which pipeline this is a run of, stable from run to run; a change splits the history in Jira."""
    name: str | None = None
    branch: str | None = None
    """The branch of the change; on a pull request its source branch. Without `refs/heads/`."""
    target_branch: str | None = None
    """Where a pull request wants to go; None outside one."""
    tag: str | None = None
    pull_request: str | None = None
    pull_request_title: str | None = None
    sha: str | None = None
    commit_before: str | None = None
    """The commit that the previous run was of; None if that is not known."""
    message: str | None = None
    """The whole message of the latest commit: title, body and trailers."""
    commit_url: str | None = None
    repository: str | None = None
    """`owner/name`, or however this CI names it."""
    repository_url: str | None = None
    environment: str | None = None
    """The environment that CI itself says this run deploys to."""
    environment_type: EnvironmentType | None = None
    """The purpose of that environment according to CI."""
    version: str | None = None
    started: str | None = None
    """When the job began: seconds or milliseconds since the epoch, or ISO 8601 with an offset."""
    workspace: str | None = None
    """The folder the repository is checked out in."""
    origins: dict[str, str] = {}
    """Field to where its value came from: a variable's name, or "checkout"."""

    @property
    def is_of_ci(self) -> bool:
        return self.ci not in (NO_CI, GIT_CHECKOUT)

    def filled(self, facts: dict[str, str], origin: str) -> Self:
        """The pipeline, with `facts` in the fields that were empty."""
        fresh = {name: value for name, value in facts.items() if getattr(self, name) is None}
        return self.model_copy(update={**fresh, "origins": {**self.origins, **dict.fromkeys(fresh, origin)}})


class KeyPlace(IntEnum):
    """The part of a change that holds a key. Keys are sent in this order, as Jira takes 500 of them."""

    SETTING = 0
    """ISSUEKEYS names it."""
    TITLE = 1
    """The pull request's title."""
    MESSAGE = 2
    """The latest commit's message."""
    BRANCH = 3
    OTHER = 4


class FoundKey(Model):
    """An issue key and where it was found. Raises ValidationError if `key` is not one; case does not matter."""

    key: IssueKey
    source: Text
    """Where, in a few words for people: "pull request title", "changelog fragment 12.md"."""
    place: KeyPlace = KeyPlace.OTHER
    plugin: str = ""
    """The plugin that found it; core fills this in."""


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
        """Where an issue is shown; None if the site's address is not known."""
        if self.url is None or origin(self.url) != self.url:
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
    skipped: Number

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.skipped


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
    issue_keys: Annotated[tuple[IssueKey, ...], Field(min_length=1, max_length=MOST_ASSOCIATIONS)]
    pipeline: PipelineIdentity


class Build(_Entity):
    """One build of one pipeline; identity is (`pipeline.id`, `number`)."""

    kind: Literal[Kind.BUILD] = Kind.BUILD
    references: Annotated[tuple[Reference, ...], Field(max_length=5)] = ()
    tests: CountedTests | None = None

    @model_validator(mode="after")
    def _has_a_state_builds_have(self) -> Self:
        if self.state is State.ROLLED_BACK:
            raise ValueError("a build cannot be rolled_back; only a deployment can")
        return self


class Deployment(_Entity):
    """One deployment; identity is (`pipeline.id`, `environment.id`, `number`)."""

    kind: Literal[Kind.DEPLOYMENT] = Kind.DEPLOYMENT
    environment: Environment
    asks_for_gate: bool = False
    """Whether Jira is to decide if it may go on; only a pending one may ask."""
    duration: Number | None = None
    """In seconds."""
    service_ids: tuple[Text, ...] = ()
    """Ids or keys of the services that are deployed."""

    @model_validator(mode="after")
    def _is_about_no_more_than_jira_takes(self) -> Self:
        if len(self.issue_keys) + len(self.service_ids) > MOST_ASSOCIATIONS:
            raise ValueError(f"issue keys and services are more than {MOST_ASSOCIATIONS}")
        return self


class Report(Model):
    """One build or deployment for one site: everything that a delivery needs, and no credential."""

    site: Site
    entity: Annotated[Build | Deployment, Field(discriminator="kind")]
    properties: Properties = {}
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


class Result(StrEnum):
    """The result of delivering one report."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """Jira read it and refused it; it would be refused again."""
    QUEUED = "queued"
    """Another process (a queue's worker) will deliver it."""
    NOT_DELIVERED = "not_delivered"
    """Neither accepted nor refused: no connection, no permission, no answer."""


class SkipReason(StrEnum):
    """Why a step delivers nothing."""

    NO_KEY = "no_key"
    STATE = "state"
    """STATE names a success, and CI knows of a failure."""


class Outcome(Model):
    """The outcome of one report, with the reason unless it was accepted."""

    result: Result
    problems: tuple[Problem, ...] = ()
    kept: str | None = None
    """The file in the outbox that holds a report which is still to be delivered; core fills this in."""
    fails_alone: bool = False
    """Whether Jira answers 5xx to this report, and takes others that are sent at the same time."""


class Receipt(Model):
    """The result of `deliver`: one outcome for each report, in their order, and the keys that Jira did not know."""

    outcomes: tuple[Outcome, ...] = ()
    unknown_issue_keys: tuple[str, ...] = ()
    unknown_associations: tuple[str, ...] = ()
    skipped: str | None = None
    """Why there was nothing to deliver, in words; None if there was something."""
    skip_reason: SkipReason | None = None
    """The same for programs."""
    problems: tuple[Problem, ...] = ()
    """Problems of the step as a whole: no key was found."""
    retry_after: float | None = None
    """The seconds that Jira asks to wait before the next call, if any."""

    @classmethod
    def for_all(cls, reports: Iterable[Report], result: Result, *problems: Problem) -> Receipt:
        """The same outcome for each of these reports."""
        return cls(outcomes=tuple(Outcome(result=result, problems=problems) for _ in reports))


def is_property(name: str, value: str) -> bool:
    """Whether Jira takes this pair as a property, which `delete by property` selects on."""
    fits = max(len(name), len(value)) <= LONGEST_PROPERTY
    return fits and re.fullmatch(PROPERTY_NAME, name, re.DOTALL) is not None
