"""Installs what goes into the image into an empty folder, compiles it, and prints what it weighs.

Run by the Dockerfile: `python docker/install.py FOLDER`. `PACKAGES` holds the requirements, separated by spaces.
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
    """Install packages and what they need, in the versions of constraints.txt, without what no step uses."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    where = ["--no-compile", "--root-user-action", "ignore", "--constraint", "constraints.txt", "--target", str(folder)]
    subprocess.run([*pip, *where, *packages], cwd=SOURCE, check=True)
    for program in (folder / "bin").iterdir():
        if program.name != PROGRAM:
            program.unlink()
    for pattern in NOT_NEEDED:
        for found in list(folder.rglob(pattern)):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    # Unchecked, as the times of files are not kept on their way into the image.
    compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def weigh(folder: Path) -> Counter[str]:
    """Bytes by top-level name."""
    weights: Counter[str] = Counter()
    for file in folder.rglob("*"):
        if file.is_file():
            weights[file.relative_to(folder).parts[0]] += file.stat().st_size
    return weights


def main() -> None:
    """Install, and print the sum of what is copied into the image."""
    folder = Path(sys.argv[1])
    install(os.environ["PACKAGES"].split(), folder)
    weights = weigh(folder)
    for name, weight in weights.most_common(8):
        print(f"{weight / 1e6:6.2f} MB  {name}")
    print(f"{weights.total() / 1e6:6.2f} MB  copied into the image")


if __name__ == "__main__":
    main()
