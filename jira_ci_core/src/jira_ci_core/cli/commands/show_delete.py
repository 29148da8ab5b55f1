"""`jira-ci show` and `jira-ci delete`: the builds and deployments of this run in Jira."""

from __future__ import annotations

import click

from jira_ci_core.cli.options import SettingsCommand, runtime_of
from jira_ci_core.delivery.session import make_site, plan_delivery
from jira_ci_core.errors import ExitCode, SettingsError
from jira_ci_core.jira_api.stored import Address, build_address, deployment_address, properties_address
from jira_ci_core.models import Kind, is_property
from jira_ci_core.plugins.loader import Runtime
from jira_ci_core.problem import Problem
from jira_ci_core.reporting.builder import kind_of, make_environments
from jira_ci_core.reporting.identity import pipeline_id, run_number
from jira_ci_core.reporting.run import read_pipeline


@click.command(cls=SettingsCommand, short_help="Show what Jira holds of this run.")
@click.pass_context
def show(ctx: click.Context, /) -> None:
    """Show what Jira holds of this run: its build, or with ENVIRONMENT_NAME its deployments, as JSON.

    The run is the one that CI describes, or that PIPELINE and RUN_NUMBER name. Exits with 1 if Jira holds nothing.
    """
    runtime = runtime_of(ctx, needs_project=False)
    is_missing = False
    with plan_delivery(runtime, make_site(runtime.settings)).open() as session:
        for title, address in _addresses(runtime).items():
            entity = session.read_back(address)
            if entity is None:
                is_missing = True
                ctx.obj.console.line(f"{session.site.name} holds no {title}, or does not show it yet")
            else:
                ctx.obj.console.json(entity, indent=2, ensure_ascii=False)
    ctx.exit(ExitCode.JIRA if is_missing else ExitCode.OK)


@click.command(cls=SettingsCommand, short_help="Delete what Jira holds of this run.")
@click.option(
    "--property",
    "selected",
    multiple=True,
    metavar="NAME=VALUE",
    help="Delete all builds and deployments reported with this property (PROPERTIES); several must all match.",
)
@click.pass_context
def delete(ctx: click.Context, /, selected: tuple[str, ...]) -> None:
    """Delete what Jira holds of this run: its build, or with ENVIRONMENT_NAME its deployments.

    The run is the one that CI describes, or that PIPELINE and RUN_NUMBER name. Issues are not touched.
    """
    pairs = dict(_pair(text) for text in selected)
    runtime = runtime_of(ctx, needs_project=False)
    chosen = {f"all {kind}s with {', '.join(selected)}": properties_address(kind, pairs) for kind in Kind if pairs}
    with plan_delivery(runtime, make_site(runtime.settings)).open() as session:
        for title, address in (chosen or _addresses(runtime)).items():
            session.request("DELETE", address)
            ctx.obj.console.line(f"{session.site.name} deletes {title}")


def _addresses(runtime: Runtime) -> dict[str, Address]:
    """The address of each entity that this run reports, by its title."""
    pipeline = read_pipeline(runtime.plugins, runtime.environ)
    settings, kind = runtime.settings, kind_of(runtime.settings)
    id, number = pipeline_id(pipeline, settings, runtime.secrets.redact_stored), run_number(pipeline, settings, kind)
    if kind is Kind.BUILD:
        return {f"build {number} of {id}": build_address(id, number)}
    return {
        f"deployment {number} of {id} to {environment.name}": deployment_address(id, environment.id, number)
        for environment in make_environments(runtime.plugins, pipeline, settings, runtime.secrets.redact_stored)
    }


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not value or not is_property(name, value):
        why = "it is not NAME=VALUE, or holds what Jira takes in no property"
        raise SettingsError(Problem(f"--property cannot be {text!r}", why, "write NAME=VALUE"))
    return name, value
