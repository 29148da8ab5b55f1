"""Shell completion, set up by the lines in `docs/installing.md`; and the manual page."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

from jira_ci_core.config.specs import flag
from jira_ci_core.plugins.loader import CORE_SETTINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
LINES = dict(re.findall(r"<!-- completion: (\w+) -->\n```sh\n(.+)\n```", PAGE))


@pytest.fixture
def step(started_step):
    """A new process of the installed command for each run, instead of a fork."""
    return started_step


@pytest.fixture
def complete(step):
    """Completes a line as bash does, and returns the words."""

    def run(line, **environ):
        words = line.split(" ")
        ask = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_JIRA_CI_COMPLETE": "bash_complete"}
        result = step.run(environ=ask | environ)
        assert (result.code, result.err) == (0, "")
        return [word.removeprefix("plain,") for word in result.out.splitlines()]

    return run


def test_commands_are_completed_including_those_of_packages(complete):
    assert {"report", "plugins", "outbox", "demo"} <= set(complete("jira-ci "))
    assert complete("jira-ci rep") == ["report"]
    assert "flush" in complete("jira-ci outbox ")


def test_every_setting_that_has_a_flag_is_completed(complete):
    flags = set(complete("jira-ci report --"))
    assert {flag(name) for setting in CORE_SETTINGS for name in setting.names} <= flags
    assert "--keys-git-since" in complete("jira-ci report --keys", JIRA_CI_DISABLE_PLUGINS="")
    assert not [one for one in flags if "secret" in one or "connect-key" in one]


def test_a_value_is_completed_if_there_is_a_choice(complete):
    assert complete("jira-ci report --format ") == ["text", "json"]


def test_completion_imports_no_http_library(step):
    ask = {"COMP_WORDS": "jira-ci report --env", "COMP_CWORD": "2", "_JIRA_CI_COMPLETE": "bash_complete"}
    result = step.run(environ=ask | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert "--environment-name" in result.out
    assert "jira_ci_core.cli.app" in result.err
    assert not re.search(r"\| +(requests|urllib3)$", result.err, re.MULTILINE)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_in_the_page_sets_up_completion(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    shown = {"bash": "complete -p jira-ci", "zsh": "echo ${_comps[jira-ci]}", "fish": "complete -c jira-ci"}[shell]
    ready = "autoload -Uz compinit && compinit -u; " if shell == "zsh" else ""
    environ = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    # Without the start-up files of the user who runs the tests.
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    result = subprocess.run(
        [shell, *plain, "-c", f"{ready}{LINES[shell]}\n{shown}"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "_jira_ci_completion" in result.stdout, result.stderr


def test_python_m_runs_the_same_program(step):
    result = step.run("--version")
    program = subprocess.run(
        [Path(sys.executable).parent / "jira-ci", "--version"], capture_output=True, text=True, check=True
    )
    assert result.out == program.stdout
    assert result.out.startswith("jira-ci, version ")


def manual():
    spec = importlib.util.spec_from_file_location("manpage", ROOT / "tools" / "manpage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return "\n".join(module.page()) + "\n"


def test_the_manual_page_is_current():
    written = (ROOT / "docs" / "jira-ci.1").read_text(encoding="utf-8")
    # Line by line, since pytest takes minutes to compare two long texts.
    differing = [pair for pair in zip_longest(written.splitlines(), manual().splitlines()) if pair[0] != pair[1]]
    assert not differing[:3], "python tools/manpage.py > docs/jira-ci.1"


def test_the_manual_page_has_every_setting_and_exit_code():
    page = manual().replace("\\-", "-")
    assert [one.name for one in CORE_SETTINGS if f".B {flag(one.name)}" not in page] == []
    assert "CLIENT_SECRET" in page
    assert page.count(".SH EXIT STATUS") == 1
    assert re.search(r"^\.B 3\nA plugin failed\.", page, re.MULTILINE | re.IGNORECASE)


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff here")
def test_groff_shows_the_manual_page_without_a_warning():
    result = subprocess.run(
        ["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww"], input=manual(), capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "--environment-name" in re.sub(".\x08", "", result.stdout.replace("\u2010", "-"))
