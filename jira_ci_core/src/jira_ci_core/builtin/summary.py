"""Adds the result to the summary of a GitHub Actions job, in Markdown.

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

# With these limits the section is smaller than 64 KiB.
MOST_REPORTS = 10
MOST_ISSUES = 50
MOST_PROBLEMS = 10
LONGEST_TEXT = 300
LONGEST_URL = 500

RESULT_WORDS = {
    Result.ACCEPTED: "accepted",
    Result.REJECTED: "refused",
    Result.QUEUED: "queued",
    Result.NOT_DELIVERED: "not delivered",
}


class Plugin:
    CONTRACT = 1

    class Settings(PluginSettings):
        github_step_summary: str | None = setting(
            None, help="the file for the job summary in GitHub Actions; set by GitHub", reads=("GITHUB_STEP_SUMMARY",)
        )

    def __init__(self, settings: Settings) -> None:
        self._file = settings.github_step_summary

    @hookimpl(trylast=True)
    def jira_ci_reported(self, reports: Sequence[Report], receipt: Receipt) -> None:
        if self._file:
            write_output(markdown(reports, receipt), self._file, "GITHUB_STEP_SUMMARY", append=True)


def markdown(reports: Sequence[Report], receipt: Receipt) -> str:
    """Return the section: what was reported, for which issues, and what went wrong."""
    summary = Summary.of(reports, receipt)
    lines = ["### Jira", ""]
    for report, outcome in [*zip(reports, receipt.outcomes, strict=False)][:MOST_REPORTS]:
        run, site = link(code_span(report.title), report.entity.url), code_span(report.site.name)
        lines.append(f"- {run} ({report.entity.state.replace('_', ' ')}): {RESULT_WORDS[outcome.result]}, {site}")
    if summary.issue_keys:
        issues = [link(code_span(key), summary.links.get(key)) for key in summary.issue_keys[:MOST_ISSUES]]
        more = len(summary.issue_keys) - len(issues)
        lines.append(f"- issues: {', '.join(issues)}{f' and {more} more' if more else ''}")
    if summary.services:
        more = len(summary.services) - MOST_ISSUES
        services = map(code_span, summary.services[:MOST_ISSUES])
        lines.append(f"- services: {', '.join(services)}{f' and {more} more' if more > 0 else ''}")
    if receipt.skipped and not summary.problems:
        lines.append(f"- nothing was sent: {code_span(receipt.skipped)}")
    for problem in summary.problems[:MOST_PROBLEMS]:
        lines.append(f"- **{code_span(problem.what)}**")
        lines += [f"  - why: {code_span(problem.why)}", f"  - do: {code_span(problem.remedy)}"]
    return "\n".join([*lines, "", ""])


def code_span(text: str) -> str:
    """Return untrusted text as a code span, in which nothing is markup, a link, a mention or a command.

    A span ends at as many backticks as it begins with, so it begins with more than the text has in a row.
    """
    text = escape_untrusted(text, LONGEST_TEXT)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if text.strip() else "` `"


def link(text: str, url: str | None) -> str:
    """Return a link, or the text alone if `url` is not a web address."""
    if url is None or len(url) > LONGEST_URL or origin(url) is None or re.search(r"[\s<>\\]", url):
        return text
    return f"[{text}](<{url}>)"
