"""The commands of `jira-ci`; what they do is elsewhere."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jira_ci_core.cli import report as step
from jira_ci_core.cli.report import Context, set_level
from jira_ci_core.config.settings import PluginChoice, PluginSettings, Settings
from jira_ci_core.config.sources import CONFIG, SettingSpec, Sources, flag, readable, setting_specs
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.issue_keys import ANY_PROJECT
from jira_ci_core.plugins.loader import CORE_SETTINGS, NETWORK_SETTINGS, Runtime, load
from jira_ci_core.problem import Problem

if TYPE_CHECKING:
    from jira_ci_core.plugins.manager import Plugins

log = logging.getLogger(__name__)

# Commands that are imported when they are asked for.
LATER = {
    "run": "jira_ci_core.cli.commands.run",
    "gate": "jira_ci_core.cli.commands.gate",
    "outbox": "jira_ci_core.cli.commands.outbox",
    "show": "jira_ci_core.cli.commands.show_delete",
    "delete": "jira_ci_core.cli.commands.show_delete",
    "backfill": "jira_ci_core.cli.commands.backfill",
}

# Commands of packages that may not be installed, and the extra of core that installs them.
ELSEWHERE = {"demo": "sandbox", "sandbox": "sandbox", "queue": "celery", "worker": "celery"}

CORE = "core"


class Cli(click.Group):
    """Core's commands, and those that plugins register; plugins are asked only for commands that core has not."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name in LATER:
            command: click.Command = getattr(import_module(LATER[cmd_name]), cmd_name)
            return command
        if cmd_name not in self.commands:
            self._register_others(ctx)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, core's first."""
        core = [*self.commands, *LATER]
        self._register_others(ctx)
        return core + sorted(self.commands.keys() - set(core))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for one of a package that is not installed, say which to install."""
        name = args[0] if args else ""
        if name in ELSEWHERE and self.get_command(ctx, name) is None:
            raise SettingsError(
                Problem(
                    f"there is no command {name} here",
                    "it comes with a package that is not installed (or is off: `jira-ci plugins` shows that)",
                    f"pip install 'jira-ci-core[{ELSEWHERE[name]}]'",
                )
            )
        return super().resolve_command(ctx, args)

    def _register_others(self, ctx: click.Context) -> None:
        if not ctx.meta.get(__name__):
            ctx.meta[__name__] = True
            sources, plugins = step.prepare(ctx.obj, {})
            plugins.start(sources)
            plugins.notify("register_commands", cli=self)


class SettingsCommand(click.Command):
    """A command that takes every setting as a flag, those that plugins declare included."""

    def __init__(self, *arguments: Any, models: Sequence[type[PluginSettings]] = (), **keywords: Any) -> None:
        """`models` are those whose settings are flags; all of them, plugins' included, where it is empty."""
        super().__init__(*arguments, **keywords)
        self._own = len(self.params)
        self._models = models
        self._settings: tuple[SettingSpec, ...] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which plugins there are, and then which flags."""
        early = [*setting_specs(PluginChoice, CORE), CONFIG]
        sources, plugins = step.prepare(ctx.obj, _early_flags(args, early))
        ctx.meta["sources"], ctx.meta["plugins"] = sources, plugins
        everything = (*CORE_SETTINGS, *NETWORK_SETTINGS, *plugins.settings)
        only = tuple(setting for model in self._models for setting in setting_specs(model, CORE))
        self._settings = only or everything
        self.params = self.params[: self._own] + [_option(setting) for setting in self._settings if not setting.secret]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options of the command, then every setting with its spellings and default, by who declares it."""
        own = [parameter.get_help_record(ctx) for parameter in self.params[: self._own]]
        with formatter.section("Options"):
            formatter.write_dl([record for record in [*own, ("-h, --help", "Show this message and exit.")] if record])
        for owner in dict.fromkeys(setting.owner for setting in self._settings):
            with formatter.section("Settings" if owner == CORE else f"Settings of the plugin {owner}"):
                for setting in self._settings:
                    if setting.owner == owner:
                        formatter.write_text(_spellings(setting))
                        with formatter.indentation():
                            formatter.write_text(_help(setting))


class SettingsGroup(SettingsCommand, click.Group):
    """Such a command, which has others below it; those take no settings, and no plugin is loaded for them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave everything to the command below, where one is named first."""
        if args and args[0] in self.commands:
            return click.Group.parse_args(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options, settings, and the commands below."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=Cli, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jira-ci-core", prog_name="jira-ci")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Tell Jira about builds and deployments."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(ExitCode.SETTINGS)


@cli.command(cls=SettingsCommand, short_help="Update the Builds or Deployments of issues: the CI step.")
@click.option("--dry-run", is_flag=True, help="Show the keys, where each was found, and the payload; send nothing.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="json goes to standard output.")
@click.pass_context
def report(ctx: click.Context, /, dry_run: bool, format: str, **flags: str | None) -> None:
    """Update the Builds or Deployments of the issues that this change belongs to.

    Every setting has three spellings, which win in this order: the flag, PLUGIN_… as a step's own settings are
    passed, JIRA_CI_… anywhere. Then come the file named by --config, jira-ci.toml (or [tool.jira-ci] of
    pyproject.toml) for harmless ones, and the default.
    """
    sources = replace(ctx.meta["sources"], flags=given(flags))
    ctx.exit(step.report(ctx.obj, sources, ctx.meta["plugins"], dry_run=dry_run, format=format))


@cli.group(
    cls=SettingsGroup,
    models=[PluginChoice],
    invoke_without_command=True,
    short_help="Show what is installed, and whether it is on.",
)
@click.option("--hooks", is_flag=True, help="Show the contract: each hook, its arguments, and who implements it.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="json goes to standard output.")
@click.pass_context
def plugins(ctx: click.Context, /, hooks: bool, format: str, **flags: str | None) -> None:
    """Show what is installed: name, distribution, version, hooks, settings, and whether it is on."""
    if ctx.invoked_subcommand is not None:
        return
    from jira_ci_core.plugins import listing

    found: Plugins = ctx.meta["plugins"]
    found.start(replace(ctx.meta["sources"], flags=given(flags)))
    contract = listing.hooks_of(found)
    if format == "json":
        ctx.obj.console.output(listing.as_json(found.installed, contract))
    else:
        for line in listing.hook_lines(contract) if hooks else listing.lines_of(found.installed):
            ctx.obj.console.line(line)
    ctx.exit(ExitCode.PLUGIN if found.failures else ExitCode.OK)


@plugins.command(short_help="Write a plugin that installs and passes its tests at once.")
@click.argument("name")
@click.option("--hook", required=True, help="Which hook it implements; `jira-ci plugins --hooks` lists them.")
@click.pass_context
def new(ctx: click.Context, /, name: str, hook: str) -> None:
    """Write a plugin: a package called NAME, in a folder of that name, that installs and passes its tests at once."""
    from jira_ci_core.scaffold import new_plugin

    for file in new_plugin(name, hook, Path()):
        ctx.obj.console.line(f"wrote {file}")
    ctx.obj.console.line(f"next: cd {name}, and do what README.md says")


@cli.command(cls=SettingsCommand, models=[Settings], short_help="Show where each fact of this run comes from.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="json goes to standard output.")
@click.pass_context
def explain(ctx: click.Context, /, format: str, **flags: str | None) -> None:
    """Show which CI was recognised, by which variable, and every fact of this run with where it came from.

    Needs neither PROJECT nor credentials, and sends nothing.
    """
    from jira_ci_core.cli import explain

    sources: Sources = replace(ctx.meta["sources"], flags=given(flags))
    found: Plugins = ctx.meta["plugins"]
    for problem in [*found.start(sources), *found.failures]:
        log.warning("%s: %s", problem.what, problem.why)
    explanation = explain.explain(sources, found)
    if format == "json":
        ctx.obj.console.output(explain.as_json(explanation))
    else:
        for line in explain.lines_of(explanation):
            ctx.obj.console.line(line)


@cli.command(cls=SettingsCommand, short_help="Check settings, credentials and reachability one by one.")
@click.pass_context
def doctor(ctx: click.Context, /, **flags: str | None) -> None:
    """Check settings, credentials and reachability one by one, with a remedy for each failure. Reports nothing."""
    from jira_ci_core.cli.doctor import examine

    sources: Sources = replace(ctx.meta["sources"], flags=given(flags))
    ctx.exit(examine(sources, ctx.meta["plugins"], ctx.obj.secrets, ctx.obj.console))


def run(arguments: Sequence[str], context: Context) -> int:
    """Run the command that the arguments name, and answer its exit code.

    Raises JiraCiError, also where that is not how the command is called, and KeyboardInterrupt.
    """
    # A copy, since plugins add commands to it.
    group = copy.copy(cli)
    group.commands = dict(cli.commands)
    try:
        # Not standalone, click hands over the exit code that a command asked for.
        exit_code = group.main(list(arguments), prog_name="jira-ci", standalone_mode=False, obj=context)
    except click.UsageError as error:
        named = " ".join(["jira-ci", *(word for word in arguments[:1] if word in group.commands)])
        command = error.ctx.command_path if error.ctx else named
        what, why = error.format_message(), "that is not how the command is called"
        raise SettingsError(Problem(what, why, f"see {command} --help")) from None
    except click.ClickException as error:
        # Of a command that a plugin added: its words are its own.
        context.console.text(f"error: {error.format_message()}")
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return exit_code if isinstance(exit_code, int) else ExitCode.OK


def site_of(ctx: click.Context, flags: Mapping[str, str | None]) -> Runtime:
    """Settings and plugins for a command that speaks with a site and looks for no keys: PROJECT is not needed."""
    sources = replace(ctx.meta["sources"], flags=given(flags), defaults={"project": ANY_PROJECT})
    runtime = load(sources, ctx.obj.secrets, ctx.meta["plugins"])
    set_level(runtime.settings.log_level)
    return runtime


def given(flags: Mapping[str, str | None]) -> dict[str, str]:
    """The flags that were set."""
    return readable({name: value for name, value in flags.items() if value is not None})


def _early_flags(args: Sequence[str], settings: Sequence[SettingSpec]) -> dict[str, str]:
    """The flags that choose plugins, read before it is known which flags there are."""
    names = {flag(name): name for setting in settings for name in setting.names}
    found = {}
    for place, word in enumerate(args):
        spelling, equals, value = word.partition("=")
        if spelling in names:
            following = "".join(args[place + 1 : place + 2])
            found[names[spelling]] = value if equals else "true" if following.startswith("--") else following
    return found


def _option(setting: SettingSpec) -> click.Option:
    # A switch may go without its value: `--verify`.
    more: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if isinstance(setting.default, bool) else {}
    return click.Option([setting.name, *map(flag, setting.names)], metavar="VALUE", help=setting.help, **more)


def _spellings(setting: SettingSpec) -> str:
    flags = [] if setting.secret else [f"{name} VALUE" for name in map(flag, setting.names)]
    variables = [f"{prefix}{name.upper()}" for prefix in ("PLUGIN_", "JIRA_CI_") for name in setting.names]
    files = [f"{variable}_FILE" for variable in variables] if setting.secret else []
    return ", ".join([*flags, *variables, *files, *setting.reads])


def _help(setting: SettingSpec) -> str:
    default = "required" if setting.required else f"default: {_shown(setting.default)}"
    secret = "credential, no flag; " if setting.secret else ""
    return f"{setting.help or setting.variable}  [{secret}{default}]"


def _shown(default: object) -> str:
    if default in (None, (), "", {}):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
