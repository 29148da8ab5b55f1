"""What all models share: their base, and the types of their fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from jira_ci_core.issue_keys import is_issue_key
from jira_ci_core.problem import Problem
from jira_ci_core.urls import web_url


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


def is_issue_id(text: str) -> bool:
    """Whether a text is the number by which Jira knows an issue, whatever its key."""
    return re.fullmatch("[1-9][0-9]{0,18}", text) is not None


def _issue_key(text: str) -> str:
    if not (is_issue_key(text) or is_issue_id(text)):
        raise ValueError(f"{text!r} is not an issue key, such as MYT-1234")
    return text.upper()


# An issue's id may stand in its place.
IssueKey = Annotated[str, AfterValidator(_issue_key)]
Text = Annotated[str, StringConstraints(min_length=1)]
# Jira's limit; a longer one must not be cut, or two might become one.
Id = Annotated[str, StringConstraints(min_length=1, max_length=255)]
WebUrl = Annotated[str, AfterValidator(web_url)]
# In UTC, as JSON has no place for an offset with seconds.
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
# Jira's integers are signed and 64 bits wide.
Number = Annotated[int, Field(ge=0, lt=2**63)]
