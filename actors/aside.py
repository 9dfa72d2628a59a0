"""Slow work of an actor, done on a few threads beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

from minutebook.actors.base import Request


class Job(NamedTuple):
    """Slow work for a request, and what comes after it."""

    request: Request
    """Who asked."""
    work: Callable[[], Any]
    """Done on another thread; touches nothing of the actor's."""
    then: Callable[[Any], Any]
    """Takes its result, on the actor's thread."""


class Ended(NamedTuple):
    """A job whose work has ended."""

    request: Request
    """Who asked."""
    go_on: Callable[[], Any]
    """Goes on with the result, or raises what the work did."""


class Aside:
    """A few threads that do jobs in order; started when they are needed.

    All but the work is the actor's thread's.

    Args:
        name: the threads'.
        width: most jobs at once.
        wake: called, by any thread, when something is there to `take`.
    """

    def __init__(self, name: str, width: int, wake: Callable[[], None]) -> None:
        self._name = name
        self._width = width
        self._wake = wake
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.pending = 0
        """Jobs that were not taken back."""

    def do(self, job: Job) -> None:
        """Have a job done."""
        self.pending += 1
        if len(self._threads) < min(self._width, self.pending) and not self._start_thread():
            self._ended.put(_done(job))
            self._wake()
        else:
            self._jobs.put(job)

    def take(self) -> Ended:
        """Wait for a job to end, and take it back."""
        ended = self._ended.get()
        self.pending -= 1
        return ended

    def stop(self) -> None:
        """End the threads, when nothing is pending."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _start_thread(self) -> bool:
        """Start one more thread, and tell whether there is any."""
        name = f"{self._name}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, or there is no room for threads
            return bool(self._threads)
        self._threads.append(thread)
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._ended.put(_done(job))
            self._wake()


def _done(job: Job) -> Ended:
    try:
        result = job.work()
    # Whatever it is, whoever asked gets it: this thread is not the place to end anything.
    except BaseException as error:  # noqa: BLE001
        return Ended(job.request, _raising(error))
    return Ended(job.request, lambda: job.then(result))


def _raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
