"""Shows what went wrong as GitHub Actions, Azure Pipelines, TeamCity and GitLab each show such things.

Core shows all of it as text that no CI obeys. Here a command is meant to be obeyed, so it is written to standard
output by itself: one line each, in which only the words of this module command anything.

They are warnings, also where the step fails: TeamCity fails a build for an error, and how a step ends is for its
exit code to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from jira_ci_core import (
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


class Plugin:
    """Tells of problems, and in GitLab of the issues as well."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        gitlab_annotations: str | None = setting(
            None, help="a file to write links to issues and problems to, for GitLab's artifacts:reports:annotations"
        )

    def __init__(self, settings: Settings) -> None:
        self._file = settings.gitlab_annotations

    @hookimpl(trylast=True)
    def jira_ci_reported(
        self, pipeline: Pipeline, reports: Sequence[Report], receipt: Receipt, settings: CoreSettings
    ) -> None:
        """Called at every end; where all is well, there is nothing to say."""
        command = COMMANDS.get(pipeline.ci)
        if command is None and not self._file:
            return
        summary = Summary.of(reports, receipt)
        if command is not None and summary.problems:
            lines = [command(problem) for problem in summary.problems]
            write_output("\n".join(lines), "/dev/stdout", "the annotations")
        if self._file:
            write_output(gitlab(summary, settings.instance), self._file, "GITLAB_ANNOTATIONS")


def github(problem: Problem) -> str:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands

    Escaped as the runner takes it apart: actions/toolkit, packages/core/src/command.ts.
    """
    title = _escaped(_GITHUB_PROPERTY, escape_untrusted(problem.what))
    return f"::warning title={title}::{_escaped(_GITHUB, _message(problem))}"


def azure(problem: Problem) -> str:
    """https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands"""
    return (
        f"##vso[task.logissue type=warning]{_escaped(_AZURE, f'{escape_untrusted(problem.what)}: {_message(problem)}')}"
    )


def teamcity(problem: Problem) -> str:
    """https://www.jetbrains.com/help/teamcity/service-messages.html"""
    text = f"{escape_untrusted(problem.what)}: {_message(problem)}"
    ascii_only = re.sub("[^ -~]+", lambda match: _utf_16(match[0]), _escaped(_TEAMCITY, text))
    return f"##teamcity[message text='{ascii_only}' status='WARNING']"


def gitlab(summary: Summary, site: str | None) -> str:
    """https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsannotations

    It knows links only: those to the issues, and for each problem one to the site.
    """
    problems = [(f"{problem.what}: {_message(problem)}", site) for problem in summary.problems]
    entries = [
        {"external_link": {"label": escape_untrusted(label)[:LONGEST_LABEL], "url": url}}
        for label, url in (*summary.links.items(), *problems)
        if url and origin(url)
    ]
    return json.dumps({"Jira": entries}) + "\n"


COMMANDS = {"GitHub Actions": github, "Azure Pipelines": azure, "TeamCity": teamcity}

_GITHUB = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_GITHUB_PROPERTY = {**_GITHUB, ":": "%3A", ",": "%2C"}
_AZURE = {"%": "%AZP25", "\r": "%0D", "\n": "%0A", "]": "%5D", ";": "%3B"}
_TEAMCITY = {"|": "||", "'": "|'", "[": "|[", "]": "|]", "\r": "|r", "\n": "|n"}


def _escaped(table: dict[str, str], text: str) -> str:
    return "".join(table.get(character, character) for character in text)


def _utf_16(text: str) -> str:
    """TeamCity takes any character by number; one beyond the first 65536 is two, as in Java."""
    data = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"|0x{data[at : at + 4]}" for at in range(0, len(data), 4))


def _message(problem: Problem) -> str:
    return escape_untrusted(f"{problem.why}; {problem.remedy}")
