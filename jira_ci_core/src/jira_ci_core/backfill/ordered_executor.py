"""Several senders at the same time; the only place where threads are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


class OrderedExecutor(Generic[S, T]):
    """Lanes that lead to senders, of type `S`; what goes down one lane arrives in its order.

    A single sender works in the thread that sends.
    """

    def __init__(self, senders: Sequence[S]) -> None:
        self._senders = senders
        self._executors: list[Executor] = [ThreadPoolExecutor(1) for _ in senders] if len(senders) > 1 else [_InPlace()]
        self._running: set[Future[T]] = set()

    def __len__(self) -> int:
        return len(self._senders)

    def send(self, lane: int, call: Callable[[S], T]) -> None:
        """Have the sender of a lane call this, once it is done with what was sent down that lane before."""
        self._running.add(self._executors[lane].submit(call, self._senders[lane]))

    def answers(self, at_most: int = 0) -> Iterator[T]:
        """What the calls answered, until at most so many of them run. Raises what one of them raised."""
        while len(self._running) > at_most:
            done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()

    def close(self) -> None:
        """Begin nothing any more, and wait for what runs."""
        for executor in self._executors:
            executor.shutdown(cancel_futures=True)


class _InPlace(Executor):
    """Does at once what it is given."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(call(*arguments, **keywords))
        except Exception as error:
            future.set_exception(error)
        return future
