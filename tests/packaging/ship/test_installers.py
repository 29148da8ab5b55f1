"""Each way of installing in `docs/installing.md`, run as written, ends in a report that Jira accepts."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from ..conftest import ENVIRON, ROOT, run

pytestmark = pytest.mark.packaging

PAGE = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
TRIED = dict(re.findall(r"^<!-- try: (\w+) -->\n```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def shell(wheels, tmp_path, jira):
    """Return a function that runs shell commands in a Harness run, with the built wheels in place of an index."""
    where = str(wheels[0].parent)
    home = tmp_path / "home"
    home.mkdir()
    environ = {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}{os.pathsep}{PROGRAMS}{os.pathsep}{ENVIRON['PATH']}",
        "PIP_FIND_LINKS": where,
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "UV_FIND_LINKS": where,
        "UV_CONSTRAINT": str(ROOT / "constraints.txt"),
        # The cache is shared; everything installed is below this test's folder.
        "UV_CACHE_DIR": run("uv", "cache", "dir").strip(),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_TOOL_DIR": str(home / "tools"),
        "PIPX_HOME": str(home / "pipx"),
        "PIPX_BIN_DIR": str(home / "bin"),
        "PIPX_DEFAULT_PYTHON": sys.executable,
        "SHIV_ROOT": str(home / "shiv"),
        "HARNESS_PIPELINE_ID": "checkout",
        "HARNESS_BUILD_ID": "42",
        "DRONE_BUILD_NUMBER": "42",
        "DRONE_BUILD_LINK": "https://app.harness.example/run/42",
        "DRONE_BUILD_STATUS": "SUCCESS",
        # Not one of the repository that some of these commands run in.
        "DRONE_COMMIT_SHA": "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b",
        "DRONE_COMMIT_MESSAGE": "[MYT-1] Let people pay",
        "PLUGIN_PROJECT": "MYT",
        "PLUGIN_INSTANCE": jira.url,
        "PLUGIN_API_URL": jira.url,
        "PLUGIN_CONNECT_HOSTNAME": jira.url,
        "PLUGIN_CLIENT_ID": jira.client_id,
        "PLUGIN_CLIENT_SECRET": jira.client_secret,
    }
    return lambda commands, folder=tmp_path, **more: run("sh", "-euc", commands, folder=folder, environ=environ | more)


@pytest.mark.parametrize("way", ["uvx", "checkout", "pipx"])
def test_a_way_to_install_ends_in_a_report(way, shell, jira):
    said = shell(TRIED[way], folder=ROOT if way == "checkout" else ROOT.parent)
    assert "accepted build 42 of checkout (successful) for MYT-1" in said
    assert len(jira.builds()) == 1


def test_every_way_is_tried():
    assert TRIED.keys() == {"uvx", "checkout", "pipx", "pyz"}


@pytest.fixture
def bare(tmp_path):
    """A Python without any packages."""
    run("uv", "venv", "--quiet", "--python", sys.executable, tmp_path / "bare")
    return tmp_path / "bare" / "bin" / "python"


def one_file(folder, *what):
    run(sys.executable, "tools/build_pyz.py", folder / "dist" / "jira-ci.pyz", *what)
    return folder / "dist" / "jira-ci.pyz"


def test_one_file_reports_with_either_kind_of_sign_in(tmp_path, bare, shell, jira):
    assert "python tools/build_pyz.py dist/jira-ci.pyz\n" in TRIED["pyz"]
    file = one_file(tmp_path)
    assert "accepted build 42" in shell(f"{bare} {file} report")
    connect = {"PLUGIN_CLIENT_ID": "", "PLUGIN_CLIENT_SECRET": "", "PLUGIN_CONNECT_KEY": jira.connect_key}
    assert "accepted build 42" in shell(f"{bare} {file} report", **connect)
    assert file.stat().st_size < 8_000_000


def test_one_file_finds_the_plugins_that_were_chosen_and_no_others_and_is_built_the_same_again(
    tmp_path, wheels, bare, shell
):
    what = [*wheels[:2], ROOT / "examples" / "changelog-keys"]
    file = one_file(tmp_path, *what)
    said = json.loads(shell(f"{bare} {file} plugins --format json 2>/dev/null"))
    states = {plugin["name"]: plugin["state"] for plugin in said["plugins"] if plugin["distribution"] != "jira-ci-core"}
    assert states == {"oauth": "on", "changelog": "on"}
    first = file.read_bytes()
    assert one_file(tmp_path, *what).read_bytes() == first
