"""The wrapped command as a process: its status, its environment, and the signals that reach it."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import termios
import threading

import pytest

from jira_ci_core.command_run import process
from jira_ci_core.command_run.process import FORWARDED_SIGNALS, Child, _is_in_foreground, handle_signals

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


def test_no_signal_is_sent_to_what_may_be_another_process_by_now(start, monkeypatch):
    child = start("exit 0")
    assert child.wait()
    monkeypatch.setattr(os, "kill", lambda *arguments: pytest.fail("a signal was sent"))
    for number in (signal.SIGTERM, signal.SIGINT):
        child.forward(number)


@pytest.mark.parametrize("is_foreground", [True, False])
def test_what_a_terminal_sends_to_both_is_not_sent_again(start, monkeypatch, is_foreground):
    sent = []
    child = start("exec sleep 60")
    with monkeypatch.context() as patch:
        patch.setattr(process, "_is_in_foreground", lambda: is_foreground)
        patch.setattr(os, "kill", lambda pid, number: sent.append((pid == child._process.pid, number)))
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
            child.forward(number)
    everything = [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1]
    assert sent == [(True, number) for number in (everything[2:] if is_foreground else everything)]
    child.forward(signal.SIGKILL)
    assert child.wait()


def ask_on_a_terminal():
    """Whether a session of its own is in the foreground: without a terminal, with one, and a job in the background."""
    os.setsid()
    before = _is_in_foreground()
    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    files = os.listdir("/dev/fd")
    leader = _is_in_foreground()
    assert os.listdir("/dev/fd") == files
    if not os.fork():
        os.setpgid(0, 0)
        os._exit(_is_in_foreground())
    return before, leader, bool(os.wait()[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a terminal")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_who_is_in_the_foreground_of_a_terminal():
    _is_in_foreground()  # here it may be so or not
    process = os.fork()
    if not process:
        try:
            os._exit(0 if ask_on_a_terminal() == (False, True, False) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(process, 0) == (process, 0)


@pytest.mark.parametrize("number", FORWARDED_SIGNALS)
def test_each_signal_is_handled_meanwhile_and_as_before_afterwards(number):
    seen = []
    before = signal.signal(number, lambda *arguments: seen.append("before"))
    try:
        with handle_signals(seen.append):
            signal.raise_signal(number)
        assert seen == [number]
        signal.raise_signal(number)
        assert seen == [number, "before"]
    finally:
        signal.signal(number, before)


def test_one_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handle_signals(pytest.fail):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_while_it_runs_nothing_is_known_and_this_process_may_end(start):
    child = start("exec sleep 60")
    assert (child.has_ended, child.status) == (False, None)
    assert [thread for thread in threading.enumerate() if not thread.daemon] == [threading.main_thread()]
    child.forward(signal.SIGKILL)
    assert child.wait()


@pytest.mark.parametrize("first", ["#!/bin/sh\n", ""], ids=["program", "script"])
def test_it_inherits_every_open_file_and_its_arguments(tmp_path, first):
    script = tmp_path / "script"
    script.write_text(f'{first}echo "$1" > "/dev/fd/$2"\n')
    script.chmod(0o755)
    ended = threading.Event()
    with open(tmp_path / "seen", "w") as file:
        os.set_inheritable(file.fileno(), True)
        child = Child([str(script), "word", str(file.fileno())], ENVIRON, ended.set)
        assert ended.wait(60)
    assert (child.status, (tmp_path / "seen").read_text()) == (0, "word\n")


def test_a_script_whose_interpreter_is_missing_is_run_by_no_other(tmp_path):
    (tmp_path / "script").write_text("#!/nowhere\nexit 0\n")
    (tmp_path / "script").chmod(0o755)
    with pytest.raises(FileNotFoundError):
        Child([str(tmp_path / "script")], ENVIRON, lambda: None)


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
