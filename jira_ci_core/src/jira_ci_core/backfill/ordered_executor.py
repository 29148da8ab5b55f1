"""Calls made in several threads at a time, in order where order matters. The only threads of a backfill."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class OrderedExecutor(Generic[R, T]):
    """A thread for each resource, of type `R`; calls with the same resource are made in the order of their submission.

    With a single resource, `submit` makes the call itself, and raises what it raises. `SimpleQueue` is the only lock:
    Ctrl+C in the middle of a function of `concurrent.futures` may leave its locks taken.
    """

    def __init__(self, resources: Sequence[R]) -> None:
        self._resources = resources
        self._pending: set[_Call[R, T]] = set()
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_closed = False
        self._calls: list[queue.SimpleQueue[_Call[R, T] | None]] = [queue.SimpleQueue() for _ in resources]
        self._threads = [
            threading.Thread(target=self._work, args=(resource, calls), daemon=True)
            for resource, calls in zip(resources, self._calls, strict=True)
            if len(resources) > 1
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._resources)

    def slot_of(self, key: Hashable) -> int:
        """Which resource to use, by its index, so that all calls for a key are made in order."""
        return hash(key) % len(self._resources)

    def submit(self, slot: int, function: Callable[[R], T]) -> None:
        """Have a function called with the resource of a slot, after all that was submitted to that slot before."""
        call = _Call(function)
        if self._threads:
            self._calls[slot].put(call)
        else:
            call.results.append(function(self._resources[slot]))
        self._pending.add(call)

    def results(self, at_most: int = 0) -> Iterator[T]:
        """The results of calls, until at most so many are pending. Raises what a call raised."""
        while len(self._pending) > at_most:
            done = [call for call in self._pending if call.results or call.error]
            if not done:
                self._wakeups.get()
            for call in done:
                self._pending.discard(call)
                if call.error:
                    raise call.error
                yield call.results[0]

    def close(self) -> None:
        """Drop the calls that have not begun, and wait for the others."""
        self._is_closed = True
        for calls in self._calls:
            calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, resource: R, calls: queue.SimpleQueue[_Call[R, T] | None]) -> None:
        while (call := calls.get()) is not None and not self._is_closed:
            try:
                call.results.append(call.function(resource))
            except BaseException as error:
                call.error = error
            self._wakeups.put(None)


@dataclass(eq=False)
class _Call(Generic[R, T]):
    function: Callable[[R], T]
    results: list[T] = field(default_factory=list)
    """One, once the function has returned."""
    error: BaseException | None = None
