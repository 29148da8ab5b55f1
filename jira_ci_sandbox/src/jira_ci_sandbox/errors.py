"""The error that is shown to a user: what happened, why, and what to do."""

from __future__ import annotations


class SandboxError(Exception):
    """An error that the user can put right; each of its three parts is a sentence on a line of its own."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  do:  {self.remedy}"
