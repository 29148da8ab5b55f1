"""Ends the process if a plugin hangs, and says which one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from jira_ci_core.errors import ExitCode

PLUGIN_TIMEOUT = 120
"""The default, in seconds."""


class Watchdog:
    """Limits the time of calls, which may be nested and may run in several threads.

    A timer signal and a thread watch each call. The signal also interrupts a regular expression that backtracks without
    end; the thread also ends a call that no signal interrupts. The limit fails only for foreign code that hangs without
    releasing Python's lock (the GIL).
    """

    def __init__(self, seconds: float, on_timeout: Callable[[str], None]) -> None:
        self.seconds = seconds
        self._on_timeout = on_timeout
        self._watched: dict[int, list[tuple[object, float]]] = {}
        """For each thread the calls in progress, each with its deadline, the innermost last."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_disabled = False
        self._exiting = threading.Lock()

    def disable(self) -> None:
        """Watch no further call: the caller has a time limit of its own."""
        self._is_disabled = True

    @contextlib.contextmanager
    def watching(self, call: object) -> Iterator[None]:
        """Watch the block; after a timeout, `str(call)` says what was called."""
        if self._is_disabled:
            yield
            return
        thread = threading.get_ident()
        with self._changed:
            calls = self._watched.setdefault(thread, [])
            calls.append((call, time.monotonic() + self.seconds))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        try:
            with self._alarm(calls):
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
                call, deadline = min((calls[-1] for calls in self._watched.values()), key=lambda watched: watched[1])
                # It may have woken up for a call that has ended: a notification at each end would slow down every call.
                if (remaining := deadline - time.monotonic()) > 0:
                    self._changed.wait(remaining)
                    continue
            self._exit(call)

    @contextlib.contextmanager
    def _alarm(self, calls: list[tuple[object, float]]) -> Iterator[None]:
        if (
            not hasattr(signal, "SIGALRM")
            or threading.current_thread() is not threading.main_thread()
            or len(calls) > 1
            or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
        ):
            yield
            return
        signal.signal(signal.SIGALRM, lambda *_: self._exit(calls[-1][0]))
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _exit(self, call: object) -> NoReturn:
        self._exiting.acquire()  # never released: only the first of signal and thread reports
        self._on_timeout(str(call))
        os._exit(ExitCode.PLUGIN)


def report_hang(call: str) -> None:
    """Write the error past the log and `sys.stderr`: the plugin that hangs may hold their locks."""
    from jira_ci_core.problem import Problem

    remedy = "report it to its authors, leave it out with DISABLE_PLUGINS, or allow it more with PLUGIN_TIMEOUT"
    problem = Problem(f"{call} hangs", "it took longer than PLUGIN_TIMEOUT allows", remedy)
    os.write(2, "".join(f"{line}\n" for line in problem.lines()).encode(errors="backslashreplace"))
