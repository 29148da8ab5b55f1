"""Hands what became of the report to later steps, as Harness, GitHub Actions and GitLab pass values on.

https://developer.harness.io/docs/continuous-integration/use-ci/run-step-settings/#output-variables
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter
https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jira_ci_core import PluginSettings, Receipt, Report, Summary, hookimpl, setting, write_output

# What a key or an address is made of. Nothing else gets into a line: no line break, no quote, no `$`, no `#`.
WORD = re.compile(r"[A-Za-z0-9_.:/%\[\]-]+")


class Plugin:
    """Adds lines `NAME=value` to the files that are named; each value is one line and needs no quotes."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        drone_output: str | None = setting(
            None, help="the file that takes outputs in Harness; it names it by itself", reads=("DRONE_OUTPUT",)
        )
        github_output: str | None = setting(
            None, help="the file that takes outputs in GitHub Actions; it names it by itself", reads=("GITHUB_OUTPUT",)
        )
        dotenv: str | None = setting(
            None, help="a file to add outputs to that GitLab passes on (artifacts:reports:dotenv), or a shell reads"
        )

    def __init__(self, settings: Settings) -> None:
        # Harness allows no comma, GitLab no space.
        self._files = (
            ("DRONE_OUTPUT", settings.drone_output, " "),
            ("GITHUB_OUTPUT", settings.github_output, ","),
            ("DOTENV", settings.dotenv, ","),
        )

    @hookimpl(trylast=True)
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        """The same four outputs at every end; those that say nothing are empty."""
        for name, file, separator in self._files:
            if file:
                write_output(lines_of(Summary.of(reports, receipt), separator), file, name, append=True)


def lines_of(summary: Summary, separator: str) -> str:
    """The outputs, each on a line of its own."""

    def joined(words: Iterable[str]) -> str:
        return separator.join(word for word in words if WORD.fullmatch(word))

    values = {
        "JIRA_ISSUE_KEYS": joined(summary.issue_keys),
        "JIRA_STATE": summary.state or "",
        "JIRA_ACCEPTED": "true" if summary.accepted else "false",
        "JIRA_URLS": joined(summary.links.values()),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())
