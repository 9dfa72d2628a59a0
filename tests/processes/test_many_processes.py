"""Several processes on one ledger file: from its making on, each event once, in one order."""

from collections import defaultdict
from pathlib import Path

import pytest

from tests.contract.trail import WAIT_S, check_trail, counted, entries_of, start_child


@pytest.mark.parametrize("size", [1, 16])
def test_processes_that_make_and_write_one_file_interleave(tmp_path: Path, size: int) -> None:
    path, batches = tmp_path / "audit.db", 40
    names = ["0a", "0b", "0c", "0d"]
    children = {
        name: start_child("tests.processes.writing", path, name, batches, size) for name in names
    }
    for child in children.values():
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children.values():
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    printed: dict[str, list[int]] = {}
    for name, child in children.items():
        out, err = child.communicate(timeout=WAIT_S)
        assert (child.returncode, err) == (0, "")
        printed[name] = list(map(int, out.split()))

    entries = entries_of(path)
    check_trail(entries)
    numbers: dict[str, list[int]] = defaultdict(list)
    for who, number in counted(entries):
        numbers[who].append(number)
    for name in names:
        assert numbers[name] == list(range(batches * size))
        assert printed[name] == [
            entry.log_index for entry in entries if entry.producer == name * 16
        ]


def test_many_processes_that_open_a_new_file_at_once_all_get_a_ledger(tmp_path: Path) -> None:
    for number in range(3):
        path = tmp_path / f"audit-{number}.db"
        children = [
            start_child("tests.processes.writing", path, f"{name:02x}", 1, 1) for name in range(6)
        ]
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            _, err = child.communicate(timeout=WAIT_S)
            assert (child.returncode, err) == (0, "")
        check_trail(entries_of(path))
        assert len(entries_of(path)) == 6
