"""Tells the people who look at a GitHub Actions run how the report ended, in Markdown.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jira_ci_core import (
    PluginSettings,
    Receipt,
    Report,
    Result,
    Summary,
    escape_untrusted,
    hookimpl,
    origin,
    setting,
    write_output,
)

WORDS = {
    Result.ACCEPTED: "accepted",
    Result.REJECTED: "refused",
    Result.QUEUED: "queued",
    Result.NOT_DELIVERED: "not delivered",
}


class Plugin:
    """Adds a section to the summary of the job."""

    CONTRACT = 1

    class Settings(PluginSettings):
        """What this plugin reads."""

        github_step_summary: str | None = setting(
            None,
            help="the file that takes Markdown in GitHub Actions; it names it by itself",
            reads=("GITHUB_STEP_SUMMARY",),
        )

    def __init__(self, settings: Settings) -> None:
        self._file = settings.github_step_summary

    @hookimpl(trylast=True)
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        """Called at every end."""
        if self._file:
            write_output(markdown_of(reports, receipt), self._file, "GITHUB_STEP_SUMMARY", append=True)


def markdown_of(reports: Sequence[Report], receipt: Receipt) -> str:
    """The section: what was reported, for which issues, and what went wrong."""
    summary = Summary.of(reports, receipt)
    lines = ["### Jira", ""]
    for report, outcome in zip(reports, receipt.outcomes, strict=False):
        run, site = link(code(report.title), report.entity.url), code(report.site.name)
        lines.append(f"- {run} ({report.entity.state.replace('_', ' ')}): {WORDS[outcome.result]}, {site}")
    if summary.issue_keys:
        issues = [link(code(key), summary.links.get(key)) for key in summary.issue_keys]
        lines.append(f"- issues: {', '.join(issues)}")
    if receipt.skipped and not summary.problems:
        lines.append(f"- nothing was sent: {code(receipt.skipped)}")
    for problem in summary.problems:
        lines += [f"- **{code(problem.what)}**", f"  - why: {code(problem.why)}", f"  - do: {code(problem.remedy)}"]
    return "\n".join([*lines, "", ""])


def code(text: str) -> str:
    """What comes from outside, as a span of code: in it nothing is markup, a link, a mention or a command.

    A span ends only at as many backticks as it begins with.
    """
    text = escape_untrusted(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if text.strip() else "` `"


def link(text: str, url: str | None) -> str:
    """A link, where the address is one of the web."""
    if url is None or origin(url) is None or re.search(r"[\s<>\\]", url):
        return text
    return f"[{text}](<{url}>)"
