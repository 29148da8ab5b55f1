"""Builds jira-ci as one file: `python tools/build_pyz.py dist/jira-ci.pyz [WHAT …]`.

WHAT are requirements, as for pip: folders of this repository, or packages such as your own plugin. The default is core,
both kinds of sign-in, and the keys from git. Needs shiv and uv.
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
    """Install the packages into a folder, and pack it into one file. The build is reproducible."""
    target, *what = sys.argv[1:]
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as site:
        # Without sources, since those of this repository would be installed as links to it.
        install = ["uv", "pip", "install", "--quiet", "--no-sources", "--python", sys.executable, "--target", site]
        subprocess.run([*install, "--constraint", str(ROOT / "constraints.txt"), *(what or WHAT)], check=True)
        pack = [sys.executable, "-m", "shiv", "--site-packages", site, "--console-script", "jira-ci"]
        form = ["--python", "/usr/bin/env python3", "--compressed", "--reproducible", "--output-file", target]
        subprocess.run([*pack, *form], check=True)
    print(f"{Path(target).stat().st_size / 1e6:.2f} MB  {target}")


if __name__ == "__main__":
    main()
