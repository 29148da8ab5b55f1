"""The result of a run in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jira_ci_core.errors import ExitCode
from jira_ci_core.jira_api.bulk import bulk_request
from jira_ci_core.models import Result
from jira_ci_core.output.console import escape_untrusted
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.run import RunResult, RunStatus
from jira_ci_core.summary import Summary

if TYPE_CHECKING:
    from jira_ci_core.reporting.sites import SiteResult


LINES_ROOM = 12_000
"""How many bytes of a result people are shown, besides its problems and the payload of a dry run."""
MOST_LISTED = 50


def lines_of(result: RunResult, shorten: Callable[[str], str] = str) -> list[str]:
    """The lines that people read; `shorten` masks secrets and cuts."""
    lines, room = list[str](), LINES_ROOM
    full = _lines(result)
    for line in map(shorten, full):
        room -= len(escape_untrusted(line).encode(errors="replace")) + 1
        if room < 0:
            lines.append(f"… and {len(full) - len(lines)} more lines")
            break
        lines.append(line)
    if result.status is RunStatus.DRY_RUN:
        lines.append(f"this would be sent to {result.reports[0].site.name}, and nothing is (dry run):")
        lines += json.dumps(bulk_request(result.reports), indent=2, ensure_ascii=False).splitlines()
    return lines


def _lines(result: RunResult) -> list[str]:
    if result.status is RunStatus.SKIPPED:
        return _skipped(result)
    receipt = result.receipt
    lines = ["issue keys:"] if result.keys else []
    for found in result.keys:
        finder = f" ({found.plugin})" if found.plugin not in ("", "keys") else ""
        lines.append(f"  {found.key}  {found.source}{finder}")
    services = Summary.of(result.reports, receipt).services
    lines += [f"services: {_listed(services)}"] if services and result.status is RunStatus.DRY_RUN else []
    if result.status is RunStatus.DRY_RUN:
        return lines
    for report, outcome in zip(result.reports, receipt.outcomes, strict=True):
        state, site = report.entity.state, report.site.name
        known = [key for key in report.entity.issue_keys if key not in receipt.unknown_issue_keys]
        if outcome.result is Result.ACCEPTED:
            subjects = [_listed(known)] if known else []
            subjects += [f"the service{'s' if len(services) > 1 else ''} {_listed(services)}"] if services else []
            lines.append(f"{site} accepted {report.title} ({state}) for {' and '.join(subjects) or 'no issue'}")
        elif outcome.result is Result.QUEUED:
            lines.append(f"{report.title} ({state}) is queued for {site}")
        elif outcome.kept:
            lines.append(f"warning: {report.title} ({state}) is kept in {outcome.kept}, for `jira-ci outbox flush`")
    if receipt.unknown_issue_keys and any(outcome.result is Result.ACCEPTED for outcome in receipt.outcomes):
        keys = _listed(receipt.unknown_issue_keys)
        lines.append(f"warning: Jira does not know {keys}; the other issues are updated")
    if receipt.unknown_associations:
        others = any(
            getattr(one.entity, "commits", ()) or getattr(one.entity, "repository_ids", ()) for one in result.reports
        )
        kind = "services, commits or repositories" if others else "services"
        lines.append(f"warning: Jira does not know these {kind}: {_listed(receipt.unknown_associations)}")
    return lines


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - MOST_LISTED} more" if len(words) > MOST_LISTED else ""
    return ", ".join(words[:MOST_LISTED]) + more


def _skipped(result: RunResult) -> list[str]:
    problems = result.receipt.problems
    if not problems:
        return [f"skipped: {result.receipt.skipped}"]
    if result.exit_code is not ExitCode.OK:
        return []
    warnings = (replace(problem, what=f"{problem.what}, so nothing was sent") for problem in problems)
    return [line for warning in warnings for line in warning.lines("warning")]


def problems_of(result: RunResult) -> tuple[Problem, ...]:
    """All problems, each once."""
    if result.status is RunStatus.SKIPPED and result.exit_code is not ExitCode.OK:
        return result.receipt.problems
    return tuple(dict.fromkeys(problem for outcome in result.receipt.outcomes for problem in outcome.problems))


def as_json(result: RunResult) -> dict[str, Any]:
    """What programs read as JSON; docs/outputs.md describes it."""
    return _result(result)


def error_as_json(exit_code: ExitCode, problems: Sequence[Problem]) -> dict[str, Any]:
    return _error(exit_code, problems)


def sites_as_json(of_sites: Sequence[SiteResult]) -> dict[str, Any]:
    """The results of several sites: the worst one as a whole, and each by the site's name."""
    sites = {one.site: _result(one.result) if one.result else _error(one.exit_code, one.problems) for one in of_sites}
    worst = max(sites.values(), key=lambda result: result["exit_code"])
    problems = [problem for result in sites.values() for problem in result["problems"]]
    whole = {"ending": worst["ending"], "exit_code": worst["exit_code"], "problems": problems}
    return {**whole, "sites": sites}


def _result(result: RunResult) -> dict[str, Any]:
    summary = Summary.of(result.reports, result.receipt)
    outcomes = [
        {"report": report.title, **outcome.model_dump(mode="json")}
        for report, outcome in zip(result.reports, result.receipt.outcomes, strict=False)
    ]
    return {
        "ending": result.status.value,
        "exit_code": int(result.exit_code),
        "issue_keys": summary.issue_keys,
        "services": summary.services,
        "state": summary.state,
        "accepted": summary.accepted,
        "urls": list(summary.links.values()),
        "kept": summary.kept,
        "skipped": result.receipt.skipped,
        "pipeline": result.pipeline.model_dump(mode="json"),
        "keys": [found.model_dump(mode="json", exclude={"place"}) for found in result.keys],
        "request": bulk_request(result.reports) if result.reports else None,
        "outcomes": outcomes,
        "unknown_issue_keys": result.receipt.unknown_issue_keys,
        "unknown_associations": result.receipt.unknown_associations,
        "problems": problems_as_json(result.receipt.problems or problems_of(result)),
    }


def _error(exit_code: ExitCode, problems: Sequence[Problem]) -> dict[str, Any]:
    return {"ending": "error", "exit_code": int(exit_code), "problems": problems_as_json(problems)}


def problems_as_json(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [dict(vars(problem)) for problem in problems]
