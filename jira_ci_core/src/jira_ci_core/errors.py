"""Every error a user can meet: what happened, why, what to do, and the exit code it ends in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """How `jira-ci` ends; the numbers are part of the contract with pipelines."""

    OK = 0
    JIRA = 1
    SETTINGS = 2
    PLUGIN = 3
    PREVENTED = 4
    EXPIRED = 5
    TIMED_OUT = 6


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong, in the three parts every message to a user has."""

    what: str
    why: str
    remedy: str

    def redacted(self, redact: Callable[[str], str]) -> Problem:
        """The same without what `redact` takes out of a text: secrets."""
        return Problem(redact(self.what), redact(self.why), redact(self.remedy))


class JiraCiError(Exception):
    """An end that is explained to the user in three parts; never shown as a traceback."""

    exit_code = ExitCode.JIRA

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy)
        self.problems: tuple[Problem, ...] = (Problem(what, why, remedy),)

    @classmethod
    def of(cls, problems: tuple[Problem, ...]) -> JiraCiError:
        """An error that tells of several problems at once, at least one."""
        first = problems[0]
        error = cls(first.what, first.why, first.remedy)
        error.problems = problems
        return error

    def __str__(self) -> str:
        return "; ".join(f"{problem.what}: {problem.why}" for problem in self.problems)


class SettingsError(JiraCiError):
    """A setting is missing, malformed, unknown or not allowed where it stands: nothing was sent."""

    exit_code = ExitCode.SETTINGS


class SignInError(JiraCiError):
    """Signing in failed: a credential was refused, or the answer was no token.

    Raised by `authenticate` plugins from `SignIn.connect`, from the `AuthBase` or from `renew`.
    """


class DeliveryError(JiraCiError):
    """A host could not be reached, or what it answered is no answer."""


class PluginError(JiraCiError):
    """A plugin failed, and `ON_PLUGIN_ERROR` is `fail`."""

    exit_code = ExitCode.PLUGIN


class RefusedError(ValueError):
    """A value that a setting does not take: raise it from a validator with the reason and what to write instead."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


def bug(error: Exception) -> Problem:
    """What to say of an error that nobody expected."""
    return Problem("jira-ci itself failed", f"{type(error).__name__}: {error}", "this is a bug; please report it")
