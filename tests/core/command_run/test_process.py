"""The wrapped command as a process: its status, its environment, and the signals that reach it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from jira_ci_core.command_run.process import Child, handle_signals

ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def start():
    """Starts a script; returns the process, and waits for its end where it is told to."""

    def make(script, environ=ENVIRON):
        ended = threading.Event()
        child = Child(["sh", "-c", script], environ, ended.set)
        child.wait = lambda: ended.wait(60)
        return child

    return make


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", -9), ("exit 255", 255), ("(exit 3) &", 0)]
)
def test_its_status(start, script, status):
    child = start(script)
    assert child.wait()
    assert (child.has_ended, child.status) == (True, status)


def test_a_status_that_the_system_does_not_keep_is_not_known(start, monkeypatch):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        child = start("exit 0")
        assert child.wait()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (child.has_ended, child.status) == (True, None)


def test_sigchld_has_its_default_while_signals_are_handled_and_what_it_had_after():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with handle_signals(print):
            assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_signal_reaches_it_while_it_runs_and_nothing_after(start):
    child = start("sleep 60")
    assert not child.has_ended
    child.forward(signal.SIGTERM)
    assert child.wait()
    assert child.status == -signal.SIGTERM
    child.forward(signal.SIGTERM)


def test_one_that_takes_no_signal_is_no_error(start, monkeypatch):
    child = start("exit 4")
    monkeypatch.setattr(os, "kill", lambda *arguments: (_ for _ in ()).throw(PermissionError))
    child.forward(signal.SIGTERM)
    assert child.wait()
    assert child.status == 4


def test_its_environment_and_where_it_is_looked_for(start, tmp_path):
    script = tmp_path / "without-an-interpreter"
    script.write_text(f'echo "$WORD" > {tmp_path}/seen\n')
    script.chmod(0o755)
    ended = threading.Event()
    Child([script.name], {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WORD": "here"}, ended.set)
    assert ended.wait(60)
    assert (tmp_path / "seen").read_text() == "here\n"
