"""Changes the code in small ways, one at a time, and counts how many of the changes some test notices.

`python tools/mutation.py FOLDER` works in that new folder, tells the score and every change that went unnoticed, and
fails where the score of a module is below what is asked for.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = "jira_ci_core", "jira_ci_auth_oauth", "jira_ci_auth_connect"
MUTATED = (
    "jira_ci_core/issue_keys.py",
    "jira_ci_core/reporting/state.py",
    "jira_ci_core/jira_api/bulk.py",
    "jira_ci_core/jira_api/problems.py",
    "jira_ci_core/jira_api/stored.py",
    "jira_ci_core/jira_api/text.py",
    "jira_ci_core/delivery/outbox.py",
    "jira_ci_core/output/escapes.py",
    "jira_ci_core/output/redaction.py",
    "jira_ci_core/git/command.py",
    "jira_ci_core/command_run/process.py",
    "jira_ci_core/builtin/keys.py",
    "jira_ci_core/builtin/states.py",
    "jira_ci_auth_oauth/plugin.py",
    "jira_ci_auth_oauth/network.py",
    "jira_ci_auth_connect/plugin.py",
    "jira_ci_auth_connect/network.py",
    "jira_ci_auth_oauth/hosts.py",
    "jira_ci_auth_connect/hosts.py",
)
TESTS = (
    "tests/core/test_issue_keys.py",
    "tests/core/builtin/test_states.py",
    "tests/core/reporting/test_state.py",
    "tests/core/jira_api/test_bulk.py",
    "tests/core/jira_api/test_stored.py",
    "tests/core/delivery/test_outbox.py",
    "tests/core/reporting/test_run.py",
    "tests/core/output",
    "tests/core/git",
    "tests/core/command_run/test_process.py",
    "tests/auth_oauth",
    "tests/auth_connect",
)
LEAST_SCORE = 90
# Few examples of each property, and always the same ones; and not the hundreds of deaths.
OPTIONS = (
    "--hypothesis-profile=few",
    "-p",
    "no:cacheprovider",
    "--deselect",
    "tests/core/delivery/test_outbox.py::TestKilled",
)
CONFIGURATION = f"""
[tool.mutmut]
source_paths = ["src"]
only_mutate = {json.dumps([f"src/{name}" for name in MUTATED])}
pytest_add_cli_args_test_selection = {json.dumps(TESTS)}
pytest_add_cli_args = {json.dumps(OPTIONS)}
"""


def main(folder: Path) -> int:
    """Copy, mutate, and tell."""
    copy(folder)
    ran = subprocess.run([sys.executable, "-m", "mutmut", "run"], cwd=folder)
    if ran.returncode:
        return ran.returncode
    results = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    noticed: dict[str, list[bool]] = {}
    for line in results.stdout.splitlines():
        name, _, became = line.strip().partition(": ")
        if became and became != "skipped":
            noticed.setdefault(name.partition(".x")[0], []).append(became in ("killed", "timeout"))
            if not noticed[name.partition(".x")[0]][-1]:
                subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=folder, check=True)
    for module, each in noticed.items():
        print(f"{sum(each):5} of {len(each):5} changes were noticed: {100 * sum(each) / len(each):5.1f} %  {module}")
    every = [change for each in noticed.values() for change in each]
    print(f"{sum(every):5} of {len(every):5} in all; at least {LEAST_SCORE} % are asked for in each module")
    return int(any(100 * sum(each) < LEAST_SCORE * len(each) for each in noticed.values()))


def copy(folder: Path) -> None:
    """Put the packages side by side, as mutmut wants them, and their tests next to them."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name / "src", folder / "src", dirs_exist_ok=True)
    shutil.copytree(ROOT / "tests", folder / "tests", dirs_exist_ok=True)
    for name in MUTATED:
        path = folder / "src" / name
        path.write_text(undecorated(path.read_text()))
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + CONFIGURATION)


def undecorated(source: str) -> str:
    """The same code with decorated functions decorated after their definition: mutmut leaves out all others."""
    lines = source.splitlines()
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.decorator_list
    ]
    for node in sorted(functions, key=lambda node: -node.lineno):
        last, indent = node.end_lineno or node.lineno, " " * node.col_offset
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        lines.insert(last, f"{indent}{node.name} = {'('.join([*decorators, node.name])}{')' * len(decorators)}")
        first = node.decorator_list[0].lineno - 1
        del lines[first : first + len(decorators)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
