"""Writes the result as output variables of the step, for Harness, GitHub Actions and GitLab.

https://developer.harness.io/docs/continuous-integration/use-ci/run-step-settings/#output-variables
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter
https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from jira_ci_core import PluginSettings, Receipt, Report, Summary, hookimpl, setting, write_output

# The characters of keys and addresses. Nothing else is written: no line break, no quote, no `$`, no `#`.
WORD = re.compile(r"[A-Za-z0-9_.:/%\[\]-]+")

LONGEST_VALUE = 30_000
"""The most characters of a value; 500 keys of usual length, and their addresses, are shorter."""


class Plugin:
    """Appends lines `NAME=value` to files; each value is one line and needs no quotes."""

    CONTRACT = 1

    class Settings(PluginSettings):
        drone_output: str | None = setting(
            None, help="the file for output variables in Harness; set by Harness", reads=("DRONE_OUTPUT",)
        )
        github_output: str | None = setting(
            None, help="the file for outputs in GitHub Actions; set by GitHub", reads=("GITHUB_OUTPUT",)
        )
        dotenv: str | None = setting(
            None, help="a file to append outputs to, for GitLab (artifacts:reports:dotenv) or a shell"
        )

    def __init__(self, settings: Settings) -> None:
        # Harness allows no comma in a value, GitLab no space.
        self._files = (
            ("DRONE_OUTPUT", settings.drone_output, " "),
            ("GITHUB_OUTPUT", settings.github_output, ","),
            ("DOTENV", settings.dotenv, ","),
        )

    @hookimpl(trylast=True)
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        """Write the same four outputs, however the step ended; those without a value are empty."""
        for name, file, separator in self._files:
            if file:
                write_output(output_lines(Summary.of(reports, receipt), separator), file, name, append=True)


def output_lines(summary: Summary, separator: str) -> str:
    values: dict[str, Iterable[str]] = {
        "JIRA_ISSUE_KEYS": summary.issue_keys,
        "JIRA_STATE": [summary.state or ""],
        "JIRA_ACCEPTED": ["true" if summary.accepted else "false"],
        "JIRA_URLS": summary.links.values(),
    }
    lines = (f"{name}={separator.join(_fitting(words))}\n" for name, words in values.items())
    return "".join(lines)


def _fitting(words: Iterable[str]) -> Iterator[str]:
    room = LONGEST_VALUE
    for word in filter(WORD.fullmatch, words):
        room -= len(word) + 1
        if room < 0:
            return
        yield word
