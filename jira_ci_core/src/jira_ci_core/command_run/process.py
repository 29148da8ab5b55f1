"""The wrapped command: a child process on the streams of this one, and the signals that are forwarded to it."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

_NAMES = "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"
FORWARDED_SIGNALS = tuple(number for number in signal.Signals if number.name in _NAMES)
_IS_WINDOWS = sys.platform == "win32"
# A terminal sends these to all processes in its foreground.
_TERMINAL_SIGNALS = frozenset(number for number in FORWARDED_SIGNALS if number.name in ("SIGINT", "SIGQUIT"))


class Child:
    """A running command. It stays in this process's group, so that a terminal treats both as one job."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], on_exit: Callable[[], None]) -> None:
        """Start the command; `on_exit` is called in another thread once it `has_ended`. Raises OSError."""
        # The command inherits every open file, not only the three streams.
        start = functools.partial(subprocess.Popen[bytes], close_fds=False, env=environ)
        try:
            self._process = start(command)
        except OSError as error:
            script = shutil.which(command[0], path=environ.get("PATH"))
            if error.errno != errno.ENOEXEC or script is None:
                raise
            # A script whose first line names no interpreter is run by sh, as a shell does.
            self._process = start(["/bin/sh", script, *command[1:]])
        self.has_ended = False
        self.status: int | None = None
        """The exit status, or minus the number of the signal that ended the command; None if it is not known."""
        threading.Thread(target=self._wait, args=(on_exit,), daemon=True).start()

    def forward(self, number: int) -> None:
        """Send the command a signal that this process received, unless the terminal has sent it to both."""
        if self.has_ended or (number in _TERMINAL_SIGNALS and _is_in_foreground()):
            return
        # A command that has just ended is not there, and one of another user (sudo) takes no signal.
        with contextlib.suppress(OSError):
            os.kill(self._process.pid, number)

    def _wait(self, on_exit: Callable[[], None]) -> None:
        self.status = self._exit_status()
        self.has_ended = True
        on_exit()

    def _exit_status(self) -> int | None:
        """Wait for the command to end; None if a plugin or a library has taken its status away.

        Popen's `wait` and `poll` would take such a command for successful: https://bugs.python.org/issue15756.
        """
        if _IS_WINDOWS:
            return self._process.wait()
        try:
            _, status = os.waitpid(self._process.pid, 0)
        except ChildProcessError:
            self._process.returncode = 1  # so that Popen does not wait for it, either
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process.returncode


@contextlib.contextmanager
def handle_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` with the number of each forwarded signal; one that was ignored before (nohup) stays ignored.

    SIGCHLD has its default action meanwhile: while it is ignored, the exit status of a child is lost (waitpid(2)).
    """
    before = {number: signal.getsignal(number) for number in FORWARDED_SIGNALS}
    handled = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in handled:
        signal.signal(number, lambda number, frame: handle(number))
    if not _IS_WINDOWS:
        handled[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether a terminal sends its signals to this process, and so to the command."""
    if _IS_WINDOWS:
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
