"""The cost of a hundred plugins that extract issue keys, beyond that of importing them.

    python benchmarks/plugins.py [--runs 15]

Four processes take turns: `jira-ci report --dry-run` with and without the plugins, and a process that only imports
their modules, and one that does not. The least processor time of all runs counts, because the differences are small and
wall time depends on the load of the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from report import CI_VARIABLES

PLUGINS = 100
SOURCE = """
from jira_ci_core import FoundKey, hookimpl


@hookimpl
def jira_ci_extract_issue_keys(pipeline):
    return [FoundKey(key="MYT-{number}", source="a file")]
"""
DRY_RUN = [sys.executable, "-P", "-m", "jira_ci_core", "report", "--dry-run"]
# In a report, core has imported these before the plugins do.
IMPORTS = "from jira_ci_core import FoundKey, hookimpl"


def install_plugin(folder: Path, number: int) -> None:
    """Write the module of a plugin, and the metadata of its distribution."""
    (folder / f"plugin_{number}.py").write_text(SOURCE.format(number=number + 1))
    info = folder / f"plugin_{number}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[jira_ci]\nstranger-{number} = plugin_{number}\n")


def processor_seconds(command: list[str], environ: dict[str, str]) -> float:
    """Run a command, and return its processor time."""
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    settings = {"PLUGIN_PROJECT": "MYT", "PLUGIN_INSTANCE": "acme"}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(PLUGINS):
            install_plugin(Path(folder), number)
        environ = {"PATH": os.environ["PATH"], **CI_VARIABLES, **settings}
        environ_with_plugins = {**environ, "PYTHONPATH": folder}
        modules = "\n".join(f"import plugin_{number}" for number in range(PLUGINS))
        only_imports = [sys.executable, "-P", "-c", f"{IMPORTS}\n{modules}"]
        nothing = [sys.executable, "-P", "-c", IMPORTS]
        cases = (
            (DRY_RUN, environ_with_plugins),
            (DRY_RUN, environ),
            (only_imports, environ_with_plugins),
            (nothing, environ_with_plugins),
        )
        runs = [[processor_seconds(*case) for case in cases] for _ in range(options.runs + 1)]
    with_them, without_them, imports, none = (min(column) / PLUGINS * 1000 for column in zip(*runs, strict=True))
    whole, own = with_them - without_them, imports - none
    print(
        f"{PLUGINS} plugins: {whole:.2f} ms each, {own:.2f} ms of it their own import; {whole - own:.2f} ms beyond "
        f"(load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
