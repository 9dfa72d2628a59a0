"""Handlers for a host that ends by a signal: offered, and installed only when it asks for them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any, Final, Protocol, Self

from minutebook.domain.errors import MinutebookError, SignalsUnavailable, UncommittedEvents

_AGAIN_S: Final = 0.001


class Closable(Protocol):
    """What an audit system is to this module."""

    def close(self, timeout: float | None = None) -> None:
        """Commit what was told, and stop."""

    def flush(self, timeout: float | None = None) -> None:
        """Wait until what was told is committed."""

    def is_telling(self) -> bool:
        """Tell whether the calling thread is in the middle of a tell."""
        ...


Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


def close_on_signals(
    system: Closable,
    signals: Iterable[int] = (signal.SIGTERM, signal.SIGINT),
    timeout: float = 5.0,
) -> ClosingHandlers:
    """Commit what was told when a signal comes, and then let it do what it would have done.

    Where it would have ended the process (SIGTERM, as a rule), the system is closed first, and
    the process still ends as killed by that signal. Where there was a handler, of the host's
    or Python's own that raises ``KeyboardInterrupt``, all that was told is committed and that
    handler is called: it, and whatever it unwinds, may still tell. A signal that the process
    ignores is left alone.

    A second signal that ends the process changes nothing while the first one's close is
    running; a second Ctrl-C is not held up. Call it again for another system, in any order.

    Under asyncio, call it inside the coroutine that `asyncio.run` runs: it then calls
    asyncio's own handlers, those of ``loop.add_signal_handler`` among them. Such a handler
    that is added later takes its place; let it call ``system.flush`` or ``close`` itself.

    Args:
        system: the audit system.
        signals: their numbers.
        timeout: seconds that the commits may take; the signal is held up for no longer.

    Returns:
        The handlers: they stay until their ``restore`` is called, or the end of ``with``.

    Raises:
        SignalsUnavailable: not in the main thread, or no Python program can handle one of them.
    """
    return ClosingHandlers(system, signals, timeout)


class ClosingHandlers:
    """The handlers of one call of `close_on_signals`; made there."""

    def __init__(self, system: Closable, signals: Iterable[int], timeout: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            msg = (
                "signals can be handled in the main thread only, and this is another; call"
                " close_on_signals there, before the others start."
            )
            raise SignalsUnavailable(msg)
        self._system: Closable | None = system
        self._timeout = timeout
        self._previous: dict[int, Handler] = {}
        self._draining = False
        self._ending = False
        try:
            for number in signals:
                self._install(number)
        except BaseException:
            self.restore()
            raise

    def _install(self, number: int) -> None:
        try:
            previous = signal.getsignal(number)
            # Who ignores it (nohup, a job in the background) means to go on.
            if previous is signal.SIG_IGN or number in self._previous:
                return
            if previous is None:
                msg = (
                    f"signal {number} has a handler that is not Python's, which could not be"
                    " put back; leave it out, and close the system from there."
                )
                raise SignalsUnavailable(msg)
            assert callable(previous) or previous is signal.SIG_DFL
            self._previous[number] = previous
            signal.signal(number, self._handle)
        except (ValueError, OSError, TypeError) as error:
            self._previous.pop(number, None)
            msg = f"signal {number!r} cannot be handled ({error}); leave it out."
            raise SignalsUnavailable(msg) from error

    def restore(self) -> None:
        """Put back the handlers that were there before; harmless the second time."""
        self._system = None
        if threading.current_thread() is not threading.main_thread():
            return  # without a system they only pass signals on
        for number, previous in self._previous.items():
            # One that was put on top of ours stays, and may call ours, which passes it on.
            if signal.getsignal(number) == self._handle:
                signal.signal(number, previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        system = self._system
        ends = self._ends_the_process(number)
        if system is None or (self._draining and not ends):
            self._pass_on(number, frame)
        elif self._ending:
            return
        elif system.is_telling():
            # This thread holds a lock that others may need before they can stop: it is to
            # finish its tell first.
            again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
        else:
            try:
                self._drain(system, ends=ends)
            finally:
                self._pass_on(number, frame)

    def _drain(self, system: Closable, *, ends: bool) -> None:
        self._draining, self._ending = True, ends
        try:
            if ends:
                system.close(timeout=self._timeout)
            else:
                system.flush(timeout=self._timeout)
        except UncommittedEvents as error:
            # Neither by logging nor by sys.stderr: the interrupted code may be in the midst of it.
            with contextlib.suppress(OSError):
                os.write(2, f"minutebook: {error}\n".encode())
        except MinutebookError:
            pass  # it is closed, or has not got that far: what is journaled is kept
        finally:
            self._draining, self._ending = False, False

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous[number]
        if callable(previous):
            previous(number, frame)
        else:
            signal.signal(number, previous)
            os.kill(os.getpid(), number)

    def _ends_the_process(self, number: int) -> bool:
        previous = self._previous[number]
        owner = getattr(previous, "__self__", None)
        if isinstance(owner, ClosingHandlers):
            return owner._ends_the_process(number)
        return previous is signal.SIG_DFL

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.restore()
