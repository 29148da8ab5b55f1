"""Reporting to several sites in one step: each is attempted, whatever becomes of the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from jira_ci_core.config.sources import SITES, Sources
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.output.console import set_level
from jira_ci_core.plugins.loader import load
from jira_ci_core.problem import Problem, bug
from jira_ci_core.reporting import run
from jira_ci_core.reporting.run import RunResult

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SiteResult:
    """How the run ended for one of the sites."""

    site: str
    """Its name in SITES."""
    exit_code: ExitCode
    result: RunResult | None
    """None if an error, which `problems` holds, came before it."""
    problems: tuple[Problem, ...] = ()


def report_to_each(sources: Sources, *, dry_run: bool = False) -> Iterator[SiteResult]:
    """Report once for each site in SITES, with settings and plugins of its own."""
    for name in sources.sites:
        log.info("site %s:", name)
        try:
            runtime = load(replace(sources, flags={**sources.flags, SITES.name: name}))
            set_level(runtime.settings.log_level)
            result = run.report(runtime, dry_run=dry_run)
        except JiraCiError as error:
            yield SiteResult(name, error.exit_code, None, error.problems)
        except Exception as error:
            yield SiteResult(name, ExitCode.JIRA, None, (bug(error),))
        else:
            yield SiteResult(name, result.exit_code, result)
