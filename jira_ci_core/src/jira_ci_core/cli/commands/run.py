"""`jira-ci run -- ./deploy.sh`: runs a command between two reports."""

from __future__ import annotations

import contextlib
import sys

import click

from jira_ci_core.cli.options import SettingsCommand, runtime_of
from jira_ci_core.errors import ExitCode


class WrappingCommand(SettingsCommand):
    """A command that takes another one after `--`, and parses none of its words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments before `--`, and keep those after it as they are."""
        place = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:place])
        ctx.params["command"] = tuple(args[place + 1 :])
        if not ctx.params["command"]:
            raise click.UsageError("There is no command after --.", ctx)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Add the other command to the usage line."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND [ARGUMENTS]..."]


@click.command(cls=WrappingCommand, short_help="Run a command, and tell Jira that it runs and how it ended.")
@click.option("--strict", is_flag=True, help="Exit with 1 if the command succeeded and reporting it to Jira failed.")
@click.pass_context
def run(ctx: click.Context, /, strict: bool, command: tuple[str, ...]) -> None:
    """Run a command: Jira shows it in progress, and then as successful, failed or cancelled.

    Exits with the status of the command, whatever happens with Jira.
    """
    from jira_ci_core.cli import render
    from jira_ci_core.command_run.run import run_command
    from jira_ci_core.reporting.run import RunResult

    console = ctx.obj.console

    def show_result(result: RunResult) -> None:
        for line in render.lines_of(result, ctx.obj.secrets.shorten):
            console.line(line)
        kind = "error" if strict and result.exit_code is not ExitCode.OK else "warning"
        console.problems(render.problems_of(result), kind)

    # Standard output belongs to the command: what plugins print there would be mistaken for its output.
    with contextlib.redirect_stdout(sys.stderr):
        result = run_command(
            runtime_of(ctx), command, ctx.obj.environ, show_result, lambda problem: console.problems([problem])
        )
    ctx.exit(ExitCode.JIRA if strict and result.status == 0 and not result.is_reported else result.status)
