"""Writes the manual page: `python tools/manpage.py > docs/jira-ci.1`.

It has the commands and settings of core and of this repository's packages only, even if other plugins are installed.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from jira_ci_core.cli.app import cli
from jira_ci_core.cli.context import Context
from jira_ci_core.cli.options import CORE
from jira_ci_core.config.sources import PROJECT_FILE
from jira_ci_core.config.specs import SettingSpec, flag
from jira_ci_core.output.console import Console
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins.catalog import BUILT_IN
from jira_ci_core.plugins.loader import CORE_SETTINGS, NETWORK_SETTINGS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SHIPPED = CORE, *BUILT_IN, "oauth", "connect", "git"
COMMANDS_OF_PACKAGES = "demo", "sandbox"


def escaped(text: str) -> str:
    """Escape a text for roff."""
    text = " ".join(text.replace("`", "").split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text


def paragraph(text: str) -> Iterator[str]:
    """Yield the lines of a help text's paragraphs."""
    for part in re.split(r"\n\s*\n", text.strip()):
        yield ".PP"
        yield escaped(part)


def entry(term: str, text: str) -> Iterator[str]:
    """Yield the lines of a term in bold with its meaning."""
    yield ".TP"
    yield f".B {escaped(term)}"
    yield escaped(text)


def command_section(command: click.Command, path: str, settings: set[str]) -> Iterator[str]:
    """Yield the section of a command: its arguments, options and subcommands."""
    options = [one for one in command.params if isinstance(one, click.Option) and one.name not in settings]
    arguments = [one.name.upper() for one in command.params if isinstance(one, click.Argument) and one.name]
    yield f".SS {escaped(' '.join([path, *arguments]))}"
    yield from list(paragraph(command.help or ""))[1:]
    for option in options:
        value = "" if option.is_flag or option.count else f" {_value(option)}"
        yield from entry(", ".join(option.opts) + value, option.help or "")
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from command_section(below, f"{path} {name}", settings)


def setting_entry(setting: SettingSpec) -> Iterator[str]:
    """Yield the entry of a setting."""
    default = f" Default: {_text(setting.default)}." if _text(setting.default) else ""
    term = f"{', '.join(map(flag, setting.names))} VALUE" if not setting.secret else ", ".join(setting.names).upper()
    needed = " Required." if setting.required else default
    credential = " A credential: no flag; may come from a file (…_FILE)." if setting.secret else ""
    yield from entry(term, f"{setting.help.rstrip('.')}.{needed}{credential}")


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    secrets = Secrets()
    # A copy, since plugins add their commands to the group.
    group = copy.copy(cli)
    group.commands = dict(cli.commands)
    context = group.make_context("jira-ci", [], obj=Context({}, secrets, Console(secrets)), resilient_parsing=True)
    report = group.commands["report"]
    plugins = report.make_context("report", [], parent=context, resilient_parsing=True).meta["plugins"]
    settings = [one for one in (*CORE_SETTINGS, *NETWORK_SETTINGS, *plugins.settings) if one.owner in SHIPPED]
    names = {one.name for one in plugins.settings} | {one.name for one in settings}
    yield f'.TH JIRA\\-CI 1 "" "jira\\-ci {version("jira-ci-core")}" "jira\\-ci"'
    yield from (".SH NAME", "jira\\-ci \\- tell Jira about builds and deployments")
    yield from (".SH SYNOPSIS", ".B jira\\-ci", "[\\-h | \\-\\-version]", ".I COMMAND", "[OPTIONS]")
    yield ".SH DESCRIPTION"
    story = re.search(r"^# jira-ci\n\n(.+?)\n\n", README, re.DOTALL)
    assert story is not None
    yield escaped(story[1].replace("**", ""))
    yield ".SH COMMANDS"
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and (
            name in COMMANDS_OF_PACKAGES or command.callback.__module__.startswith("jira_ci_core.")
        ):
            yield from command_section(command, name, names)
    yield ".SH SETTINGS"
    yield escaped(
        "A setting NAME is taken from the flag, from PLUGIN_NAME, from JIRA_CI_NAME, from the file that --config "
        f"names, and, where a pull request may change it, from {PROJECT_FILE} or [tool.jira-ci] of pyproject.toml, in "
        "that order."
    )
    for owner in dict.fromkeys(one.owner for one in settings):
        yield f".SS {'Of every step' if owner == CORE else 'Of the plugin ' + escaped(owner)}"
        for setting in settings:
            if setting.owner == owner:
                yield from setting_entry(setting)
    yield ".SH EXIT STATUS"
    for code, meaning in re.findall(r"^\| (\d+) \| (.+) \|$", README, re.MULTILINE):
        yield from entry(code, f"{meaning}.")
    yield ".SH FILES"
    yield from entry(PROJECT_FILE, "Settings that a pull request may change, spelled key-aliases.")
    yield ".SH ENVIRONMENT"
    yield from entry("PLUGIN_NAME, JIRA_CI_NAME", "Any setting.")
    yield from entry("_JIRA_CI_COMPLETE", "bash_source, zsh_source or fish_source prints what completes commands.")


def _value(option: click.Option) -> str:
    return "|".join(option.type.choices) if isinstance(option.type, click.Choice) else "VALUE"


def _text(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if default is None or default in ((), {}, ""):
        return ""
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print("\n".join(page()))
