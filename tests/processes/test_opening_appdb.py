"""The app database of a new ledger, which several processes make at once."""

from pathlib import Path

from tests.contract.trail import WAIT_S, start_child


def test_all_who_open_a_new_one_at_once_get_it(tmp_path: Path) -> None:
    """SQLite says "busy" at once to who switches a new file to WAL beside another."""
    children = [start_child("tests.processes.opening_appdb", tmp_path) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for number in range(100):
        for child in children:
            assert child.stdin is not None
            child.stdin.write(f"{number}.db\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "0\n"
    for child in children:
        assert child.communicate(timeout=WAIT_S) == ("", "")
