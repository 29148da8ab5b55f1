"""The demo: a local Jira, credentials, and the reports of a pipeline from its first build to a rollback."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from jira_ci_sandbox.client import Sandbox, python_path
from jira_ci_sandbox.errors import SandboxError

COMMIT_MESSAGE = "[DEMO-1] Let people pay by card"

# The variables of a Harness run of the demo's pipeline; each step adds its build number and version.
CI_VARIABLES = {
    "HARNESS_ACCOUNT_ID": "acme",
    "HARNESS_ORG_ID": "default",
    "HARNESS_PROJECT_ID": "shop",
    "HARNESS_PIPELINE_ID": "checkout",
    "DRONE": "true",
    "NO_PROXY": "*",
}

# Variables that this machine may have set for another run, other settings or another repository.
FOREIGN_PREFIXES = "PLUGIN_", "JIRA_CI_", "HARNESS_", "DRONE_", "CI_", "GIT_"

TEST_RESULTS = "reports/junit.xml"
TEST_CASES = {"": 126, "<skipped/>": 2}

STEP_TIMEOUT = 60
SECRET_PREFIX_LENGTH = 6
ISSUE_PATH = "/browse/DEMO-1"
TIMELINE_PATH = "/projects/DEMO/deployments"
Echo = Callable[[str], None]


@dataclass(frozen=True)
class DemoStep:
    """One `jira-ci report`: the number of its run, its settings, and the page that shows the result."""

    title: str
    number: int
    page: str = ISSUE_PATH
    settings: Mapping[str, str] = field(default_factory=dict)
    status: str = "SUCCESS"

    @property
    def ci_variables(self) -> dict[str, str]:
        """The variables that CI sets for the run."""
        build = {"HARNESS_BUILD_ID": f"{self.number}", "DRONE_BUILD_STATUS": self.status}
        return {**CI_VARIABLES, **build, "DRONE_TAG": f"1.4.{self.number}"}


# A step without ENVIRONMENT_NAME reports a build. STATE names states that CI's own status does not have.
STEPS = (
    DemoStep("start", 42, settings={"STATE": "in_progress"}),
    DemoStep("build", 42, settings={"TEST_RESULTS": TEST_RESULTS}),
    DemoStep("stage", 42, settings={"ENVIRONMENT_NAME": "staging"}),
    DemoStep("release", 42, settings={"ENVIRONMENT_NAME": "production"}),
    DemoStep("failure", 43, TIMELINE_PATH, {"ENVIRONMENT_NAME": "production"}, status="FAILURE"),
    DemoStep("rollback", 43, TIMELINE_PATH, {"ENVIRONMENT_NAME": "production", "STATE": "rolled_back"}),
)


def run_demo(
    echo: Echo,
    *,
    port: int = 0,
    serve: bool = False,
    verbose: bool = False,
    open_browser: Callable[[str], object] | None = None,
) -> int:
    """Run the demo, one line a step, and return the exit status of the first step that failed, else 0.

    `verbose` shows each step's settings and output, `open_browser` opens an address, and `serve` keeps the local Jira
    running until interrupted. Raises SandboxError if the local Jira does not start or git is missing.
    """
    with Sandbox.start("DEMO", port=port) as jira, tempfile.TemporaryDirectory() as folder:
        echo(_format_line("sandbox", "a local Jira, with one project, DEMO", jira.url))
        oauth, token = jira.mint("oauth", "demo-client"), jira.mint("connect", "demo-token")
        echo(_format_line("install", "the Harness CI Jira app, once for the site", f"{jira.url}/app"))
        shown = _shorten_secret("CONNECT_KEY", token["connect_key"])
        echo(_format_line("credential", f"demo-token, a token of the app: {shown}", f"{jira.url}/app/configure"))
        shown = _shorten_secret("CLIENT_SECRET", oauth["client_secret"])
        echo(_format_line("credential", f"demo-client, an OAuth client: {shown}", f"{jira.url}/app/links"))
        create_repository(Path(folder))
        write_test_results(Path(folder) / TEST_RESULTS)
        echo(_format_line("commit", f'git commit -m "{COMMIT_MESSAGE}"', ""))
        site = {"INSTANCE": jira.url, "PROJECT": "DEMO"}
        builds = {"API_URL": jira.url, "CLIENT_ID": oauth["client_id"], "CLIENT_SECRET": oauth["client_secret"]}
        deployments = {"CONNECT_HOSTNAME": jira.url, "CONNECT_KEY": token["connect_key"]}
        for step in STEPS:
            credentials = deployments if "ENVIRONMENT_NAME" in step.settings else builds
            link = {"DRONE_BUILD_LINK": f"{jira.url}{ISSUE_PATH}"}
            failed, lines = run_report(Path(folder), {**site, **credentials, **step.settings}, step.ci_variables | link)
            accepted = [line for line in lines if " accepted " in line]
            what = "failed" if failed else accepted[-1].partition(" ")[2]  # the line without its host
            echo(_format_line(step.title, what, jira.url + step.page, failed=failed != 0))
            if verbose or failed:
                for line in lines:
                    echo(click.style(f"    {line}", dim=not failed))
            if failed:
                return failed
        echo("")
        echo("What Jira holds now:")
        for line in stored_entities(jira.builds(), jira.deployments()):
            echo(f"  {line}")
        echo("")
        if open_browser is not None:
            open_browser(jira.url + ISSUE_PATH)
        if serve:
            echo(f"Look at it in a browser: {click.style(jira.url + ISSUE_PATH, underline=True)} (Ctrl+C stops it)")
            _wait_for_interrupt(jira)
        else:
            echo("To look at it in a browser, run: jira-ci demo --open")
    return 0


def create_repository(folder: Path) -> None:
    """Create a git repository with one commit. Raises SandboxError if git is missing."""
    # The machine's git configuration may ask for signatures and hooks.
    environ = _base_environ() | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", COMMIT_MESSAGE]):
        try:
            subprocess.run(["git", *command], cwd=folder, env=environ, check=True, capture_output=True)
        except FileNotFoundError:
            raise SandboxError(
                "The demo could not make a repository.", "There is no git on the PATH.", "Install git."
            ) from None
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip()
            raise SandboxError("The demo could not make a repository.", reason, "Put that right.") from None


def write_test_results(file: Path) -> None:
    """Write JUnit XML, as a test runner does."""
    inside = [inner for inner, count in TEST_CASES.items() for _ in range(count)]
    cases = (
        f'<testcase classname="checkout" name="test {number}">{inner}</testcase>'
        for number, inner in enumerate(inside, 1)
    )
    file.parent.mkdir()
    file.write_text(f'<testsuites><testsuite name="checkout">{"".join(cases)}</testsuite></testsuites>')


def run_report(folder: Path, settings: Mapping[str, str], ci_variables: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run `jira-ci report` as Harness does, with a step's settings as PLUGIN_… variables.

    Returns its exit status, and lines with its settings and its output.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "jira_ci_core", "report"],
        cwd=folder,
        env={**_base_environ(), **ci_variables, **{f"PLUGIN_{name}": value for name, value in settings.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=STEP_TIMEOUT,
        check=False,
    )
    lines = [f"PLUGIN_{name}={_shorten_secret(name, value)}" for name, value in settings.items()]
    return done.returncode, [*lines, "$ jira-ci report", *done.stdout.decode(errors="replace").splitlines()]


def stored_entities(builds: list[dict[str, Any]], deployments: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each build and deployment, by issue."""
    entities = [("build", one) for one in builds] + [("deployment", one) for one in deployments]
    for key in sorted({key for _, one in entities for key in one["issueKeys"]}):
        yield key
        for kind, one in entities:
            if key in one["issueKeys"]:
                where = f" to {one['environment']['displayName']}" if kind == "deployment" else ""
                tests = f", {one['testInfo']['totalNumber']} tests" if "testInfo" in one else ""
                yield f"  {kind:<10}  {one['displayName']}{where}: {one['state']}{tests}, {one['url']}"


def _base_environ() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)}
    return {**inherited, **python_path()}


def _format_line(title: str, what: str, address: str, failed: bool = False) -> str:
    """Return the line of one step, with colours, which click removes if the output is not a terminal."""
    mark = click.style("no", fg="red") if failed else click.style("ok", fg="green")
    link = click.style(address, fg="cyan", underline=True) if address else ""
    return f"{mark} {click.style(f'{title:<11}', bold=True)} {what:<72} {link}".rstrip()


def _shorten_secret(name: str, value: str) -> str:
    return value[:SECRET_PREFIX_LENGTH] + "…" if name in ("CLIENT_SECRET", "CONNECT_KEY") else value


def _wait_for_interrupt(jira: Sandbox) -> None:
    assert jira.process is not None
    with contextlib.suppress(KeyboardInterrupt):
        jira.process.wait()
