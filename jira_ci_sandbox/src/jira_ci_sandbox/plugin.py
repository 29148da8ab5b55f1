"""The hook that adds the commands `sandbox` and `demo` to `jira-ci`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jira_ci_core import hookimpl

if TYPE_CHECKING:
    import click

CONTRACT = 1


@hookimpl
def jira_ci_register_commands(cli: click.Group) -> None:
    """Import the commands only now, since every CI step loads this module."""
    from jira_ci_sandbox.commands import demo, sandbox

    cli.add_command(sandbox)
    cli.add_command(demo)
