"""`jira-ci report`, called with flags or, as nearly every step calls it, without."""

from __future__ import annotations

import contextlib
import sys

from jira_ci_core.cli import render
from jira_ci_core.cli.context import Context
from jira_ci_core.config.sources import Sources
from jira_ci_core.errors import ExitCode
from jira_ci_core.output.console import set_level
from jira_ci_core.plugins.loader import load
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting import run
from jira_ci_core.reporting.run import RunResult


def report(context: Context, sources: Sources, plugins: Plugins, *, dry_run: bool = False) -> ExitCode:
    """Report, and tell how it ended. Raises SettingsError or PluginError."""
    if len(sources.sites) > 1:
        return _report_to_each(context, sources, dry_run)
    runtime = load(sources, plugins)
    set_level(runtime.settings.log_level)
    with _keep_out_of_json(context):
        result = run.report(runtime, dry_run=dry_run, preconnections=context.preconnections)
    if context.wants_json:
        context.console.json(render.as_json(result), "request" if dry_run else "")
    _tell(context, result)
    return result.exit_code


def _report_to_each(context: Context, sources: Sources, dry_run: bool) -> ExitCode:
    from jira_ci_core.reporting import sites

    results = []
    with _keep_out_of_json(context):
        for of_site in sites.report_to_each(sources, dry_run=dry_run):
            results.append(of_site)
            if of_site.result:
                _tell(context, of_site.result)
            context.console.problems(of_site.problems)
    if context.wants_json:
        context.console.json(render.sites_as_json(results), "request" if dry_run else "")
    return max(of_site.exit_code for of_site in results)


def _keep_out_of_json(context: Context) -> contextlib.AbstractContextManager[object]:
    """If standard output is for JSON, what plugins print goes to standard error."""
    return contextlib.redirect_stdout(sys.stderr if context.wants_json else sys.stdout)


def _tell(context: Context, result: RunResult) -> None:
    """Tell people how it ended; with JSON, which a program reads, only what went wrong."""
    for line in () if context.wants_json else render.lines_of(result, context.secrets.shorten):
        context.console.line(line)
    context.console.problems(render.problems_of(result), "warning" if result.exit_code is ExitCode.OK else "error")
