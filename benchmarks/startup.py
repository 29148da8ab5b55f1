"""The time of a report without network latency: its imports, and everything from start to exit.

    python benchmarks/startup.py [--runs 15]

First it lists the modules that take more than 2 ms to import by themselves (`python -X importtime`, the least of all
runs). Then it compares a report to canned answers with two processes that only import modules: the libraries that the
report loads, and the libraries together with jira-ci's own modules.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys

from remote_jira import remote_jira
from report import step_environ, time_command

REPORT = [sys.executable, "-P", "-m", "jira_ci_core", "report"]
SLOW = 2000  # microseconds
LOADED = """
import sys
before = set(sys.modules)
import os
from jira_ci_core.cli.main import call
code = call(["report"], os.environ)
assert code == 0, code
print(*(name for name in sys.modules if name not in before and name != "__main__"))
"""
ONLY_IMPORTS = """
import importlib
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""
_LINE = re.compile(r"import time: +([0-9]+) \| +[0-9]+ \| +(\S+)")


def import_times(environ: dict[str, str], runs: int) -> dict[str, int]:
    """Return the microseconds that each module takes by itself."""
    least: dict[str, int] = {}
    for _ in range(runs):
        command = [sys.executable, "-X", "importtime", *REPORT[1:]]
        done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
        for time, name in _LINE.findall(done.stderr):
            least[name] = min(int(time), least.get(name, int(time)))
    return least


def importing(names: list[str]) -> list[str]:
    """Return the command of a process that only imports these modules."""
    return [sys.executable, "-P", "-c", ONLY_IMPORTS.format(names=names)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    with remote_jira(0) as jira:
        for kind in ("OAuth", "Connect"):
            environ = step_environ(jira, kind)
            if kind == "OAuth":
                for name, time in sorted(import_times(environ, options.runs).items(), key=lambda item: -item[1]):
                    if time > SLOW:
                        print(f"{time / 1000:6.1f} ms  {name}")
            done = subprocess.run(
                [sys.executable, "-P", "-c", LOADED], env=environ, check=True, capture_output=True, text=True
            )
            everything = done.stdout.split()
            libraries = [name for name in everything if not name.startswith("jira_ci")]
            commands = REPORT, importing(libraries), importing(everything)
            runs = [[time_command(command, environ) for command in commands] for _ in range(options.runs + 1)][1:]
            report, bare, own = (statistics.median(column) for column in zip(*runs, strict=True))
            to_bare, to_own = (
                statistics.median(times[0] / times[column] for times in runs) for column in range(1, len(commands))
            )
            print(
                f"{kind:8} report {report:.3f} s; importing the libraries {bare:.3f} s, ratio {to_bare:.2f}; "
                f"with our own modules {own:.3f} s, ratio {to_own:.2f} (load {os.getloadavg()[0]:.1f})"
            )


if __name__ == "__main__":
    main()
