"""Running gunicorn, and asking it, for the tests."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.contract.trail import ROOT, WAIT_S, wait_until


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WAIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, number: int) -> int | None:
    """Return the pid of the worker that has answered; nothing when none has."""
    connection = Connection(path)
    try:
        connection.request("GET", f"/{number}")
        response = connection.getresponse()
        body = response.read()
        return int(body) if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@contextlib.contextmanager
def gunicorn(
    directory: Path, *options: str, opens: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run it with two workers, until the block ends, then end it by SIGTERM."""
    path = directory / "gunicorn.sock"
    command = [sys.executable, "-m", "gunicorn", "--workers=2", f"--bind=unix:{path}"]
    with (directory / "gunicorn.log").open("w") as log:
        master = subprocess.Popen(
            [*command, *options, "tests.processes.wsgi:app"],
            cwd=ROOT,
            env={
                **os.environ,
                "WSGI_LEDGER": str(directory / "audit.db"),
                "WSGI_OPENS": opens,
                "HOME": str(directory),
            },
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            wait_until(lambda: path.exists() or master.poll() is not None)
            yield master, path
            master.send_signal(signal.SIGTERM)
            assert master.wait(timeout=WAIT_S) == 0
        finally:
            if master.poll() is None:
                master.kill()
                master.wait()


def ask_while_workers_come_and_go(
    master: subprocess.Popen[str], path: Path, count: int
) -> tuple[list[int], set[int]]:
    """Return the numbers that were answered, and by whom."""
    answered: list[int] = []
    pids: set[int] = set()
    for number in range(count):
        pid = ask(path, number)
        if pid is not None:
            answered.append(number)
            pids.add(pid)
        if number == count // 3:
            master.send_signal(signal.SIGHUP)  # new workers; the old ones end in order
        if number == 2 * count // 3 and pid is not None:
            os.kill(pid, signal.SIGTERM)
    return answered, pids
