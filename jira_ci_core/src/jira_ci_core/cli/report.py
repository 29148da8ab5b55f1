"""What `jira-ci report` does, whether it was called with flags or, as nearly every step calls it, without."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jira_ci_core.cli import render
from jira_ci_core.config.sources import Sources, read_sources, readable
from jira_ci_core.errors import ExitCode
from jira_ci_core.output.console import Console
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.loader import CORE_SETTINGS, NETWORK_SETTINGS, choose_plugins, hide_secrets, load
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting import run
from jira_ci_core.reporting.run import RunResult

if TYPE_CHECKING:
    from jira_ci_core.net.early import EarlyConnections


@dataclass(frozen=True)
class Context:
    """What the step is given, and every other command."""

    environ: Mapping[str, str] = field(repr=False)
    secrets: Secrets
    console: Console
    early: EarlyConnections | None = None
    """Connections that were opened ahead."""


def prepare(context: Context, flags: Mapping[str, str]) -> tuple[Sources, Plugins]:
    """Where settings come from, and the plugins that those choose; `flags` are only those that are needed for that.

    Whatever is wrong there, or with a plugin, no credential is printed with it. Raises SettingsError.
    """
    hide_secrets(NETWORK_SETTINGS, Sources(readable(context.environ), {}), context.secrets)
    sources = read_sources(context.environ, flags)
    hide_secrets(NETWORK_SETTINGS, sources, context.secrets)
    plugins = choose_plugins(sources)
    hide_secrets((*CORE_SETTINGS, *NETWORK_SETTINGS, *plugins.settings), sources, context.secrets)
    return sources, plugins


def report(
    context: Context, sources: Sources, plugins: Plugins, *, dry_run: bool = False, format: str = "text"
) -> ExitCode:
    """Report, and tell how it ended; `format` is text or json. Raises SettingsError or PluginError."""
    if len(sources.sites) > 1:
        return _report_to_each(sources, context, dry_run, format)
    runtime = load(sources, context.secrets, plugins)
    set_level(runtime.settings.log_level)
    with _json_apart(format):
        result = run.report(runtime, dry_run=dry_run, early=context.early)
    if format == "json":
        context.console.output(render.as_json(result))
    _tell(result, context.console, format)
    return result.exit_code


def _report_to_each(sources: Sources, context: Context, dry_run: bool, format: str) -> ExitCode:
    from jira_ci_core.reporting import sites

    told = []
    with _json_apart(format):
        for one in sites.report_to_each(sources, context.secrets, dry_run=dry_run):
            told.append(one)
            if one.result:
                _tell(one.result, context.console, format)
            context.console.problems(one.problems)
    if format == "json":
        context.console.output(render.sites_as_json(told))
    return max(one.exit_code for one in told)


def _json_apart(format: str) -> contextlib.AbstractContextManager[object]:
    """What plugins print must not get into the JSON."""
    return contextlib.redirect_stdout(sys.stderr if format == "json" else sys.stdout)


def _tell(result: RunResult, console: Console, format: str) -> None:
    """Tell people how it ended; with json, which a program reads, only what went wrong."""
    for line in render.lines_of(result) if format == "text" else ():
        console.line(line)
    console.problems(render.problems_of(result), "warning" if result.exit_code is ExitCode.OK else "error")


def set_level(level: str) -> None:
    """Say as much as LOG_LEVEL wants."""
    logging.getLogger().setLevel(logging.DEBUG if level == "debug" else logging.INFO)
