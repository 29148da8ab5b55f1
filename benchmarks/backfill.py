"""Time and memory of a backfill of ten thousand builds and deployments, compared with `jira-ci report` in a loop.

    python benchmarks/backfill.py
    python benchmarks/backfill.py --lines 1000000 --round-trip 0    # does memory stay constant?

The loop is extrapolated: some reports are timed before and after the backfill, and their median is multiplied.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from remote_jira import remote_jira
from report import REPORT, step_environ, time_command

BACKFILL = [*REPORT[:-1], "backfill"]


def report_lines(count: int) -> Iterator[str]:
    """Yield builds and deployments of ten pipelines, alternately."""
    for number in range(count):
        entity = {
            "number": number,
            "state": "successful" if number % 7 else "FAILURE",
            "url": f"https://ci.example/run/{number}",
            "last_updated": "2024-05-01T12:30:00+02:00",
            "issue_keys": [f"MYT-{number % 5000 + 1}", f"MYT-{number % 300 + 1}"],
            "pipeline": f"acme/shop-{number % 10}",
            "description": "Let people pay by card, and have their money back",
            **({"environment": ("dev", "staging", "production")[number % 3]} if number % 2 else {}),
        }
        yield json.dumps(entity) + "\n"


def measure(file: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Run a backfill, and return its seconds and its peak memory in megabytes."""
    started = time.perf_counter()
    with subprocess.Popen([*BACKFILL, str(file)], env=environ, cwd=file.parent, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(errors)
    return time.perf_counter() - started, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--round-trip", type=float, default=0.08)
    parser.add_argument("--runs", type=int, default=5, help="reports that are timed, before and after")
    options = parser.parse_args()
    with remote_jira(options.round_trip) as jira, tempfile.TemporaryDirectory() as folder:
        environ = step_environ(jira, "OAuth")
        file = Path(folder) / "lines.jsonl"
        with file.open("w") as writing:
            writing.writelines(report_lines(options.lines))
        times = [time_command(REPORT, environ) for _ in range(options.runs)]
        took, megabytes = measure(file, environ)
        times += [time_command(REPORT, environ) for _ in range(options.runs)]
    loop = statistics.median(times) * options.lines
    print(
        f"backfill of {options.lines:,} at {options.round_trip:g} s: {took:.1f} s, {megabytes:.0f} MB at most; "
        f"a loop of reports {loop:,.0f} s ({loop / options.lines:.3f} s each); ratio {took / loop:.3%} "
        f"(load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
