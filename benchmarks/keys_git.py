"""Measures the time and memory that finding keys in 10, 1,000 and 100,000 commits takes.

Run: python benchmarks/keys_git.py

Makes a repository of 100,000 commits in a temporary folder (git fast-import), each with a subject, a body and a trailer
that name some of 400 issues. Each range is then read by a process of its own, five times; the table shows the best
time, and the peak memory of that process and of the git it starts, both as the system counts them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jira_ci_core import Pipeline, Settings
from jira_ci_keys_git.plugin import GitKeys

COMMITS = 100_000
RANGES = 10, 1_000, 100_000
ISSUES = 400
RUNS = 5

MESSAGE = """MYT-{0} Let people pay by card, attempt {1}

The till takes cards since MYT-{0}, and this is what the bank wants of it.
Nothing here is about UTF-8 or RFC-9110.

Refs: MYT-{2}
Signed-off-by: A <a@example.com>
"""


def generate(folder: Path) -> None:
    """Make a repository with a linear history."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    command = ["git", "-C", folder, "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(COMMITS + 1):
            message = MESSAGE.format(number % ISSUES + 1, number, number * 7 % ISSUES + 1).encode()
            process.stdin.write(
                b"commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata %d\n%s\n"
                % (1_500_000_000 + number * 60, len(message), message)
            )
    assert process.returncode == 0


def measure(folder: Path, commits: int) -> str:
    """Search a range in this process, and return `keys seconds megabytes-before megabytes-after megabytes-of-git`."""
    settings = Settings.model_validate({"project": "MYT", "instance": "acme"})
    pipeline = Pipeline(ci="benchmark", workspace=str(folder), sha="main", commit_before=f"main~{commits}")
    plugin = GitKeys(GitKeys.Settings())
    before = megabytes(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = plugin.jira_ci_extract_issue_keys(pipeline, os.environ, settings)
    seconds = time.perf_counter() - start
    after, git = megabytes(resource.RUSAGE_SELF), megabytes(resource.RUSAGE_CHILDREN)
    return f"{len(found)} {seconds} {before} {after} {git}"


def megabytes(whose: int) -> float:
    """Return the peak memory."""
    return resource.getrusage(whose).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        print("| commits | keys | seconds | MB before | MB at most | MB of git at most |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        for commits in RANGES:
            runs = []
            for _ in range(RUNS):
                command = [sys.executable, __file__, "--measure", folder, str(commits)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                runs.append([float(number) for number in done.stdout.split()])
            keys, seconds, before, after, git = min(runs, key=lambda run: run[1])
            print(f"| {commits:,} | {keys:.0f} | {seconds:.3f} | {before:.0f} | {after:.0f} | {git:.0f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(measure(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        main()
