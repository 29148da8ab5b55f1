"""The command that a step wraps: a process on this one's own streams, and the signals that are passed on to it."""

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

PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
# A terminal sends these to all processes in its foreground.
_OF_A_TERMINAL = frozenset(number for number in PASSED_ON if number.name in ("SIGINT", "SIGQUIT"))

# What shells answer for a command that is not there, and for one that cannot be run.
NOT_FOUND, NOT_RUNNABLE = 127, 126


class NotStartedError(Exception):
    """The command cannot be started; `status` is what a shell would answer."""

    def __init__(self, command: str, error: OSError) -> None:
        super().__init__(command)
        self.status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
        self.problem = Problem(
            f"{command} could not be started",
            error.strerror or str(error),
            "check its name, that what its first line names is installed, and that it may be run (chmod +x)",
        )


class Child:
    """A command that runs. It stays in the group of this process, so that a terminal treats both as one."""

    def __init__(self, command: Sequence[str], ended: Callable[[], None]) -> None:
        """`ended` is called, in a thread of its own, when it has a `status`. Raises NotStartedError."""
        try:
            self._process = _started(command)
        except OSError as error:
            raise NotStartedError(command[0], error) from None
        self.status: int | None = None
        """How it ended, below 0 for the signal that ended it; None while it runs."""
        threading.Thread(target=self._wait, args=(ended,), daemon=True).start()

    def pass_on(self, number: int) -> None:
        """Send it a signal that this process was sent, unless it has had it as well."""
        if number not in _OF_A_TERMINAL or not _is_in_foreground():
            self._process.send_signal(number)

    def _wait(self, ended: Callable[[], None]) -> None:
        self.status = self._process.wait()
        ended()


@contextlib.contextmanager
def signals(receive: Callable[[int], None]) -> Iterator[None]:
    """Hand over each signal that is passed on, and do not end. What is ignored from the start (nohup) stays so."""
    before = {number: signal.getsignal(number) for number in PASSED_ON}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, lambda number, frame: receive(number))
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def exit_code(status: int) -> int:
    """What a shell would answer for the status of a process."""
    return status if status >= 0 else 128 - status


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # All that this process was given is handed on, beyond the three streams as well.
    try:
        return subprocess.Popen(command, close_fds=False)
    except OSError as error:
        script = shutil.which(command[0])
        if error.errno != errno.ENOEXEC or script is None:
            raise
        # A script without a first line that says who runs it; as in a shell, that is a shell.
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
