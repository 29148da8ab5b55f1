"""`jira-ci doctor`: checks settings, credentials and reachability one by one, with a remedy for each failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from jira_ci_core.config.sources import Sources
from jira_ci_core.delivery.session import Session, make_site, plan_delivery
from jira_ci_core.errors import ExitCode, JiraCiError
from jira_ci_core.jira_api.stored import build_address, deployment_address
from jira_ci_core.models import FoundKey, Kind, Pipeline, Site
from jira_ci_core.output.console import Console, set_level
from jira_ci_core.plugins.loader import Runtime, load
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.reporting.builder import kind_of, services_of
from jira_ci_core.reporting.identity import pipeline_identity, run_number
from jira_ci_core.reporting.run import find_keys_of, read_pipeline
from jira_ci_core.reporting.state import decide_state

T = TypeVar("T")

# No pipeline has this name, so Jira answers "not found" to credentials that may read, and refuses others.
ABSENT = {
    Kind.BUILD: build_address("jira-ci-doctor", 0),
    Kind.DEPLOYMENT: deployment_address("jira-ci-doctor", "none", 0),
}


def examine(sources: Sources, plugins: Plugins, console: Console) -> ExitCode:
    """Check everything that a report needs; the exit code is that of the first failure."""
    exit_code = ExitCode.OK

    def step(what: str, check: Callable[[], T], told: Callable[[T], str]) -> T | None:
        nonlocal exit_code
        try:
            found = check()
        except JiraCiError as error:
            console.line(f"failed  {what}")
            console.problems(error.problems)
            exit_code = exit_code or error.exit_code
            return None
        console.line(f"ok      {what}: {told(found)}")
        return found

    runtime = step("settings and plugins", lambda: load(sources, plugins), _runtime)
    if runtime is None:
        return exit_code
    set_level(runtime.settings.log_level)
    settings, environ, kind = runtime.settings, runtime.environ, kind_of(runtime.settings)
    pipeline = step("this run", lambda: read_pipeline(plugins, environ), _recognised)
    if pipeline is not None:
        step(
            "pipeline and link",
            lambda: pipeline_identity(pipeline, settings, runtime.secrets.redact_stored),
            lambda it: f"{it.id}, {it.url}",
        )
        step("number", lambda: run_number(pipeline, settings, kind, datetime.now(UTC)), str)
        step("state", lambda: decide_state(plugins, pipeline, kind, settings), lambda it: it.skipped or it.state)
        facts = step(
            "issue keys",
            lambda: find_keys_of(plugins, pipeline, environ, settings, runtime.secrets.shorten),
            lambda it: _listed(it.keys),
        )
        console.problems([facts.no_key] if facts and facts.no_key else [], "warning")
        if services := services_of(settings):
            step("services", lambda: services, ", ".join)
    site = step("site", lambda: make_site(settings), lambda it: it.name)
    if site is not None:
        session = step("credentials", lambda: _credentials(runtime, site), lambda it: it.plan.kind or "none needed")
        if session is not None and session.plan.kind:
            step("sign-in and permission", lambda: _ask(session, kind), str)
    return exit_code


def _runtime(runtime: Runtime) -> str:
    return ", ".join(plugin.name for plugin in runtime.plugins.installed if plugin.state == "on")


def _recognised(pipeline: Pipeline) -> str:
    facts = {"number": pipeline.number, "status": pipeline.status, "branch": pipeline.branch, "commit": pipeline.sha}
    return ", ".join([pipeline.ci, *(f"{name} {value}" for name, value in facts.items() if value)])


def _listed(keys: Sequence[FoundKey]) -> str:
    return ", ".join(f"{found.key} ({found.source})" for found in keys) or "none found"


def _credentials(runtime: Runtime, site: Site) -> Session:
    plan = plan_delivery(runtime, site)
    plan.check()
    return plan.open()


def _ask(session: Session, kind: Kind) -> str:
    """Sign in and read back something absent: that needs the token, the site and the permission."""
    with session:
        session.request("GET", ABSENT[kind])
    return f"{session.site.name} answers"
