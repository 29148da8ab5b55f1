"""What Jira said to a report."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from jira_ci_core.models.base import Model
from jira_ci_core.models.report import Report
from jira_ci_core.problem import Problem


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
    NO_CREDENTIALS = "no_credentials"
    STATE = "state"
    """STATE names a success, and CI knows of a failure."""
    NOTHING_HAPPENED = "nothing_happened"
    """CI says that the run, or the deployment, did not take place: `skipped`."""


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
    """Problems of the step as a whole: no key was found, or there are no credentials."""
    warnings: tuple[str, ...] = ()
    """What the step has warned of, in a sentence each; core fills this in for `reported`."""
    retry_after: float | None = None
    """The seconds that Jira asks to wait before the next call, if any."""

    @classmethod
    def for_all(cls, reports: Iterable[Report], result: Result, *problems: Problem) -> Receipt:
        """The same outcome for each of these reports."""
        return cls(outcomes=tuple(Outcome(result=result, problems=problems) for _ in reports))
