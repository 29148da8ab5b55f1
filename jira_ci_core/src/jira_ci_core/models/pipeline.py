"""What a CI knows of a run, and the issue keys that were found."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple, Self

from pydantic import Field

from jira_ci_core.models.base import IssueKey, Model, Text


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
    """Which pipeline this is a run of, stable from run to run; a change splits the history in Jira.

    A reader says what its CI calls it; all other hooks and Jira get it with the reader's plugin before it:
    `travis/acme/shop`.
    """
    name: str | None = None
    branch: str | None = None
    """The branch of the change; on a pull request its source branch. Without `refs/heads/`."""
    target_branch: str | None = None
    """Where a pull request wants to go; None outside one."""
    tag: str | None = None
    pull_request: str | None = None
    pull_request_title: str | None = None
    pull_request_description: str | None = None
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
    failed_stages: str | None = None
    """The stages before this one that failed: the build as a whole has failed, whatever `status` says of this stage."""
    not_deployed_to: str | None = None
    """The environment of a job that does not deploy to it, but stops or checks it."""
    origins: dict[str, str] = Field(default={})
    """Field to where its value came from: a variable's name, or "checkout"."""
    partial: tuple[str, ...] = ()
    """The fields of which the checkout knows better: CI cuts them, or they may be of another commit."""
    unrelated_commit: str | None = None
    """The commit that CI checks out unless told otherwise, where it is not the one that the run is about."""

    @property
    def is_of_ci(self) -> bool:
        return self.ci not in (NO_CI, GIT_CHECKOUT)

    def filled(self, facts: dict[str, str], origin: str) -> Self:
        """The pipeline, with `facts` in the fields that were empty or partial."""
        fresh = {name: value for name, value in facts.items() if name in self.partial or getattr(self, name) is None}
        partial = tuple(name for name in self.partial if name not in fresh)
        origins = {**self.origins, **dict.fromkeys(fresh, origin)}
        return self.model_copy(update={**fresh, "origins": origins, "partial": partial})

    def searched_texts(self, keys_from: Iterable[str]) -> list[SearchedText]:
        """The texts of the change that KEYS_FROM names (`settings.keys_from`), as far as they are known."""
        sources = (KEY_SOURCES[name] for name in keys_from)
        return [SearchedText(place, name, text) for place, name, field in sources if (text := getattr(self, field))]


class KeyPlace(IntEnum):
    """The part of a change that holds a key. Keys are sent in this order, as Jira takes 500 of them."""

    SETTING = 0
    """ISSUEKEYS names it."""
    TITLE = 1
    """The pull request's title."""
    MESSAGE = 2
    """The latest commit's message."""
    BRANCH = 3
    DESCRIPTION = 4
    """The pull request's description."""
    TAG = 5
    OTHER = 6


class SearchedText(NamedTuple):
    """A text of the change in which keys are searched for."""

    place: KeyPlace
    name: str
    """What it is, in words for people."""
    text: str


KEY_SOURCES = {
    "title": (KeyPlace.TITLE, "pull request title", "pull_request_title"),
    "message": (KeyPlace.MESSAGE, "commit message", "message"),
    "branch": (KeyPlace.BRANCH, "branch", "branch"),
    "description": (KeyPlace.DESCRIPTION, "pull request description", "pull_request_description"),
    "tag": (KeyPlace.TAG, "tag", "tag"),
}
"""The words of KEYS_FROM, each with its place, its name for people, and the field of `Pipeline` that holds the text."""


class FoundKey(Model):
    """An issue key, or an issue's id, and where it was found.

    Raises ValidationError if `key` is neither; case does not matter.
    """

    key: IssueKey
    source: Text
    """Where, in a few words for people: "pull request title", "changelog fragment 12.md"."""
    place: KeyPlace = KeyPlace.OTHER
    plugin: str = ""
    """The plugin that found it; core fills this in."""


class Retraction(Model):
    """Keys that do not count where the change's own texts hold them (see `KEY_SOURCES`), as the change takes them back.

    Keys that plugins find elsewhere (`KeyPlace.OTHER`) still count.
    """

    key: IssueKey | None = None
    """None for every key."""
    place: KeyPlace | None = None
    """None for all of these texts."""
    source: Text
    """Why, in a few words for people: "commit 8a7b6c5 is reverted"."""
    plugin: str = ""
    """The plugin that takes it back; core fills this in."""
