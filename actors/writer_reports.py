"""What the writer's process says to its host: lines of JSON, some of them kept for a moment."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import Any, Final

KEPT_S: Final = 0.05
"""How often commits that nobody is known to wait for are said at most.

What is unsaid when the writer is killed, its successor finds in the ledger, event by event.
"""


class Reports:
    """Says things to the host; any thread.

    Each thing said wakes a thread of the host, which takes the interpreter from whoever tells
    there for 0.1 to 0.3 ms, and a busy writer commits a thousand times a second.

    Args:
        control: to the host.
        kept_events_max: most events whose commit is kept unsaid: the host counts them as waiting.
    """

    def __init__(self, control: socket.socket, *, kept_events_max: int) -> None:
        self._control = control
        self._kept_events_max = kept_events_max
        self._sending = threading.Lock()
        self._kept: list[dict[str, Any]] = []
        self._kept_events = 0
        self._said_at = -KEPT_S

    def say(self, message: dict[str, Any]) -> None:
        """Say something, behind all that is kept."""
        with self._sending:
            self._send(message)

    def keep(self, message: dict[str, Any], events: int) -> None:
        """Say how a batch was committed, with the next `say_kept` that is due.

        Args:
            events: how many events are in it.
        """
        with self._sending:
            if self._kept and "last" in self._kept[-1] and "last" in message:
                message = _joined(self._kept.pop(), message)
            self._kept.append(message)
            self._kept_events += events
            if self._kept_events > self._kept_events_max:
                self._send()

    def say_kept(self, *, at_once: bool) -> None:
        """Say what is kept, if it is due."""
        with self._sending:
            if self._kept and (at_once or time.monotonic() >= self._said_at + KEPT_S):
                self._send()

    def _send(self, *messages: dict[str, Any]) -> None:
        lines = b"".join(
            json.dumps(message).encode() + b"\n" for message in (*self._kept, *messages)
        )
        if self._kept:
            self._said_at = time.monotonic()
        self._kept.clear()
        self._kept_events = 0
        with contextlib.suppress(OSError):
            self._control.sendall(lines)


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Say of two batches, one behind the other, what their messages say, in one."""
    index, _, recorded_at = one["last"]
    before = [*one.get("before", ()), (one["to"], index, recorded_at)]
    return {**other, "first": one["first"], "before": before}
