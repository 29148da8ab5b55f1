"""What a user is told where something went wrong: what happened, why, what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong, in the three parts that every message to a user has."""

    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        """What happened and why, in one line."""
        return f"{self.what}: {self.why}"

    def redacted(self, redact: Callable[[str], str]) -> Problem:
        """The same with `redact`, which masks secrets and may cut, applied to each part."""
        return Problem(redact(self.what), redact(self.why), redact(self.remedy))

    def lines(self, kind: str = "error") -> tuple[str, str, str]:
        """The three lines that a user reads; `kind` is "error", or "warning" where the step goes on."""
        return f"{kind}: {self.what}", f"  why: {self.why}", f"  do:  {self.remedy}"


def bug(error: Exception) -> Problem:
    """What to say of an unexpected error."""
    return Problem("jira-ci itself failed", f"{type(error).__name__}: {error}", "this is a bug; please report it")
