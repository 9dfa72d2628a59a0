"""The process in which a plan's work runs: ``python -m minutebook.actors.work.child``.

It reads one line of JSON from standard input, then forks. The forked half, the *worker*,
does the work. This half, the *supervisor*, runs none of the user's code: it waits until the
worker ends, or the host closes standard input or dies, and then kills everything that the
work has started, processes that left the group included (where the kernel has subreapers).
So nothing runs on, not even after ``kill -9`` of the host or inside a C extension.

Until the host's `sys.path` is known only the standard library can be imported here.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

ERROR_CHARS_MAX = 4000
REPORT_BYTES_MAX = 60_000
"""Below what the host takes for a line of ours."""

HOST_POLL_S = 0.5
"""How soon the host's death is noticed when another process holds the pipe open."""

KILL_S_MAX = 2.0
"""How long descendants that do not die (in uninterruptible sleep) are waited for."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the work that standard input describes; returns in the worker only."""
    line = _read_line(0)
    if not line.endswith(b"\n"):
        return 1  # the host died first
    spec: dict[str, Any] = json.loads(line)
    sys.path[:] = spec["sys_path"]
    os.set_inheritable(spec["progress_fd"], False)
    if os.getpgrp() != os.getpid():
        os.setsid()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # A host may ignore or block signals, which a child inherits. SIGTERM is held back until
    # each half has its own answer to it.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGTERM})
    supervisor = os.getpid()
    worker = os.fork()
    if worker:
        _supervise(worker, spec["progress_fd"], spec["host_pid"])
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        return 1
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return _work(spec)


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        line += chunk
    return line


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


# -- the worker ---------------------------------------------------------------


def _work(spec: dict[str, Any]) -> int:
    report = _reporter(spec["progress_fd"])
    argv = spec["work"]["argv"]
    if argv:
        _execute(argv, report)
    # A list, not an Event: its lock is not reentrant, and a second SIGTERM within the first
    # would wait for itself.
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    try:
        from minutebook.actors.work.worker import run_callable

        run_callable(spec, report, lambda: bool(stopping))
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        report({"error": str(error.code)[:ERROR_CHARS_MAX]})
        return 1
    except BaseException as error:  # noqa: BLE001 - whatever ends the work is its result
        traceback.print_exc()
        said = "".join(traceback.format_exception_only(error)).strip()
        report({"error": said[:ERROR_CHARS_MAX]})
        return 1
    finally:
        # A SIGTERM that comes when the work is done must not make it look cut off: the
        # interpreter takes our handler away before the process ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return 0


def _reporter(descriptor: int) -> Callable[[dict[str, Any]], None]:
    lock = threading.Lock()

    def report(message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        if len(data) > REPORT_BYTES_MAX:
            raise ValueError(f"{len(data)} bytes are too many to be recorded; say it shorter.")
        with lock:
            while data:
                data = data[os.write(descriptor, data) :]

    return report


def _execute(argv: list[str], report: Callable[[dict[str, Any]], None]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGTERM):  # Python ignores the first
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        report({"error": f"{argv[0]!r} could not be started: {error.strerror}"})
        os._exit(127)


# -- the supervisor -----------------------------------------------------------


def _supervise(worker: int, progress_fd: int, host_pid: int) -> NoReturn:
    wake_in, wake_out = os.pipe()
    os.set_blocking(wake_out, False)
    os.set_blocking(wake_in, False)
    signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    status = _reap(worker)
    while status is None:
        ready, _, _ = select.select([0, wake_in], [], [], HOST_POLL_S)
        if wake_in in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_in, 4096)
        if (0 in ready and not os.read(0, 4096)) or os.getppid() != host_pid:
            break
        status = _reap(worker)
    killed = _kill_descendants(worker)
    status = killed if status is None else status
    # Into a full pipe with no reader this would wait: the host kills us then, or is dead.
    with contextlib.suppress(OSError):
        os.write(progress_fd, json.dumps({"ended": status}).encode() + b"\n")
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _reap(worker: int) -> int | None:
    """Collect every dead child, orphans of the work too; the worker's exit code if it ended."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == worker:
                code = os.waitstatus_to_exitcode(status)
    return code


def _kill_descendants(worker: int) -> int | None:
    code = None
    deadline = time.monotonic() + KILL_S_MAX
    while time.monotonic() < deadline:
        living = _descendants()
        if not living:
            break
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
        ended = _reap(worker)
        code = ended if ended is not None else code
    return code


def _descendants() -> list[int]:
    """Pids of all that descend from this process; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    try:
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                # The name in brackets may hold anything; the parent is the second after it.
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    pending = [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


if __name__ == "__main__":
    sys.exit(main())
