"""The whole story on one machine: a local Jira, credentials, a build step, a deployment step, and what Jira holds."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.errors import SandboxError

COMMIT_MESSAGE = "[DEMO-1] Let people pay by card"

# What a Harness run of the demo's pipeline tells its steps.
RUN = {
    "HARNESS_ACCOUNT_ID": "acme",
    "HARNESS_ORG_ID": "default",
    "HARNESS_PROJECT_ID": "shop",
    "HARNESS_PIPELINE_ID": "checkout",
    "HARNESS_BUILD_ID": "42",
    "DRONE": "true",
    "DRONE_BUILD_STATUS": "SUCCESS",
    "NO_PROXY": "*",
}

# What this machine may say of another run, of other settings and of another repository.
NOT_THE_DEMOS = "PLUGIN_", "JIRA_CI_", "HARNESS_", "DRONE_", "CI_", "GIT_"

STEP_TIMEOUT = 60
SHOWN_OF_A_SECRET = 6
Say = Callable[[str], None]


def tell(say: Say, *, port: int = 0, serve: bool = False) -> int:
    """Tell the story line by line, and return the exit status of the first step that failed, else 0.

    With `serve`, go on serving until interrupted. Raises SandboxError where the local Jira does not start, or there is
    no git.
    """
    say("1. A local Jira, with one project, DEMO: jira-ci sandbox")
    with Sandbox.start("DEMO", port=port) as jira, tempfile.TemporaryDirectory() as folder:
        say(f"   listens at {jira.url}")
        say("")
        say("2. A repository, whose latest commit names an issue")
        make_repository(Path(folder))
        say(f'   git commit -m "{COMMIT_MESSAGE}"')
        say("")
        say("3. A build step, with OAuth; without ENVIRONMENT_NAME it updates Builds")
        site = {"INSTANCE": jira.url, "PROJECT": "DEMO"}
        build = site | {"API_URL": jira.url, "CLIENT_ID": jira.client_id, "CLIENT_SECRET": jira.client_secret}
        link = {"DRONE_BUILD_LINK": f"{jira.url}/browse/DEMO-1"}
        failed = report(say, Path(folder), build, RUN | link)
        if not failed:
            say("")
            say("4. A deployment step, with a Connect key; ENVIRONMENT_NAME makes it Deployments")
            deployment = site | {"CONNECT_HOSTNAME": jira.url, "CONNECT_KEY": jira.connect_key}
            failed = report(say, Path(folder), deployment | {"ENVIRONMENT_NAME": "production"}, RUN | link)
        if failed:
            return failed
        say("")
        say("5. What Jira holds now")
        for line in holdings(jira.builds(), jira.deployments()):
            say(f"   {line}")
        say("")
        if serve:
            say(f"See it in a browser: {jira.url}/browse/DEMO-1 (Ctrl+C stops it)")
            _wait_for_interrupt(jira)
        else:
            say("To look at it in a browser, run: jira-ci demo --serve")
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


def report(say: Say, folder: Path, settings: Mapping[str, str], run: Mapping[str, str]) -> int:
    """Run `jira-ci report` as a CI would, with a step's settings as PLUGIN_… variables; return its exit status."""
    for name, value in settings.items():
        say(f"   PLUGIN_{name}={_shown(name, value)}")
    say("   $ jira-ci report")
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
    for line in done.stdout.decode(errors="replace").splitlines():
        say(f"     {line}")
    return done.returncode


def holdings(builds: list[dict[str, Any]], deployments: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what Jira stored, issue by issue."""
    entities = [("build", one) for one in builds] + [("deployment", one) for one in deployments]
    for key in sorted({key for _, one in entities for key in one["issueKeys"]}):
        yield key
        for kind, one in entities:
            if key in one["issueKeys"]:
                where = f" to {one['environment']['displayName']}" if kind == "deployment" else ""
                yield f"  {kind:<10}  {one['displayName']}{where}: {one['state']}, {one['url']}"


def _machine() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_THE_DEMOS)}


def _shown(name: str, value: str) -> str:
    return value[:SHOWN_OF_A_SECRET] + "…" if name in ("CLIENT_SECRET", "CONNECT_KEY") else value


def _wait_for_interrupt(jira: Sandbox) -> None:
    assert jira.process is not None
    with contextlib.suppress(KeyboardInterrupt):
        jira.process.wait()
