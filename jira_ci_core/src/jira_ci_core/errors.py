"""Every error a user can meet, and the exit code it ends in.

This is loaded before the libraries, so it imports next to nothing itself.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jira_ci_core.problem import Problem


class ExitCode(IntEnum):
    """How `jira-ci` ends; the numbers are part of the contract with pipelines."""

    OK = 0
    JIRA = 1
    SETTINGS = 2
    PLUGIN = 3
    PREVENTED = 4
    EXPIRED = 5
    TIMED_OUT = 6


class JiraCiError(Exception):
    """An end that is explained to the user in three parts; never shown as a traceback."""

    exit_code = ExitCode.JIRA

    def __init__(self, *problems: Problem) -> None:
        """`problems` are those that the user is told of, at least one. Raises TypeError if one is not a Problem."""
        if not problems or any(isinstance(problem, str) for problem in problems):
            raise TypeError(f"an error takes problems: {type(self).__name__}(Problem(what, why, remedy))")
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


class SettingsError(JiraCiError):
    """A setting is missing, malformed, unknown or not allowed where it stands: nothing was sent."""

    exit_code = ExitCode.SETTINGS


class NoCredentialsError(SettingsError):
    """There are no credentials, or a part of them is missing, as in a run that gets no secrets: ON_NO_CREDENTIALS."""


class NoCredentialInFileError(NoCredentialsError):
    """The file that should hold a secret is missing or empty, as where a secret is not mounted."""


class SignInError(JiraCiError):
    """A credential was refused, or no token was returned: raised from `SignIn.connect`, an `AuthBase` or `renew`."""


class DeliveryError(JiraCiError):
    """A host could not be reached, or its response is not usable."""


class PluginError(JiraCiError):
    """A plugin failed, and `ON_PLUGIN_ERROR` is `fail`."""

    exit_code = ExitCode.PLUGIN


class InvalidValueError(ValueError):
    """A value that a setting does not take: raise it from a validator with the reason and what to write instead."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
