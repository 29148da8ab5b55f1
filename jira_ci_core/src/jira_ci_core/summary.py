"""The result of a step in a few facts, for people and for later steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jira_ci_core.models import Deployment, Receipt, Report, Result, State
from jira_ci_core.problem import Problem


@dataclass(frozen=True)
class Summary:
    """The result of all reports of a step: `Summary.of(reports, receipt)`."""

    issue_keys: tuple[str, ...]
    """The issues that were reported, without those that Jira does not know."""
    state: State | None
    """The state that was reported; None if nothing was."""
    accepted: bool
    """Whether Jira accepted all reports, and there was at least one."""
    links: Mapping[str, str]
    """The addresses of those issues, by key; empty if the site's address is not known (CLOUD_ID alone)."""
    kept: tuple[str, ...]
    """The files in the outbox that hold reports still to be delivered."""
    problems: tuple[Problem, ...]
    """Everything that went wrong, each problem once."""
    services: tuple[str, ...] = ()
    """The services that were reported, without those that Jira does not know."""
    warnings: tuple[str, ...] = ()
    """What the step has warned of, in a sentence each."""

    @classmethod
    def of(cls, reports: Sequence[Report], receipt: Receipt) -> Summary:
        """Summarise the arguments of `jira_ci_reported`."""
        outcomes = receipt.outcomes
        urls = {
            key: report.site.issue_url(key)
            for report in reports
            for key in report.entity.issue_keys
            if key not in receipt.unknown_issue_keys
        }
        services = {
            id: None
            for report in reports
            if isinstance(report.entity, Deployment)
            for id in report.entity.service_ids
            if id not in receipt.unknown_associations
        }
        problems = [*receipt.problems, *(problem for outcome in outcomes for problem in outcome.problems)]
        if reports and receipt.unknown_issue_keys and any(outcome.result is Result.ACCEPTED for outcome in outcomes):
            why = "there is no such issue at this site, or these credentials may not see it"
            why += "; the other issues are updated"
            remedy = "correct the key where it was written, or leave its project out of PROJECT"
            problems.append(Problem(f"Jira does not know {', '.join(receipt.unknown_issue_keys)}", why, remedy))
        return cls(
            issue_keys=tuple(urls),
            state=reports[0].entity.state if reports else None,
            accepted=bool(outcomes) and all(outcome.result is Result.ACCEPTED for outcome in outcomes),
            links={key: url for key, url in urls.items() if url},
            kept=tuple(outcome.kept for outcome in outcomes if outcome.kept),
            problems=tuple(dict.fromkeys(problems)),
            services=tuple(services),
            warnings=receipt.warnings,
        )
