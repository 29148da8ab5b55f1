"""Ends the process where a plugin does not come back, and says which one it was."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from jira_ci_core.errors import ExitCode

PLUGIN_TIMEOUT = 120
"""Seconds, where nothing else is set."""


class Watchdog:
    """Watches one call after the other, or one within the other, each for the same time; several threads' as well.

    Two things watch: a timer signal, which also interrupts a regular expression that goes round in circles, and a
    thread, which also sees a call that no signal interrupts. Whatever a plugin does, one of them gets through, unless
    it hangs in foreign code that keeps Python's lock to itself.
    """

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        self.seconds = seconds
        self._tell = tell
        self._watched: dict[int, list[tuple[object, float]]] = {}
        """By thread: the calls that are within each other there, the innermost last."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_disabled = False
        self._ending = threading.Lock()

    def disable(self) -> None:
        """Watch nothing from now on: whoever waits for a call has a limit of its own."""
        self._is_disabled = True

    @contextlib.contextmanager
    def watching(self, what: object) -> Iterator[None]:
        """Watch what happens inside; `what` says what it is, as a text or once it is made one."""
        if self._is_disabled:
            yield
            return
        thread = threading.get_ident()
        with self._changed:
            calls = self._watched.setdefault(thread, [])
            calls.append((what, time.monotonic() + self.seconds))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        with self._signal(calls):
            try:
                yield
            finally:
                with self._changed:
                    calls.pop()
                    if not calls:
                        del self._watched[thread]

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._watched:
                    self._changed.wait()
                    continue
                what, deadline = min((calls[-1] for calls in self._watched.values()), key=lambda call: call[1])
                # Woken for nothing once in a while: waking it for the end of each call would cost every call.
                if (left := deadline - time.monotonic()) > 0:
                    self._changed.wait(left)
                    continue
            self._end(what)

    @contextlib.contextmanager
    def _signal(self, calls: list[tuple[object, float]]) -> Iterator[None]:
        usable = (
            hasattr(signal, "SIGALRM")
            and threading.current_thread() is threading.main_thread()
            and len(calls) == 1
            and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        )
        if not usable:
            yield
            return
        signal.signal(signal.SIGALRM, self._rung)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _rung(self, number: int, frame: FrameType | None) -> None:
        self._end(self._watched[threading.get_ident()][-1][0])

    def _end(self, what: object) -> NoReturn:
        self._ending.acquire()  # whoever of the two comes second waits for the end
        self._tell(str(what))
        os._exit(ExitCode.PLUGIN)


def tell_of_hang(what: str) -> None:
    """Write by itself: whoever hangs may hold the locks of the log and of standard error."""
    text = (
        f"error: {what} does not come back\n"
        "  why: it took longer than PLUGIN_TIMEOUT allows\n"
        "  do:  tell its authors, leave it out with DISABLE_PLUGINS, or allow it more with PLUGIN_TIMEOUT\n"
    )
    os.write(2, text.encode(errors="backslashreplace"))
