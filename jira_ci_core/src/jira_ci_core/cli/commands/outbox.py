"""`jira-ci outbox`: what is not delivered yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from jira_ci_core.cli.options import CORE, SettingsCommand, format_option, runtime_of, sources_of
from jira_ci_core.config.resolve import resolve
from jira_ci_core.config.settings import OutboxSettings
from jira_ci_core.config.specs import setting_specs
from jira_ci_core.delivery.outbox import Entry, ForeignFile, Outbox, OutboxError
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.problem import Problem


@click.group(short_help="List, deliver or drop what is not delivered yet.")
def outbox() -> None:
    """Reports that are kept in OUTBOX because Jira has not answered for them yet."""


@outbox.command(name="list", cls=SettingsCommand, models=[OutboxSettings])
@format_option
@click.pass_context
def list_(ctx: click.Context, /) -> None:
    """List what is in it, the oldest update first."""
    found = list(_outbox(ctx).read())
    if ctx.obj.wants_json:
        ctx.obj.console.output(json.dumps([_as_json(one) for one in found]))
        return
    for one in found:
        ctx.obj.console.line(_line(one))
    if not found:
        ctx.obj.console.line("the outbox is empty")


@outbox.command(cls=SettingsCommand)
@click.pass_context
def flush(ctx: click.Context, /) -> None:
    """Deliver what is in it for the site that the settings name, signing in as `report` does."""
    from jira_ci_core.delivery.flush import FlushResult, flush as deliver_all

    runtime = runtime_of(ctx, needs_project=False)
    console = ctx.obj.console

    def tell(flushed: FlushResult, total: int) -> None:
        console.line(f"{flushed.delivered + flushed.refused} of {total} reports answered for")

    flushed = deliver_all(runtime, _of(runtime.settings.outbox), tell)
    parts = [f"delivered {flushed.delivered}", f"refused {flushed.refused}", f"left {flushed.left}"]
    more = f"; {flushed.elsewhere} are for other sites, or others deliver them" if flushed.elsewhere else ""
    console.line(", ".join(parts) + more)
    console.problems(flushed.problems)
    ctx.exit(ExitCode.OK if flushed.is_done else ExitCode.JIRA)


@outbox.command(cls=SettingsCommand, models=[OutboxSettings])
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove every report that is in it.")
@click.pass_context
def drop(ctx: click.Context, /, names: tuple[str, ...], everything: bool) -> None:
    """Remove reports without delivering them, by the NAMES that `list` shows; other files only by their names."""
    folder = _outbox(ctx)
    found = {one.path.name: one for one in folder.read()}
    chosen = dict.fromkeys(Path(name).name for name in names)
    unknown = [name for name in chosen if name not in found]
    if bool(names) == everything:
        raise SettingsError(
            Problem(
                "nothing was dropped", "either the names of reports are needed, or --all", "see `jira-ci outbox list`"
            )
        )
    if unknown:
        raise SettingsError(
            Problem("nothing was dropped", f"not in the outbox: {', '.join(unknown)}", "see `jira-ci outbox list`")
        )
    for one in [found[name] for name in chosen] or [one for one in found.values() if isinstance(one, Entry)]:
        try:
            one.path.unlink(missing_ok=True)
        except OSError as error:
            raise OutboxError(
                Problem(f"{one.path} cannot be dropped", error.strerror or str(error), "remove it by other means")
            ) from None
        ctx.obj.console.line(f"dropped {_line(one)}")


def _outbox(ctx: click.Context) -> Outbox:
    settings, problems = resolve(OutboxSettings, setting_specs(OutboxSettings, CORE), sources_of(ctx))
    if settings is None:
        raise SettingsError(*problems)
    return _of(settings.outbox)


def _of(folder: str | None) -> Outbox:
    if not folder:
        raise SettingsError(
            Problem(
                "OUTBOX is not set", "it names the folder in which reports are kept", "set OUTBOX, or --outbox FOLDER"
            )
        )
    return Outbox(Path(folder))


def _line(one: Entry | ForeignFile) -> str:
    if isinstance(one, ForeignFile):
        return f"{one.path.name}: {one.reason}"
    since = datetime.fromtimestamp(one.kept_at, UTC).isoformat(" ", "seconds")
    report = one.report
    return f"{one.path.name}: {report.title} ({report.entity.state}) for {report.site.name}, kept at {since}"


def _as_json(one: Entry | ForeignFile) -> dict[str, object]:
    if isinstance(one, ForeignFile):
        return {"name": one.path.name, "left_alone": one.reason}
    return {"name": one.path.name, "kept_at": one.kept_at, "report": one.report.model_dump(mode="json")}
