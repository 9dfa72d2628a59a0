"""The number of acknowledged emits that a killed process leaves."""

import mmap
import os
import signal
from pathlib import Path

from benchmarks.runner import Runner

READS = 100_000


def test_it_is_whole_whenever_it_is_read(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(8))
    child, _ = Runner(tmp_path).start(
        {
            "task": "until_killed",
            "peer": "no-op emit",
            "directory": str(tmp_path / "peer"),
            "counter": str(counter),
            "paced": False,
        }
    )
    try:
        with counter.open("rb") as file:
            shared = memoryview(mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)).cast("Q")
        while shared[0] == 0:
            assert child.poll() is None, child.stderr.read() if child.stderr else None
            os.sched_yield()
        last = 0
        for _ in range(READS):
            now = shared[0]
            assert now >= last
            last = now
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
