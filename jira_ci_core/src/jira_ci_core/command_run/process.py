"""The wrapped command: a child process on the streams of this one, and the signals that are forwarded to it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from jira_ci_core.problem import Problem

FORWARDED_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
# A terminal sends these to all processes in its foreground.
_TERMINAL_SIGNALS = frozenset(number for number in FORWARDED_SIGNALS if number.name in ("SIGINT", "SIGQUIT"))

# The exit codes of a shell for a command that does not exist, and for one that cannot be run.
NOT_FOUND, NOT_RUNNABLE = 127, 126


class NotStartedError(Exception):
    """The command cannot be started; `status` is the exit code that a shell would give."""

    def __init__(self, command: str, error: OSError) -> None:
        super().__init__(command)
        self.status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
        self.problem = Problem(
            f"{command} could not be started",
            error.strerror or str(error),
            "check its name, that what its first line names is installed, and that it may be run (chmod +x)",
        )


class Child:
    """A running command. It stays in this process's group, so that a terminal treats both as one job."""

    def __init__(self, command: Sequence[str], on_exit: Callable[[], None]) -> None:
        """Start the command; `on_exit` is called in another thread once `status` is set. Raises NotStartedError."""
        try:
            self._process = _start(command)
        except OSError as error:
            raise NotStartedError(command[0], error) from None
        self.status: int | None = None
        """The exit status, or minus the number of the signal that ended the command; None while it runs."""
        threading.Thread(target=self._wait, args=(on_exit,), daemon=True).start()

    def forward(self, number: int) -> None:
        """Send the command a signal that this process received, unless the terminal has sent it to both."""
        if number not in _TERMINAL_SIGNALS or not _is_in_foreground():
            self._process.send_signal(number)

    def _wait(self, on_exit: Callable[[], None]) -> None:
        self.status = self._process.wait()
        on_exit()


@contextlib.contextmanager
def handle_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` with the number of each forwarded signal; one that was ignored before (nohup) stays ignored."""
    before = {number: signal.getsignal(number) for number in FORWARDED_SIGNALS}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, lambda number, frame: handle(number))
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


def exit_code(status: int) -> int:
    """The exit code that a shell gives for the status of a process: 143 for -15."""
    return status if status >= 0 else 128 - status


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # The command inherits every open file, not only the three streams.
    try:
        return subprocess.Popen(command, close_fds=False)
    except OSError as error:
        script = shutil.which(command[0])
        if error.errno != errno.ENOEXEC or script is None:
            raise
        # A script whose first line names no interpreter is run by sh, as a shell does.
        return subprocess.Popen(["/bin/sh", script, *command[1:]], close_fds=False)


def _is_in_foreground() -> bool:
    """Whether a terminal sends its signals to this process, and so to the command."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
