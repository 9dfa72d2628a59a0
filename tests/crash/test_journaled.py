"""SIGKILL at a random moment: nothing is missing whose tell had returned."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.domain.entry import Entry
from tests.contract.trail import WAIT_S, entries_of

CHILD = Path(__file__).with_name("telling.py")

RUNS = [
    pytest.param(2, id="sample"),
    pytest.param(50, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
]


def kill_in_mid_stream(
    directory: Path, *, threads: int, per_second: int, delivery: str, after_s: float
) -> list[int]:
    """Return, for each thread, the number of its last tell that returned."""
    notes = directory / "notes"
    notes.write_bytes(bytes(8 * threads))
    arguments = [directory / "audit.db", notes, threads, per_second, delivery]
    child = subprocess.Popen(
        [sys.executable, str(CHILD), *map(str, arguments)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"telling\n"
    time.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=WAIT_S) == -signal.SIGKILL
    child.stdout.close()
    noted = notes.read_bytes()
    return [int.from_bytes(noted[8 * who : 8 * who + 8], "little") for who in range(threads)]


def numbers_by_thread(entries: list[Entry]) -> dict[int, list[int]]:
    numbers: dict[int, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.type == "crash_test.numbered":
            numbers[entry.payload["who"]].append(entry.payload["number"])
    return numbers


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("per_second", [0, 2000], ids=["closed-loop", "paced"])
def test_nothing_told_is_missing_doubled_or_out_of_order(
    tmp_path: Path, runs: int, threads: int, per_second: int
) -> None:
    """After the next open each acknowledged event is there once, in order, without a hole."""
    for run in range(runs):
        directory = tmp_path / str(run)
        directory.mkdir()
        told = kill_in_mid_stream(
            directory,
            threads=threads,
            per_second=per_second,
            delivery="journaled",
            after_s=random.uniform(0.01, 0.5),
        )
        with AuditSystem.open(directory / "audit.db"):
            pass
        entries = entries_of(directory / "audit.db")
        assert [entry.log_index for entry in entries] == list(range(len(entries)))
        stored = numbers_by_thread(entries)
        for who, last in enumerate(told):
            # One more may have been journaled without its tell having returned.
            assert stored[who] in (list(range(1, last + 1)), list(range(1, last + 2)))
        numbers: dict[str, list[int]] = defaultdict(list)
        for entry in entries:
            numbers[entry.producer].append(entry.producer_seq)
        assert len(numbers) == 2
        for seqs in numbers.values():
            assert seqs == list(range(len(seqs)))
        journals = directory / "audit.db.journal.d"
        assert [*journals.glob("*.owner"), *journals.glob("*.journal*")] == []


def test_the_harness_sees_what_buffered_events_lose(tmp_path: Path) -> None:
    """The same kill does lose events that were only buffered."""
    lost = 0
    for run in range(3):
        directory = tmp_path / str(run)
        directory.mkdir()
        told = kill_in_mid_stream(
            directory, threads=1, per_second=0, delivery="buffered", after_s=0.3
        )
        with AuditSystem.open(directory / "audit.db"):
            pass
        lost += told[0] - len(numbers_by_thread(entries_of(directory / "audit.db"))[0])
    assert lost > 100
