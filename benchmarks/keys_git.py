"""Time and memory of finding keys in 10, 1,000 and 100,000 commits. The memory stays the same.

    python benchmarks/keys_git.py

A temporary repository of 100,000 commits is made with git fast-import; their subjects, bodies and trailers name 400
issues. Each range is read five times, by a process of its own. The table shows the best time, and the peak memory of
that process and of git, as the system counts them.
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
Signed-off-by: A. Developer <developer@example.com>
"""


def make_repository(folder: Path) -> None:
    """Make a repository whose commits are one line of history."""
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
    """Read a range in this process, and return `keys seconds megabytes-before megabytes-after megabytes-of-git`."""
    settings = Settings.model_validate({"project": "MYT", "instance": "acme"})
    pipeline = Pipeline(ci="benchmark", workspace=str(folder), sha="main", commit_before=f"main~{commits}")
    plugin = GitKeys(GitKeys.Settings())
    before = peak_megabytes(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = plugin.jira_ci_extract_issue_keys(pipeline, os.environ, settings)
    seconds = time.perf_counter() - start
    after, git = peak_megabytes(resource.RUSAGE_SELF), peak_megabytes(resource.RUSAGE_CHILDREN)
    return f"{len(found)} {seconds} {before} {after} {git}"


def peak_megabytes(who: int) -> float:
    """Return the peak memory of this process or of its children, as `resource.getrusage` names them."""
    return resource.getrusage(who).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_repository(Path(folder))
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
