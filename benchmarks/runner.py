"""Runs peers, each in a process of its own, in turns, and shows how far it is."""

import contextlib
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 180.0
"""A peer that takes longer has failed."""

Result = dict[str, Any]


@dataclass
class Runner:
    """Starts the children of one run.

    A peer that cannot run is left out by name: `skipped` when its library is missing, `failed`
    when it broke.
    """

    directory: Path
    total: int = 0
    """Steps that there will be, for the progress."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Peer to reason."""
    failed: dict[str, str] = field(default_factory=dict)
    """Peer to what it said last."""
    _done: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _runs: int = 0

    def expect(self, steps: int) -> None:
        """Tell how many more steps there will be."""
        self.total += steps

    def step(self, what: str) -> None:
        """Show what is done now."""
        self._done += 1
        passed_s = time.monotonic() - self._begun
        line = f"[{self._done}/{self.total}] {passed_s:4.0f} s  {what}"
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def done(self) -> None:
        """End the line of the progress, and name who was left out."""
        if sys.stderr.isatty():
            print(file=sys.stderr)
        for name, reason in (self.skipped | self.failed).items():
            word = "skipped" if name in self.skipped else "FAILED"
            print(f"{word}: {name}: {reason}", file=sys.stderr)

    def is_out(self, peer: str) -> bool:
        """Tell whether a peer was left out before."""
        return peer in self.skipped or peer in self.failed

    @contextlib.contextmanager
    def place(self) -> Iterator[Path]:
        """Make a directory for one run of a peer, and remove it."""
        with tempfile.TemporaryDirectory(
            dir=self.directory, prefix="run-", ignore_cleanup_errors=True
        ) as place:
            yield Path(place)

    def start(self, task: Result) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a child; its result will be in the file."""
        self._runs += 1
        result = self.directory / f"result-{self._runs}.json"
        command = [sys.executable, "-m", "benchmarks.child", json.dumps(task), str(result)]
        child = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return child, result

    def finish(self, task: Result, child: subprocess.Popen[bytes], file: Path) -> Result | None:
        """Wait for a child; None when its peer is left out from here on."""
        try:
            _, said = child.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            self.failed[task["peer"]] = f"{task['task']} took more than {TIMEOUT_S:.0f} s"
            return None
        if not file.exists():
            lines = said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            self.failed[task["peer"]] = f"{task['task']}: {lines[-1]:.300}"
            return None
        result: Result = json.loads(file.read_text(encoding="utf-8"))
        file.unlink()
        if "skipped" in result:
            self.skipped[task["peer"]] = result["skipped"]
            return None
        return result

    def run(self, **task: Any) -> Result | None:
        """Run a task of a peer in a new directory; None when the peer is left out."""
        if self.is_out(task["peer"]):
            return None
        with self.place() as place:
            task = {"directory": str(place), **task}
            return self.finish(task, *self.start(task))

    def kill(self, seconds: float, **task: Any) -> int | None:
        """Let a peer emit for so long, kill it, and return how many emits had returned.

        The task's ``directory`` and ``counter`` are the caller's.
        """
        counter = Path(task["counter"])
        counter.write_bytes(bytes(8))
        child, file = self.start({"task": "until_killed", **task})
        deadline = time.monotonic() + TIMEOUT_S
        while child.poll() is None and _read(counter) == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        if child.poll() is None:
            time.sleep(seconds)
            child.send_signal(signal.SIGKILL)
        if child.wait() != -signal.SIGKILL:
            self.finish({"task": "until_killed", **task}, child, file)
            return None
        assert child.stderr is not None
        child.stderr.close()
        return _read(counter)


def _read(counter: Path) -> int:
    (value,) = struct.unpack("=Q", counter.read_bytes())
    return int(value)
