"""The error a user can meet: what happened, why, and what to do."""

from __future__ import annotations


class SandboxError(Exception):
    """Something the user can put right.

    `what` happened, `why`, and the `remedy`: three sentences, shown one a line.
    """

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  do:  {self.remedy}"
