"""The commands of `docs/writing-plugins.md`, run in order by a shell that starts in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import sys
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT, FreshEnvironment, run

pytestmark = pytest.mark.packaging

BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def test_the_tutorial_is_true(wheels, tmp_path):
    """Write the files that the text shows, run its commands, and find the output that it shows."""
    blocks = list(BLOCK.finditer((ROOT / "docs/writing-plugins.md").read_text(encoding="utf-8")))
    assert [block["kind"] for block in blocks].count("sh") >= 6
    # No index has the packages of this project yet, so pip finds the wheels that were built here.
    index = {"PIP_FIND_LINKS": str(wheels[0].parent), "PIP_CONSTRAINT": str(ROOT / "constraints.txt"), "PIP_QUIET": "1"}
    place, printed = tmp_path, ""
    for block in blocks:
        if block["file"]:
            assert (place / block["file"]).exists(), "the tutorial replaces what `plugins new` wrote"
            (place / block["file"]).write_text(block["text"], encoding="utf-8")
        elif block["kind"] == "sh":
            # Each block continues in the folder and the environment of the one before.
            again = f". {shlex.quote(str(tmp_path / '.venv/bin/activate'))}" if (tmp_path / ".venv").exists() else ":"
            script = f"set -eu\n{again}\n{block['text']}\npwd > {shlex.quote(str(tmp_path / 'place'))}\n"
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            printed = run("bash", "-c", script, folder=place, environ={**index, "PATH": path})
            place = Path((tmp_path / "place").read_text().strip())
        elif block["kind"] == "text":
            assert [line for line in block["text"].splitlines() if line not in printed.splitlines()] == []
    [wheel] = (place / "dist").glob("*.whl")
    assert "acme_changelog/py.typed" in zipfile.ZipFile(wheel).namelist()
    other = FreshEnvironment(tmp_path / "other")
    other.install(*wheels, wheel)
    assert "acme-changelog  on" in other.run("jira-ci", "plugins", folder=tmp_path)
