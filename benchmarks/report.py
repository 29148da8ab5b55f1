"""The time of a report at a round trip of 80 ms, compared with a script that makes the same calls one after the other.

python benchmarks/report.py [--round-trip 0.08] [--runs 15]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from remote_jira import RemoteJira, remote_jira

SEQUENTIAL = [sys.executable, str(Path(__file__).with_name("sequential.py"))]
REPORT = [str(Path(sys.executable).with_name("jira-ci")), "report"]
CI_VARIABLES = {
    "HARNESS_ACCOUNT_ID": "acme",
    "HARNESS_PIPELINE_ID": "checkout",
    "DRONE": "true",
    "DRONE_BUILD_NUMBER": "42",
    "DRONE_BUILD_LINK": "https://app.harness.example/run/42",
    "DRONE_BUILD_STATUS": "SUCCESS",
    "DRONE_BRANCH": "main",
    "DRONE_COMMIT_BRANCH": "main",
    "DRONE_COMMIT_SHA": "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b",
    "DRONE_COMMIT_MESSAGE": "[MYT-1] Let people pay",
    "DRONE_REPO": "acme/shop",
    "DRONE_REPO_LINK": "https://git.example/acme/shop",
}
CREDENTIALS = {
    "OAuth": {"PLUGIN_CLIENT_ID": "benchmark-client", "PLUGIN_CLIENT_SECRET": "benchmark-secret"},
    "Connect": {"PLUGIN_CONNECT_KEY": "benchmark-connect-key"},
}


def step_environ(jira: RemoteJira, kind: str) -> dict[str, str]:
    """Return the environment of a step that reports to `jira`."""
    return {
        **{name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ},
        **CI_VARIABLES,
        **CREDENTIALS[kind],
        "PLUGIN_PROJECT": "MYT",
        # Core and both kinds of sign-in, as a team would install them; others may be installed here.
        "PLUGIN_PLUGINS": "oauth,connect",
        "PLUGIN_INSTANCE": jira.site,
        "PLUGIN_API_URL": jira.api,
        "PLUGIN_CONNECT_HOSTNAME": jira.app,
        "REQUESTS_CA_BUNDLE": jira.authority,
    }


def time_command(command: list[str], environ: dict[str, str]) -> float:
    """Run a command, and return its seconds from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(command, env=environ, cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - started


def main() -> None:
    """Measure report and script in turn, so that a drift in the machine's speed affects both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round-trip", type=float, default=0.08)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    with remote_jira(options.round_trip) as jira:
        for kind in CREDENTIALS:
            environ = step_environ(jira, kind)
            commands = REPORT, SEQUENTIAL
            pairs = [[time_command(command, environ) for command in commands] for _ in range(options.runs + 1)][1:]
            report, sequential = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            print(f"{kind:8} report {report:.3f} s  sequential script {sequential:.3f} s  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
