"""The host's side of a writer in a process of its own: start it, hear it, replace it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from minutebook.actors.ledger.flag import Flag
from minutebook.domain.errors import AuditUnavailable

logger = logging.getLogger("minutebook.audit")

START_TIMEOUT_S: Final = 30.0
"""How long the first process may take until it has opened the ledger."""

RESTART_DELAY_S_MIN: Final = 0.05
"""Wait before a process that ended is replaced; it doubles as long as they end at once."""

RESTART_DELAY_S_MAX: Final = 5.0
"""Longest wait."""

LIVED_S: Final = 10.0
"""A process that lived for so long did not end at once."""

_living: weakref.WeakSet[WriterProcess] = weakref.WeakSet()


def _leave_in_child() -> None:
    for process in _living:
        process.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_in_child)


class WriterProcess:
    """Keeps one writer alive, and hands on what it says.

    Args:
        describe: what the writer is to know, asked for at each start; JSON.
        hear: called for each message, on a thread of this object.
        ended: called with the exit code when a writer ended that was not to.
    """

    def __init__(
        self,
        describe: Callable[[], dict[str, Any]],
        hear: Callable[[dict[str, Any]], None],
        ended: Callable[[int], None],
    ) -> None:
        self._describe = describe
        self._hear = hear
        self._ended = ended
        self._sending = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._opened = Flag()
        self._failed: str | None = None
        self._stopped = Flag()
        self._thread = threading.Thread(target=self._run, name="minutebook-writer", daemon=True)
        _living.add(self)

    @property
    def pid(self) -> int | None:
        """Of the present writer."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, and wait until it has opened the ledger.

        Raises:
            AuditUnavailable: it could not.
        """
        self._thread.start()
        if self._opened.wait(START_TIMEOUT_S) and self._failed is None:
            return
        self.stop(0.0)
        why = self._failed or f"it has not opened the ledger within {START_TIMEOUT_S} s"
        msg = (
            f"the writer's process did not start: {why} Correct that, or open the system with"
            ' writer="thread".'
        )
        raise AuditUnavailable(msg)

    def send(self, command: bytes) -> None:
        """Send a command; one that ends gets it in vain, and its successor needs none."""
        with self._sending:
            control = self._control
            if control is not None:
                with contextlib.suppress(OSError):
                    control.sendall(command)

    def stop(self, timeout_s: float) -> None:
        """Wait for it to end, kill it if it does not, and replace it no more."""
        self._stopped.set()
        process = self._process
        if process is not None:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join(1.0)
        self._close()

    def leave(self) -> None:
        """Let go of it in a forked child: else the writer would not notice this host's end."""
        self._sending = threading.Lock()
        self._close()

    def _close(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            control.close()

    def _run(self) -> None:
        delay_s = RESTART_DELAY_S_MIN
        while not self._stopped.is_set():
            code = self._live_once()
            if self._stopped.is_set():
                return
            if not self._opened.is_set():
                self._failed = f"it ended with exit code {code}."
                self._opened.set()
                return
            self._ended(code)
            if time.monotonic() - self._started_at > LIVED_S:
                delay_s = RESTART_DELAY_S_MIN
            self._stopped.wait(delay_s)
            delay_s = min(2 * delay_s, RESTART_DELAY_S_MAX)

    def _live_once(self) -> int:
        """Start a writer and hear it until it ends; returns its exit code."""
        ours, theirs = socket.socketpair()
        self._started_at = time.monotonic()
        try:
            # By its path, with -P, so that no module of the working directory shadows one of
            # the standard library; in a session of its own, for Ctrl-C is the host's business.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    str(Path(__file__).with_name("writer_child.py")),
                    str(theirs.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        # No executable's name: an interpreter that is embedded in another program.
        except (OSError, TypeError) as error:
            ours.close()
            self._failed = f"{error}."
            self._opened.set()
            return -1
        finally:
            theirs.close()
        description = self._describe() | {
            "host_pid": os.getpid(),
            "sys_path": [os.path.abspath(entry) for entry in sys.path],
        }
        with self._sending:
            # Before anybody else can send something.
            with contextlib.suppress(OSError):
                ours.sendall(json.dumps(description).encode() + b"\n")
            self._control = ours
        if self._stopped.is_set():
            # Who stops us has waited for the one before.
            self._process.kill()
        self._listen(ours)
        with self._sending:
            self._close()
        return self._process.wait()

    def _listen(self, control: socket.socket) -> None:
        # A writer that was killed in the middle of a line has said nothing by it.
        with contextlib.suppress(OSError, ValueError), control.makefile("rb") as lines:
            for line in lines:
                message = _parsed(line)
                if "trouble" in message and not self._opened.is_set():
                    self._failed = message["trouble"]
                    self._opened.set()
                try:
                    self._hear(message)
                except Exception:
                    logger.exception("what the writer's process said could not be taken")


def _parsed(line: bytes) -> dict[str, Any]:
    message: dict[str, Any]
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        # The path in a message may hold what is not Unicode.
        message = json.loads(line)
    return message
