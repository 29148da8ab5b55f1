"""The command line, declared with click."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from jira_ci_core.cli.context import Context
from jira_ci_core.cli.options import SettingsCommand, SettingsGroup, format_option, plugins_of, sources_of
from jira_ci_core.cli.report import report as run_report
from jira_ci_core.config.settings import PluginChoice, Settings
from jira_ci_core.config.sources import HOLDS_CREDENTIAL
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.plugins.catalog import COMMANDS, install_command
from jira_ci_core.plugins.loader import open_sources, warn_of_failures
from jira_ci_core.problem import Problem

# Commands that are imported when they are asked for.
LAZY_COMMANDS = {
    "run": "jira_ci_core.cli.commands.run",
    "gate": "jira_ci_core.cli.commands.gate",
    "outbox": "jira_ci_core.cli.commands.outbox",
    "show": "jira_ci_core.cli.commands.show_delete",
    "delete": "jira_ci_core.cli.commands.show_delete",
    "backfill": "jira_ci_core.cli.commands.backfill",
}


class Cli(click.Group):
    """Core's commands and those that plugins register; plugins are asked only for commands that core does not have."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LAZY_COMMANDS:
            command: click.Command = getattr(import_module(LAZY_COMMANDS[cmd_name]), cmd_name)
            return command
        if cmd_name not in self.commands:
            self._register_commands_of_plugins(ctx)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        core = [*self.commands, *LAZY_COMMANDS]
        self._register_commands_of_plugins(ctx)
        return core + sorted(self.commands.keys() - set(core))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for one of a package that is not installed, say which to install."""
        name = args[0] if args else ""
        if name in COMMANDS and self.get_command(ctx, name) is None:
            if problems := ctx.meta[__name__]:  # the plugin that has it did not start
                raise SettingsError(*problems)
            why = "it comes with a package that is not installed (or is off: `jira-ci plugins` shows that)"
            raise SettingsError(Problem(f"there is no command {name} here", why, install_command(COMMANDS[name])))
        return super().resolve_command(ctx, args)

    def _register_commands_of_plugins(self, ctx: click.Context) -> None:
        if __name__ not in ctx.meta:
            sources, plugins = ctx.obj.prepare({})
            ctx.meta[__name__] = plugins.start(sources)
            plugins.register_commands(self)


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jira-ci-core", prog_name="jira-ci")
def cli() -> None:
    """Tell Jira about builds and deployments."""


@cli.command(cls=SettingsCommand, short_help="Update the Builds or Deployments of issues: the CI step.")
@click.option("--dry-run", is_flag=True, help="Show the keys, where each was found, and the payload; send nothing.")
@format_option
@click.pass_context
def report(ctx: click.Context, /, dry_run: bool) -> None:
    """Update the Builds or Deployments of the issues that this change belongs to.

    Every setting has three spellings, which win in this order: the flag, PLUGIN_… as a step's own settings are
    passed, JIRA_CI_… anywhere. Then come the file named by --config, jira-ci.toml (or [tool.jira-ci] of
    pyproject.toml) for settings that a pull request may change, and the default.
    """
    ctx.exit(run_report(ctx.obj, sources_of(ctx), plugins_of(ctx), dry_run=dry_run))


@cli.group(
    cls=SettingsGroup,
    models=[PluginChoice],
    invoke_without_command=True,
    short_help="Show what is installed, and whether it is on.",
)
@click.option("--hooks", is_flag=True, help="Show the contract: each hook, its arguments, and who implements it.")
@format_option
@click.pass_context
def plugins(ctx: click.Context, /, hooks: bool) -> None:
    """Show what is installed: name, distribution, version, hooks, settings, and whether it is on."""
    if ctx.invoked_subcommand is not None:
        return
    from jira_ci_core.plugins import listing

    found, console = plugins_of(ctx), ctx.obj.console
    found.start(sources_of(ctx))
    contract = listing.hooks_of(found)
    if ctx.obj.wants_json:
        console.output(listing.as_json(found.installed, contract))
    else:
        for line in listing.hook_lines(contract) if hooks else listing.lines_of(found.installed):
            console.line(line)
    ctx.exit(ExitCode.PLUGIN if found.failures else ExitCode.OK)


@plugins.command(short_help="Write a plugin that installs and passes its tests at once.")
@click.argument("name")
@click.option("--hook", required=True, help="Which hook it implements; `jira-ci plugins --hooks` lists them.")
@click.pass_obj
def new(context: Context, /, name: str, hook: str) -> None:
    """Write a plugin: a package called NAME, in a folder of that name, that installs and passes its tests at once."""
    from jira_ci_core.scaffold import new_plugin

    for file in new_plugin(name, hook, Path()):
        context.console.line(f"wrote {file}")
    context.console.line(f"next: cd {name}, and do what README.md says")


@cli.command(cls=SettingsCommand, models=[Settings], short_help="Show where each fact of this run comes from.")
@format_option
@click.pass_context
def explain(ctx: click.Context, /) -> None:
    """Show which CI was recognised, by which variable, and every fact of this run with where it came from.

    Needs neither PROJECT nor credentials, and sends nothing.
    """
    from jira_ci_core.cli import explain

    sources, found = sources_of(ctx), plugins_of(ctx)
    warn_of_failures([*found.start(sources), *found.failures])
    explanation = explain.explain(sources, found)
    if ctx.obj.wants_json:
        ctx.obj.console.json(explain.as_json(explanation))
    else:
        for line in explain.lines_of(explanation):
            ctx.obj.console.line(line)


@cli.command(cls=SettingsCommand, short_help="Check settings, credentials and reachability one by one.")
@click.pass_context
def doctor(ctx: click.Context, /) -> None:
    """Check settings, credentials and reachability one by one, with a remedy for each failure. Reports nothing."""
    from jira_ci_core.cli.doctor import examine

    ctx.exit(examine(sources_of(ctx), plugins_of(ctx), ctx.obj.console))


def run(arguments: Sequence[str], context: Context) -> int:
    """Run the command that the arguments name, and return its exit code.

    Raises JiraCiError, also for a command line that is not valid, and KeyboardInterrupt.
    """
    # A copy, since plugins add commands to it.
    group = copy.copy(cli)
    group.commands = dict(cli.commands)
    try:
        # Without its standalone mode click returns the exit code that a command asked for.
        exit_code = group.main(list(arguments), prog_name="jira-ci", standalone_mode=False, obj=context)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.SETTINGS
    except click.UsageError as error:
        # The mistake may quote a credential, and may have been found before credentials were read and hidden.
        with contextlib.suppress(SettingsError):
            open_sources(context.environ, {}, context.secrets)
        named = " ".join(["jira-ci", *(word for word in arguments[:1] if word in {*group.commands, *LAZY_COMMANDS})])
        command = error.ctx.command_path if error.ctx else named
        problem = Problem(error.format_message(), "the command line is not valid", f"see {command} --help")
        if context.secrets.are_in(" ".join(arguments)):  # of which the mistake may quote a part
            problem = Problem(problem.why, *HOLDS_CREDENTIAL)
        raise SettingsError(problem) from None
    except click.ClickException as error:
        # Of a command that a plugin added: its words are its own.
        context.console.text(f"error: {error.format_message()}")
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return exit_code if isinstance(exit_code, int) else ExitCode.OK
