"""Settings as flags: commands that take every setting, those that plugins declare included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import click

from jira_ci_core.cli.context import Context
from jira_ci_core.config.settings import PluginSettings
from jira_ci_core.config.sources import Sources, readable
from jira_ci_core.config.specs import SettingSpec, flag, setting_specs
from jira_ci_core.issue_keys import ANY_PROJECT
from jira_ci_core.output.console import set_level
from jira_ci_core.plugins.loader import CORE_SETTINGS, NETWORK_SETTINGS, Runtime, load
from jira_ci_core.plugins.manager import Plugins

CORE = "core"


class SettingsCommand(click.Command):
    """A command that takes settings as flags.

    Which flags there are depends on the plugins, and which plugins there are on flags. So the flags that choose plugins
    are read first, and then click parses all words, with all flags.
    """

    def __init__(self, *arguments: Any, models: Sequence[type[PluginSettings]] = (), **keywords: Any) -> None:
        """`models` are those whose settings are flags; where it is empty, all of core's and of the plugins' are."""
        super().__init__(*arguments, **keywords)
        self._models = models

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters of the command, and a flag for each setting once those are known."""
        return [*super().get_params(ctx), *_options(_settings_of(ctx))]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Load the plugins, parse all words, and keep the sources of settings with all flags in them."""
        core = tuple(setting for model in self._models for setting in setting_specs(model, CORE))
        core = core or (*CORE_SETTINGS, *NETWORK_SETTINGS)
        sources, plugins = cast(Context, ctx.obj).prepare(self._first_flags(ctx, args, core))
        ctx.meta["settings"] = settings = core if self._models else (*core, *plugins.settings)
        rest = super().parse_args(ctx, args)
        flags = _flags(ctx.params, settings)
        for setting in settings:
            ctx.params.pop(setting.name, None)
        ctx.meta["sources"], ctx.meta["plugins"] = replace(sources, flags=flags), plugins
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options of the command, then every setting with its spellings and default, by its owner."""
        own = [parameter.get_help_record(ctx) for parameter in self.params]
        with formatter.section("Options"):
            formatter.write_dl([record for record in [*own, ("-h, --help", "Show this message and exit.")] if record])
        settings = _settings_of(ctx)
        for owner in dict.fromkeys(setting.owner for setting in settings):
            with formatter.section("Settings" if owner == CORE else f"Settings of the plugin {owner}"):
                for setting in settings:
                    if setting.owner == owner:
                        formatter.write_text(_spellings(setting))
                        with formatter.indentation():
                            formatter.write_text(_help(setting))

    def _first_flags(self, ctx: click.Context, args: list[str], settings: Sequence[SettingSpec]) -> dict[str, str]:
        """The flags of core's settings, as far as they can be read without those of plugins. Raises no error."""
        own = [parameter for parameter in self.params if isinstance(parameter, click.Option)]
        command = click.Command(self.name, params=[*own, *_options(settings)], add_help_option=False)
        lenient = {"resilient_parsing": True, "ignore_unknown_options": True, "allow_extra_args": True}
        return _flags(command.make_context(ctx.info_name, list(args), parent=ctx.parent, **lenient).params, settings)


class SettingsGroup(SettingsCommand, click.Group):
    """Such a command with others below it; those take no settings, and no plugin is loaded for them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave everything to the command below, where one is named first."""
        if args and args[0] in self.commands:
            return click.Group.parse_args(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def _settings_of(ctx: click.Context) -> tuple[SettingSpec, ...]:
    return cast("tuple[SettingSpec, ...]", ctx.meta.get("settings", ()))


def sources_of(ctx: click.Context) -> Sources:
    return cast(Sources, ctx.meta["sources"])


def plugins_of(ctx: click.Context) -> Plugins:
    return cast(Plugins, ctx.meta["plugins"])


def runtime_of(ctx: click.Context, *, needs_project: bool = True) -> Runtime:
    """Checked settings and started plugins; PROJECT may be absent for commands that look for no keys."""
    sources = sources_of(ctx)
    runtime = load(sources if needs_project else replace(sources, defaults={"project": ANY_PROJECT}), plugins_of(ctx))
    set_level(runtime.settings.log_level)
    return runtime


def format_option(command: Any) -> Any:
    """The option `--format`, for commands whose result programs read as well."""

    def note(ctx: click.Context, parameter: click.Parameter, value: str) -> None:
        if value == "json":
            ctx.find_root().obj.wants_json = True

    return click.option(
        "--format",
        type=click.Choice(["text", "json"]),
        default="text",
        is_eager=True,
        expose_value=False,
        callback=note,
        help="json goes to standard output.",
    )(command)


def _options(settings: Sequence[SettingSpec]) -> Iterator[click.Option]:
    for setting in settings:
        if not setting.secret:
            # A switch may go without its value: `--verify`.
            more: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if isinstance(setting.default, bool) else {}
            names = [setting.name, *map(flag, setting.names)]
            yield click.Option(names, metavar="VALUE", help=setting.help, **more)


def _flags(parameters: dict[str, Any], settings: Sequence[SettingSpec]) -> dict[str, str]:
    """The flags that were given, by the names of their settings."""
    given = {setting.name: parameters.get(setting.name) for setting in settings if not setting.secret}
    return readable({name: value for name, value in given.items() if value is not None})


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
