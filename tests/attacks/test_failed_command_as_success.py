"""A command of `jira-ci run` that fails, where the step inherits what makes its exit status hard to see."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ..conftest import inherited

# Runs the rest of its arguments after these lines, with the dispositions that they set.
EXECUTE = "import os, signal, sys; {}; os.execv(sys.argv[1], sys.argv[1:])"
EVERY_OTHER = "set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}"
IGNORED = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
ALL_IGNORED = f"[signal.signal(number, signal.SIG_IGN) for number in {EVERY_OTHER}]"
BLOCKED = f"signal.pthread_sigmask(signal.SIG_BLOCK, {EVERY_OTHER})"
CLOSED = "[os.close(number) for number in (0, 1, 2)]"


@pytest.fixture
def run(harness_oauth, jira):
    """Runs a script between two reports; returns the exit code, and the last state that Jira shows."""

    def start(script, before, *, environ=None):
        command = [sys.executable, "-c", EXECUTE.format(before)]
        command += [sys.executable, "-P", "-m", "jira_ci_core", "run", "--", "sh", "-c", script]
        variables = {**inherited(), **harness_oauth.variables(environ, {})}
        process = subprocess.run(command, cwd=harness_oauth.folder, env=variables, capture_output=True, timeout=60)
        return process.returncode, jira.updates()[-1]["entity"]["state"], process.stderr.decode()

    return start


@pytest.mark.parametrize(
    ("before", "script", "code", "state"),
    [
        (IGNORED, "exit 5", 5, "failed"),
        (IGNORED, "exit 0", 0, "successful"),
        (IGNORED, "kill -KILL $$", 137, "failed"),
        (IGNORED, "(sleep 0.1; exit 0) & exit 6", 6, "failed"),
        (ALL_IGNORED, "sh -c 'exit 5'; exit $?", 5, "failed"),
        (BLOCKED, "exit 5", 5, "failed"),
        (f"{IGNORED}; {BLOCKED}; {CLOSED}", "exit 5", 5, "failed"),
    ],
    ids=["ignored", "successful", "killed", "forked", "all-ignored", "all-blocked", "all-at-once"],
)
def test_the_true_status_is_the_step_s_and_jira_s(run, before, script, code, state):
    assert run(script, before)[:2] == (code, state)


PLUGIN = """
import os
import signal
import threading

from jira_ci_core import hookimpl


@hookimpl
def jira_ci_extract_issue_keys():
    {}
"""


def test_a_plugin_that_ignores_sigchld_changes_nothing(run, harness_oauth, install):
    install("ignores", PLUGIN.format("signal.signal(signal.SIGCHLD, signal.SIG_IGN)"))
    assert run("exit 5", "None")[:2] == (5, "failed")


TAKES = """
    def wait():
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                pass

    threading.Thread(target=wait, daemon=True).start()
"""


def test_a_status_that_a_plugin_has_taken_away_is_never_success(run, harness_oauth, install):
    install("takes", PLUGIN.format(TAKES.strip()))
    # A status that is taken away is lost in nearly all runs; whichever thread has it, this one is no success.
    code, state, err = run("exit 5", "None")
    assert (code, state) in [(1, "unknown"), (5, "failed")]
    assert ("error: how the command ended is not known" in err) == (code == 1)
