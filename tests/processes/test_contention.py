"""Eight writers, one killed and replaced again and again: nothing is lost, nobody is starved."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain.entry import Entry
from tests.contract.trail import WAIT_S, check_trail, entries_of, wait_until

CHILD = Path(__file__).with_name("contending.py")


class Writer:
    """One process, and what it has noted."""

    def __init__(self, directory: Path, name: str, share: int, burst: int) -> None:
        self.name, self.share = name, share
        self._notes = directory / f"notes {name}"
        self._notes.write_bytes(bytes(16))
        arguments = [directory / "audit.db", self._notes, name, share, burst]
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def told(self) -> int:
        return int.from_bytes(self._notes.read_bytes()[:8], "little")

    @property
    def has_begun(self) -> bool:
        return self.committed > 0 or self.told == self.share

    @property
    def committed(self) -> int:
        return int.from_bytes(self._notes.read_bytes()[8:], "little")

    def wait_until_open(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"open\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def end(self, *, kill: bool = False) -> int:
        """Return the exit code."""
        if kill:
            self.process.kill()
        code = self.process.wait(timeout=WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return code


class Contest:
    """Runs the writers, kills and replaces, and measures how evenly they come to their turns."""

    def __init__(self, directory: Path, writers: int, share: int, burst: int) -> None:
        self._directory, self._burst = directory, burst
        self.present = [Writer(directory, f"{slot}.0", share, burst) for slot in range(writers)]
        self.killed: list[Writer] = []
        self.windows: list[list[int]] = []
        """What each writer has committed in each stretch in which all were busy."""
        for writer in self.present:
            writer.wait_until_open()
        for writer in self.present:
            writer.go()

    def run(self, window_s: float) -> None:
        while True:
            wait_until(lambda: all(writer.has_begun for writer in self.present))
            before = [writer.committed for writer in self.present]
            time.sleep(window_s)
            after = [writer.committed for writer in self.present]
            if any(writer.told == writer.share for writer in self.present):
                break
            self.windows.append([b - a for a, b in zip(before, after, strict=True)])
            self._kill_and_replace(len(self.killed) % len(self.present))
        for writer in self.present:
            assert writer.end() == 0

    def _kill_and_replace(self, slot: int) -> None:
        writer = self.present[slot]
        if writer.end(kill=True) != -signal.SIGKILL or writer.told == writer.share:
            return  # it had told all
        self.killed.append(writer)
        name, share = f"{slot}.{len(self.killed)}", writer.share - writer.told
        self.present[slot] = Writer(self._directory, name, share, self._burst)
        self.present[slot].go()

    def ratio_within_windows(self) -> float:
        """Slowest to fastest within a window; the median of all windows."""
        ratios: list[float] = [min(counts) / max(counts) for counts in self.windows]
        return statistics.median(ratios)

    def ratio_of_run(self) -> float:
        """Slowest to fastest in all windows together."""
        totals = [sum(counts) for counts in zip(*self.windows, strict=True)]
        return float(min(totals) / max(totals))


def numbers_by_writer(entries: list[Entry]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.type == "test.contended":
            numbers[entry.payload["who"]].append(entry.payload["number"])
    return numbers


@pytest.mark.parametrize(
    ("writers", "share", "window_s", "ratio"),
    [
        pytest.param(4, 2_000, 0.2, 0.5, id="sample"),
        # With what a replacement takes to start, about one kill a second.
        pytest.param(
            8, 10_000, 0.5, 0.7, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(600)]
        ),
    ],
)
def test_killed_and_replaced_writers_lose_nothing_and_starve_nobody(
    tmp_path: Path, writers: int, share: int, window_s: float, ratio: float
) -> None:
    """Each told event is there exactly once, and all writers come to their turns alike."""
    contest = Contest(tmp_path, writers, share, burst=4)
    contest.run(window_s)
    with AuditSystem.open(tmp_path / "audit.db"):
        pass

    entries = entries_of(tmp_path / "audit.db")
    check_trail(entries)
    stored = numbers_by_writer(entries)
    for writer in contest.present:
        assert stored[writer.name] == list(range(1, writer.share + 1))
    for writer in contest.killed:
        # One more may have been journaled without its tell having returned.
        assert stored[writer.name] in (
            list(range(1, writer.told + 1)),
            list(range(1, writer.told + 2)),
        )
    assert contest.killed
    assert sum(map(len, stored.values())) >= writers * share
    journals = tmp_path / "audit.db.journal.d"
    assert [*journals.glob("*.owner"), *journals.glob("*.journal*")] == []
    within, overall = contest.ratio_within_windows(), contest.ratio_of_run()
    print(f"{len(contest.killed)} kills; slowest/fastest: {within:.2f} within a window,", end="")
    print(f" {overall:.2f} in all")
    assert within >= ratio
    assert overall >= ratio
