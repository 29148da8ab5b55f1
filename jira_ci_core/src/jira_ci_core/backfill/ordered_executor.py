"""Calls made in several threads at a time, in order where order matters. The only threads of a backfill."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class OrderedExecutor(Generic[R, T]):
    """A thread for each resource, of type `R`; calls with the same resource are made in the order of their submission.

    With a single resource, calls are made in the thread that submits them.
    """

    def __init__(self, resources: Sequence[R]) -> None:
        self._resources = resources
        threads = len(resources) if len(resources) > 1 else 0
        self._executors: list[Executor] = [ThreadPoolExecutor(1) for _ in range(threads)] or [_InPlaceExecutor()]
        self._pending: set[Future[T]] = set()

    def __len__(self) -> int:
        return len(self._resources)

    def slot_of(self, key: Hashable) -> int:
        """Which resource to use, by its index, so that all calls for a key are made in order."""
        return hash(key) % len(self._resources)

    def submit(self, slot: int, call: Callable[[R], T]) -> None:
        """Have `call` called with the resource of a slot, after all that was submitted to that slot before."""
        self._pending.add(self._executors[slot].submit(call, self._resources[slot]))

    def results(self, at_most: int = 0) -> Iterator[T]:
        """The results of calls, until at most so many are pending. Raises what a call raised."""
        while len(self._pending) > at_most:
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()

    def close(self) -> None:
        """Drop the calls that have not begun, and wait for the others."""
        for executor in self._executors:
            executor.shutdown(cancel_futures=True)


class _InPlaceExecutor(Executor):
    """Makes each call at once, in the thread that submits it."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(call(*arguments, **keywords))
        except Exception as error:
            future.set_exception(error)
        return future
