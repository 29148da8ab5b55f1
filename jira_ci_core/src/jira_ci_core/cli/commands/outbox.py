"""`jira-ci outbox`: lists, delivers or drops reports that are not delivered yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from jira_ci_core.cli.options import CORE, SettingsCommand, format_option, plugins_of, runtime_of, sources_of
from jira_ci_core.config.resolve import resolve
from jira_ci_core.config.settings import OutboxSettings
from jira_ci_core.config.sources import without_secrets
from jira_ci_core.config.specs import setting_specs
from jira_ci_core.delivery.outbox import Entry, ForeignFile, Outbox, OutboxError, warn_of_checkout
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.plugins.loader import all_settings
from jira_ci_core.problem import Problem


@click.group(short_help="List, deliver or drop what is not delivered yet.")
def outbox() -> None:
    """Reports that are kept in OUTBOX because Jira has neither accepted nor refused them yet."""


@outbox.command(name="list", cls=SettingsCommand, models=[OutboxSettings])
@format_option
@click.pass_context
def list_(ctx: click.Context, /) -> None:
    """List the reports in the outbox, the oldest update first."""
    files = list(_outbox(ctx).read())
    if ctx.obj.wants_json:
        ctx.obj.console.output(json.dumps([_as_json(file) for file in files]))
        return
    for file in files:
        ctx.obj.console.line(_line(file))
    if not files:
        ctx.obj.console.line("the outbox is empty")


@outbox.command(cls=SettingsCommand)
@click.pass_context
def flush(ctx: click.Context, /) -> None:
    """Deliver the reports for the site that the settings name, with the same credentials as `report`."""
    from jira_ci_core.delivery.flush import FlushResult, flush as deliver_all

    runtime = runtime_of(ctx, needs_project=False)
    console = ctx.obj.console

    def show_progress(result: FlushResult, total: int) -> None:
        console.line(f"{result.delivered + result.refused} of {total} reports answered for")

    outbox = _outbox_in(runtime.settings.outbox, runtime.environ)
    warn_of_checkout(outbox.folder, runtime.environ)
    result = deliver_all(runtime, outbox, show_progress)
    more = f"; {result.elsewhere} are for other sites, or others deliver them" if result.elsewhere else ""
    more += f"; cannot be delivered: {result.unusable}" if result.unusable else ""
    more += f"; could not be removed: {result.stuck}" if result.stuck else ""
    console.line(f"delivered {result.delivered}, refused {result.refused}, left {result.left}{more}")
    console.problems(result.problems)
    ctx.exit(ExitCode.OK if result.is_done else ExitCode.JIRA)


@outbox.command(cls=SettingsCommand, models=[OutboxSettings])
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove every report in the outbox.")
@click.pass_context
def drop(ctx: click.Context, /, names: tuple[str, ...], everything: bool) -> None:
    """Remove reports without delivering them, by the NAMES that `list` shows.

    Files that are not reports are removed only by their names.
    """
    files = {file.path.name: file for file in _outbox(ctx).read()}
    chosen = dict.fromkeys(Path(name).name for name in names)
    why = ""
    if bool(names) == everything:
        why = "either the names of reports are needed, or --all"
    elif unknown := [name for name in chosen if name not in files]:
        why = f"not in the outbox: {', '.join(unknown)}"
    if why:
        raise SettingsError(Problem("nothing was dropped", why, "see `jira-ci outbox list`"))
    for file in [files[name] for name in chosen] or [file for file in files.values() if isinstance(file, Entry)]:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            why = error.strerror or str(error)
            raise OutboxError(Problem(f"{file.path} cannot be dropped", why, "remove it by other means")) from None
        ctx.obj.console.line(f"dropped {_line(file)}")


def _outbox(ctx: click.Context) -> Outbox:
    settings, problems = resolve(OutboxSettings, setting_specs(OutboxSettings, CORE), sources_of(ctx))
    if settings is None:
        raise SettingsError(*problems)
    environ = without_secrets(ctx.obj.environ, all_settings(plugins_of(ctx)))
    return _outbox_in(settings.outbox, environ)


def _outbox_in(folder: str | None, environ: Mapping[str, str]) -> Outbox:
    if not folder:
        why = "it names the folder in which reports are kept"
        raise SettingsError(Problem("OUTBOX is not set", why, "set OUTBOX, or --outbox FOLDER"))
    return Outbox(Path(folder), environ=environ)


def _line(file: Entry | ForeignFile) -> str:
    if isinstance(file, ForeignFile):
        return f"{file.path.name}: {file.reason}"
    since = datetime.fromtimestamp(file.kept_at, UTC).isoformat(" ", "seconds")
    report = file.report
    return f"{file.path.name}: {report.title} ({report.entity.state}) for {report.site.name}, kept at {since}"


def _as_json(file: Entry | ForeignFile) -> dict[str, object]:
    if isinstance(file, ForeignFile):
        return {"name": file.path.name, "left_alone": file.reason}
    return {"name": file.path.name, "kept_at": file.kept_at, "report": file.report.model_dump(mode="json")}
