"""The future of an answer: pykka's, without a lock that two threads could hold in turn.

pykka's `ThreadingFuture` guards its state with a condition written in Python. A signal
handler that runs while its thread is inside that condition, and itself waits for the same
actor, would wait for ever: the actor cannot set the future whose condition the handler's
thread holds. Here waiting is one call of a lock written in C, with nothing to be inside of.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from pykka import ThreadingFuture, Timeout

from minutebook.domain.errors import AuditClosed

T = TypeVar("T")

_OptExcInfo = tuple[type[BaseException] | None, BaseException | None, Any]
_Outcome = tuple[Any, BaseException | None, Any]

# How many forks this process is away from the first one.
_generation = 0


def _begin_generation() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_generation)


class Reply(ThreadingFuture[T]):
    """A future that is set once; `get`, `map`, `filter` and the like are pykka's.

    It can be awaited in asyncio, without blocking the loop. A forked child gets no answer that
    was not there before the fork: `AuditClosed` is raised there instead of waiting for ever.
    """

    def __init__(self) -> None:
        # Past ThreadingFuture's own, which would make the condition.
        super(ThreadingFuture, self).__init__()
        self._outcome: _Outcome | None = None
        self._pending = threading.Lock()
        self._pending.acquire()
        self._callbacks: list[Callable[[], None]] = []
        self._generation = _generation

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the answer, and return it or raise what it is.

        Args:
            timeout: seconds; ``None`` waits as long as it takes.

        Raises:
            pykka.Timeout: it did not come in time; it still may.
            AuditClosed: it goes to the process that this one was forked from.
        """
        if self._get_hook is not None:
            return super(ThreadingFuture, self).get(timeout=timeout)
        if self._outcome is None:
            self._refuse_parents()
            wait_s = -1.0 if timeout is None else max(0.0, min(timeout, threading.TIMEOUT_MAX))
            if not self._pending.acquire(timeout=wait_s):
                msg = f"{timeout} seconds"
                raise Timeout(msg)
            # For the next who waits.
            self._pending.release()
        assert self._outcome is not None
        value, error, traceback = self._outcome
        if error is not None:
            # With the traceback as it was: each raise would else add its frames to it.
            raise error.with_traceback(traceback)
        return value

    def set(self, value: Any | None = None) -> None:
        """Give the answer; raises `queue.Full` when there is one already."""
        self._settle((value, None, None))

    def set_exception(self, exc_info: _OptExcInfo | None = None) -> None:
        """Give an error as the answer; that which is being handled when none is given."""
        _, error, traceback = sys.exc_info() if exc_info is None else exc_info
        self._settle((None, error, traceback))

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Have `get` call a function; pykka's `map` and the like do."""
        if self._outcome is not None:
            raise queue.Full
        self._get_hook = func

    def _settle(self, outcome: _Outcome) -> None:
        if self._outcome is not None or self._get_hook is not None:
            raise queue.Full
        self._outcome = outcome
        self._pending.release()
        self._call_back()

    def _refuse_parents(self) -> None:
        if self._generation != _generation:
            msg = (
                "this was asked before the process was forked, and the answer goes to the parent;"
                " ask again here."
            )
            raise AuditClosed(msg)

    def _call_back(self) -> None:
        while self._callbacks:
            # Popped by whoever comes first: who sets the answer, or who has just begun to wait.
            with contextlib.suppress(IndexError):
                self._callbacks.pop()()

    def __await__(self) -> Generator[Any, None, T]:
        asyncio = sys.modules.get("asyncio")
        loop = None
        if asyncio is not None and self._get_hook is None:
            with contextlib.suppress(RuntimeError):
                loop = asyncio.get_running_loop()
        if loop is None:
            return (yield from super().__await__())
        if self._outcome is None:
            self._refuse_parents()
        woken = loop.create_future()

        def wake() -> None:
            # The loop may have ended meanwhile, which is no concern of the actor's.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_finish, woken)

        self._callbacks.append(wake)
        if self._outcome is not None:
            self._call_back()
        yield from woken.__await__()
        value: T = self.get()
        return value

    __iter__ = __await__


def _finish(future: Any) -> None:
    if not future.done():
        future.set_result(None)
