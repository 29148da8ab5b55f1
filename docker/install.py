"""Install the image's packages into an empty folder, compile them, and print their sizes.

The Dockerfile runs `python docker/install.py FOLDER`. The variable `PACKAGES` holds requirements, separated by spaces.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from py_compile import PycInvalidationMode

SOURCE = Path(__file__).parents[1]
NOT_NEEDED = "*.pxd", "*.h", "*.c", "pytest_jira_ci"
PROGRAM = "jira-ci"


def install(packages: list[str], folder: Path) -> None:
    """Install packages and their dependencies, as pinned in constraints.txt, and remove files that no step uses."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    where = ["--no-compile", "--root-user-action", "ignore", "--constraint", "constraints.txt", "--target", str(folder)]
    subprocess.run([*pip, *where, *packages], cwd=SOURCE, check=True)
    for program in (folder / "bin").iterdir():
        if program.name != PROGRAM:
            program.unlink()
    for pattern in NOT_NEEDED:
        for found in list(folder.rglob(pattern)):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    # Compiled files are not compared with their sources: copying into the image may change modification times.
    compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def measure(folder: Path) -> Counter[str]:
    """Return the size in bytes of each top-level entry of `folder`."""
    sizes: Counter[str] = Counter()
    for file in folder.rglob("*"):
        if file.is_file():
            sizes[file.relative_to(folder).parts[0]] += file.stat().st_size
    return sizes


def main() -> None:
    """Install into the folder of the command line, and print the largest packages and the total size."""
    folder = Path(sys.argv[1])
    install(os.environ["PACKAGES"].split(), folder)
    sizes = measure(folder)
    for name, size in sizes.most_common(8):
        print(f"{size / 1e6:6.2f} MB  {name}")
    print(f"{sizes.total() / 1e6:6.2f} MB  copied into the image")


if __name__ == "__main__":
    main()
