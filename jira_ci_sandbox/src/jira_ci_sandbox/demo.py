"""The whole story on one machine: a local Jira, the app and its token, builds, deployments, and what Jira holds."""

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

from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.errors import SandboxError

COMMIT_MESSAGE = "[DEMO-1] Let people pay by card"

# What a Harness run of the demo's pipeline tells its steps; the number and the version are each step's own.
RUN = {
    "HARNESS_ACCOUNT_ID": "acme",
    "HARNESS_ORG_ID": "default",
    "HARNESS_PROJECT_ID": "shop",
    "HARNESS_PIPELINE_ID": "checkout",
    "DRONE": "true",
    "NO_PROXY": "*",
}

# What this machine may say of another run, of other settings and of another repository.
NOT_THE_DEMOS = "PLUGIN_", "JIRA_CI_", "HARNESS_", "DRONE_", "CI_", "GIT_"

# What the demo's tests write, and a setting of its own says where.
TEST_RESULTS = "reports/junit.xml"
TESTS = {"": 126, "<skipped/>": 2}

STEP_TIMEOUT = 60
SHOWN_OF_A_SECRET = 6
ISSUE = "/browse/DEMO-1"
TIMELINE = "/projects/DEMO/deployments"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """One `jira-ci report` of the story: in which run, with which settings, and the page that shows it."""

    title: str
    number: int
    page: str = ISSUE
    settings: Mapping[str, str] = field(default_factory=dict)
    status: str = "SUCCESS"

    @property
    def run(self) -> dict[str, str]:
        """What CI says of the run."""
        build = {"HARNESS_BUILD_ID": f"{self.number}", "DRONE_BUILD_STATUS": self.status}
        return {**RUN, **build, "DRONE_TAG": f"1.4.{self.number}"}


# Each is a process, as a CI starts it. A build has no ENVIRONMENT_NAME; STATE says more than CI's own status can.
STORY = (
    Report("start", 42, settings={"STATE": "in_progress"}),
    Report("build", 42, settings={"TEST_RESULTS": TEST_RESULTS}),
    Report("stage", 42, settings={"ENVIRONMENT_NAME": "staging"}),
    Report("release", 42, settings={"ENVIRONMENT_NAME": "production"}),
    Report("failure", 43, TIMELINE, {"ENVIRONMENT_NAME": "production"}, status="FAILURE"),
    Report("rollback", 43, TIMELINE, {"ENVIRONMENT_NAME": "production", "STATE": "rolled_back"}),
)


def tell(
    say: Say,
    *,
    port: int = 0,
    serve: bool = False,
    verbose: bool = False,
    look: Callable[[str], object] | None = None,
) -> int:
    """Tell the story, one step a line, and return the exit status of the first step that failed, else 0.

    `verbose` shows each step's settings and what it printed. `look` opens an address in a browser. With `serve`, go on
    serving until interrupted. Raises SandboxError where the local Jira does not start, or there is no git.
    """
    with Sandbox.start("DEMO", port=port) as jira, tempfile.TemporaryDirectory() as folder:
        say(_line("sandbox", "a local Jira, with one project, DEMO", jira.url))
        oauth, token = jira.mint("oauth", "demo-client"), jira.mint("connect", "demo-token")
        say(_line("install", "the Harness CI Jira app, once for the site", f"{jira.url}/app"))
        shown = _shown("CONNECT_KEY", token["connect_key"])
        say(_line("credential", f"demo-token, a token of the app: {shown}", f"{jira.url}/app/configure"))
        shown = _shown("CLIENT_SECRET", oauth["client_secret"])
        say(_line("credential", f"demo-client, an OAuth client: {shown}", f"{jira.url}/app/links"))
        make_repository(Path(folder))
        write_test_results(Path(folder) / TEST_RESULTS)
        say(_line("commit", f'git commit -m "{COMMIT_MESSAGE}"', ""))
        site = {"INSTANCE": jira.url, "PROJECT": "DEMO"}
        builds = {"API_URL": jira.url, "CLIENT_ID": oauth["client_id"], "CLIENT_SECRET": oauth["client_secret"]}
        deployments = {"CONNECT_HOSTNAME": jira.url, "CONNECT_KEY": token["connect_key"]}
        for step in STORY:
            credentials = deployments if "ENVIRONMENT_NAME" in step.settings else builds
            link = {"DRONE_BUILD_LINK": f"{jira.url}{ISSUE}"}
            failed, lines = report(Path(folder), {**site, **credentials, **step.settings}, step.run | link)
            said = [line for line in lines if " accepted " in line]
            what = "failed" if failed else said[-1].partition(" ")[2]  # without the host
            say(_line(step.title, what, jira.url + step.page, failed=failed != 0))
            if verbose or failed:
                for line in lines:
                    say(click.style(f"    {line}", dim=not failed))
            if failed:
                return failed
        say("")
        say("What Jira holds now:")
        for line in holdings(jira.builds(), jira.deployments()):
            say(f"  {line}")
        say("")
        if look is not None:
            look(jira.url + ISSUE)
        if serve:
            say(f"Look at it in a browser: {click.style(jira.url + ISSUE, underline=True)} (Ctrl+C stops it)")
            _wait_for_interrupt(jira)
        else:
            say("To look at it in a browser, run: jira-ci demo --open")
    return 0


def make_repository(folder: Path) -> None:
    """Make a git repository with one commit. Raises SandboxError where there is no git."""
    # No signature and no hook that this machine's git is set up for.
    environ = _machine() | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
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
    """Write what a test runner would leave behind: JUnit XML."""
    inside = [inner for inner, count in TESTS.items() for _ in range(count)]
    cases = (
        f'<testcase classname="checkout" name="test {number}">{inner}</testcase>'
        for number, inner in enumerate(inside, 1)
    )
    file.parent.mkdir()
    file.write_text(f'<testsuites><testsuite name="checkout">{"".join(cases)}</testsuite></testsuites>')


def report(folder: Path, settings: Mapping[str, str], run: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run `jira-ci report` as a CI would, with a step's settings as PLUGIN_… variables.

    Returns its exit status, and lines that tell the settings and what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "jira_ci_core", "report"],
        cwd=folder,
        env={**_machine(), **run, **{f"PLUGIN_{name}": value for name, value in settings.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=STEP_TIMEOUT,
        check=False,
    )
    lines = [f"PLUGIN_{name}={_shown(name, value)}" for name, value in settings.items()]
    return done.returncode, [*lines, "$ jira-ci report", *done.stdout.decode(errors="replace").splitlines()]


def holdings(builds: list[dict[str, Any]], deployments: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what Jira stored, issue by issue."""
    entities = [("build", one) for one in builds] + [("deployment", one) for one in deployments]
    for key in sorted({key for _, one in entities for key in one["issueKeys"]}):
        yield key
        for kind, one in entities:
            if key in one["issueKeys"]:
                where = f" to {one['environment']['displayName']}" if kind == "deployment" else ""
                tests = f", {one['testInfo']['totalNumber']} tests" if "testInfo" in one else ""
                yield f"  {kind:<10}  {one['displayName']}{where}: {one['state']}{tests}, {one['url']}"


def _machine() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_THE_DEMOS)}


def _line(title: str, what: str, address: str, failed: bool = False) -> str:
    """Return one step of the story. Whoever prints it takes the colours off where nobody sees them."""
    mark = click.style("no", fg="red") if failed else click.style("ok", fg="green")
    link = click.style(address, fg="cyan", underline=True) if address else ""
    return f"{mark} {click.style(f'{title:<11}', bold=True)} {what:<72} {link}".rstrip()


def _shown(name: str, value: str) -> str:
    return value[:SHOWN_OF_A_SECRET] + "…" if name in ("CLIENT_SECRET", "CONNECT_KEY") else value


def _wait_for_interrupt(jira: Sandbox) -> None:
    assert jira.process is not None
    with contextlib.suppress(KeyboardInterrupt):
        jira.process.wait()
