"""The attacks are tried on the same steps as the end-to-end tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from ..conftest import inherited
from ..e2e.conftest import clean, failed, in_process, install, secrets
from ..queue_fixtures import make_queue, queue, queue_fork_server, queue_key, server, servers, wait_until

__all__ = [
    "clean",
    "failed",
    "highest_memory",
    "in_process",
    "install",
    "make_queue",
    "measure",
    "queue",
    "queue_fork_server",
    "queue_key",
    "secrets",
    "server",
    "servers",
    "wait_until",
]

# A process of its own, as the largest size that is known of a process begins with that of the one it was made by.
MEASURE = """
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], capture_output=True, timeout=60)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(json.dumps([done.returncode, (done.stdout + done.stderr).decode(), time.monotonic() - began, used]))
"""


class Measured(NamedTuple):
    """How a process ended, and what it took."""

    code: int
    text: str
    seconds: float
    mebibytes: int


def measure(step, variables, *arguments):
    """Run `jira-ci` in the folder of a step, and measure it with all that it starts."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-P", "-m", "jira_ci_core", *arguments]
    environ = {**inherited(), **variables}
    done = subprocess.run(command, env=environ, cwd=step.folder, capture_output=True, check=True, timeout=90)
    return Measured(*json.loads(done.stdout))


def highest_memory(pid):
    """The most memory that a process and its children ever had, in megabytes."""
    children = (Path(f"/proc/{pid}/task/{pid}/children")).read_text().split()
    peaks = []
    for one in (str(pid), *children):
        [line] = [line for line in Path(f"/proc/{one}/status").read_text().splitlines() if line.startswith("VmHWM")]
        peaks.append(int(line.split()[1]) / 1024)
    return max(peaks)
