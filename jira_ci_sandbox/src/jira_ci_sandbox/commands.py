"""The commands `sandbox` and `demo`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jira_ci_sandbox.errors import SandboxError
from jira_ci_sandbox.settings import project_patterns

if TYPE_CHECKING:
    from jira_ci_sandbox.server import ServerInfo


class _CommandError(click.ClickException):
    """Prints an error in its three parts, and ends with the exit status for wrong settings."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        click.echo(f"error: {self.message}", err=True)


def _parse_projects(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    try:
        return project_patterns(value)
    except ValueError as error:
        raise _CommandError(
            str(
                SandboxError(
                    f"--projects {value!r} names no projects.",
                    f"In Jira {error}.",
                    "Give project keys separated by commas, such as --projects 'DEMO,MY*', or '*' for all.",
                )
            )
        ) from error


def _check_parent(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    if value is not None and sys.platform == "win32":
        raise click.BadParameter("is not available on Windows; use --until-stdin-closes")
    return value


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--data",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SQLite file that keeps everything over a restart. Without it, everything is kept in memory.",
)
@click.option(
    "--projects",
    callback=_parse_projects,
    help="Projects that exist, separated by commas; * and ? are wildcards."
    "  [default: those of the data file, else DEMO]",
)
@click.option("--mint", is_flag=True, help="Create a client id with its secret, and a Connect key, and print them.")
@click.option("--tls", is_flag=True, help="Serve https, with a throw-away certificate authority.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to announce that it listens: text on standard error, or one line of JSON on standard output.",
)
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input closes.")
@click.option(
    "--parent", type=click.IntRange(1), callback=_check_parent, metavar="PID", help="Stop when this process ends."
)
def sandbox(
    host: str,
    port: int,
    data: Path | None,
    projects: tuple[str, ...] | None,
    mint: bool,
    tls: bool,
    output_format: str,
    until_stdin_closes: bool,
    parent: int | None,
) -> None:
    """Serve a local Jira to try, demonstrate and test against."""
    from jira_ci_sandbox.server import serve  # imported late, so that --help does not wait for the web server

    def announce(info: ServerInfo) -> None:
        if output_format == "json":
            click.echo(info.as_json())
        else:
            click.echo(welcome_text(info), err=True)

    try:
        serve(
            on_ready=announce,
            host=host,
            port=port,
            data=data,
            projects=projects,
            with_credentials=mint,
            tls=tls,
            until_closed=sys.stdin.buffer if until_stdin_closes else None,
            parent=parent,
        )
    except SandboxError as error:
        raise _CommandError(str(error)) from error


@click.command(short_help="Run a pipeline's reports against a local Jira, and show the result.")
@click.option("--serve", is_flag=True, help="Keep the local Jira running afterwards, until Ctrl+C.")
@click.option("--open", "open_browser", is_flag=True, help="Like --serve, and open the issue in a browser.")
@click.option("--verbose", is_flag=True, help="Show the settings and the output of each step.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port of the local Jira; 0 takes a free one.")
@click.pass_context
def demo(context: click.Context, serve: bool, open_browser: bool, verbose: bool, port: int) -> None:
    """Start a local Jira, install the app, report builds and deployments, and show what Jira holds."""
    from jira_ci_sandbox.demo import run_demo

    # https://no-color.org; without it, click uses colours on terminals only.
    color = False if os.environ.get("NO_COLOR") else None

    def echo(line: str) -> None:
        click.echo(line, color=color)

    try:
        opener = click.launch if open_browser else None
        context.exit(run_demo(echo, port=port, serve=serve or open_browser, verbose=verbose, open_browser=opener))
    except SandboxError as error:
        raise _CommandError(str(error)) from error


def welcome_text(info: ServerInfo) -> str:
    """Return the announcement for people that the sandbox listens."""
    lines = [f"Jira sandbox: {info.url}", f"Cloud id: {info.cloud_id}"]
    if info.ca_file is not None:
        lines.append(f"Certificate authority: {info.ca_file}")
    if info.credentials is not None:
        lines += [f"{name.upper()}={value}" for name, value in info.credentials.items()]
    return "\n".join([*lines, "Press Ctrl+C to stop."])
