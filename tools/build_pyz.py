"""Builds jira-ci as one file: `python tools/build_pyz.py dist/jira-ci.pyz [WHAT …]`.

WHAT are requirements, as pip takes them: folders of this repository, or packages, a plugin of your own among them. By
default it holds core, both kinds of sign-in and the keys from git. Needs shiv and uv.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHAT = tuple(
    str(ROOT / name) for name in ("jira_ci_core", "jira_ci_auth_oauth", "jira_ci_auth_connect", "jira_ci_keys_git")
)


def main() -> None:
    """Install into a folder, and make one file of it; the same twice from the same packages."""
    target, *what = sys.argv[1:]
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as site:
        install = ["uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", site]
        subprocess.run([*install, "--constraint", str(ROOT / "constraints.txt"), *(what or WHAT)], check=True)
        pack = [sys.executable, "-m", "shiv", "--site-packages", site, "--console-script", "jira-ci"]
        form = ["--python", "/usr/bin/env python3", "--compressed", "--reproducible", "--output-file", target]
        subprocess.run([*pack, *form], check=True)
    print(f"{Path(target).stat().st_size / 1e6:.2f} MB  {target}")


if __name__ == "__main__":
    main()
