"""Shows problems and warnings in the form that GitHub Actions, Azure Pipelines, TeamCity and GitLab have for them.

Everything else that core prints is escaped, so that no CI takes it for a command. These lines are commands, so they go
to standard output directly, and all but this module's own words in them is escaped here.

All are warnings, even if the step fails: TeamCity fails a build that reports an error, but how the step ends is up to
its exit code alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from jira_ci_core import (
    STANDARD_OUTPUT,
    Pipeline,
    PluginSettings,
    Problem,
    Receipt,
    Report,
    Settings as CoreSettings,
    Summary,
    escape_untrusted,
    hookimpl,
    origin,
    setting,
    write_output,
)

LONGEST_LABEL = 255
MOST_PROBLEMS = 10
MOST_LINKS = 100
LONGEST_TEXT = 500
"""The most characters of each part of a problem."""


class Plugin:
    CONTRACT = 1

    class Settings(PluginSettings):
        gitlab_annotations: str | None = setting(
            None, help="a file for links to issues and problems, for GitLab's artifacts:reports:annotations"
        )

    def __init__(self, settings: Settings) -> None:
        self._file = settings.gitlab_annotations

    @hookimpl(trylast=True)
    def jira_ci_reported(
        self, pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: CoreSettings
    ) -> None:
        summary = Summary.of(reports, receipt)
        problems = problems_of(summary)
        if problems and pipeline.ci in COMMANDS:
            lines = map(COMMANDS[pipeline.ci], problems)
            write_output("\n".join(lines), STANDARD_OUTPUT, "the annotations")
        if self._file:
            write_output(gitlab_annotations(summary, settings.instance), self._file, "GITLAB_ANNOTATIONS")


def problems_of(summary: Summary) -> list[Problem]:
    """What went wrong, and after it what the step has warned of."""
    warnings = [Problem("jira-ci", warning, "") for warning in summary.warnings]
    return [*summary.problems, *warnings][:MOST_PROBLEMS]


def github_command(problem: Problem) -> str:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands

    Escaped for the runner's parser: actions/toolkit, packages/core/src/command.ts.
    """
    title = escape_untrusted(problem.what, LONGEST_TEXT).translate(_GITHUB_PROPERTY)
    return f"::warning title={title}::{_message(problem).translate(_GITHUB)}"


def azure_command(problem: Problem) -> str:
    """https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands"""
    return f"##vso[task.logissue type=warning]{_line(problem).translate(_AZURE)}"


def teamcity_command(problem: Problem) -> str:
    """https://www.jetbrains.com/help/teamcity/service-messages.html"""
    text = re.sub("[^ -~]+", lambda match: _utf_16(match[0]), _line(problem).translate(_TEAMCITY))
    return f"##teamcity[message text='{text}' status='WARNING']"


def gitlab_annotations(summary: Summary, site: str | None) -> str:
    """https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsannotations

    GitLab shows links only: one to each issue, and one to the site for each problem.
    """
    problems = [(f"{problem.what}: {_message(problem)}", site) for problem in problems_of(summary)]
    entries = [
        {"external_link": {"label": escape_untrusted(label)[:LONGEST_LABEL], "url": url}}
        for label, url in (*[*summary.links.items()][:MOST_LINKS], *problems)
        if url and origin(url)
    ]
    return json.dumps({"Jira": entries}) + "\n"


COMMANDS = {"GitHub Actions": github_command, "Azure Pipelines": azure_command, "TeamCity": teamcity_command}

_GITHUB = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_PROPERTY = {**_GITHUB, **str.maketrans({":": "%3A", ",": "%2C"})}
_AZURE = str.maketrans({"%": "%AZP25", "\r": "%0D", "\n": "%0A", "]": "%5D", ";": "%3B"})
_TEAMCITY = str.maketrans({"|": "||", "'": "|'", "[": "|[", "]": "|]", "\r": "|r", "\n": "|n"})


def _line(problem: Problem) -> str:
    return f"{escape_untrusted(problem.what, LONGEST_TEXT)}: {_message(problem)}"


def _message(problem: Problem) -> str:
    return escape_untrusted("; ".join(filter(None, (problem.why, problem.remedy))), 2 * LONGEST_TEXT)


def _utf_16(text: str) -> str:
    """Write characters by number, as TeamCity reads them: those beyond the first 65536 as two numbers, as in Java."""
    data = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"|0x{data[at : at + 4]}" for at in range(0, len(data), 4))
