"""`jira-ci gate`: waits until Jira allows or prevents a deployment."""

from __future__ import annotations

import click

from jira_ci_core.cli.options import SettingsCommand, format_option, runtime_of
from jira_ci_core.errors import ExitCode


@click.command(cls=SettingsCommand, short_help="Wait until Jira allows or prevents a deployment.")
@format_option
@click.pass_context
def gate(ctx: click.Context, /) -> None:
    """Ask Jira for the gate of a deployment to ENVIRONMENT_NAME, and wait for the verdict, at most GATE_TIMEOUT.

    Exits with 0 if the deployment is allowed, 4 if it is prevented, 5 if the gate expired, 6 if there is no verdict in
    time.
    """
    from jira_ci_core.cli import render
    from jira_ci_core.gate import wait_for_verdict

    console = ctx.obj.console
    verdict = wait_for_verdict(runtime_of(ctx))
    problems = verdict.problems
    if ctx.obj.wants_json:
        verdict_as_json = {
            "ending": verdict.status,
            "exit_code": int(verdict.exit_code),
            "deployment": verdict.title or None,
            "changes": dict(verdict.changes),
            "seconds": round(verdict.seconds, 3),
            "problems": render.problems_as_json(problems),
        }
        console.json(verdict_as_json)
    elif not problems:
        console.line(f"Jira allows {verdict.title}")
    console.problems(problems, "warning" if verdict.exit_code is ExitCode.OK else "error")
    ctx.exit(verdict.exit_code)
