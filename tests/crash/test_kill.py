"""SIGKILL in mid-stream: every event with a receipt is in the ledger, and it opens clean."""

import random
import time
from pathlib import Path

import apsw
import pytest

from minutebook.actors import AuditSystem
from tests.contract.trail import WAIT_S, Counted, check_trail, entries_of, start_child


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_every_receipt_survives_a_kill(tmp_path: Path, kills: int) -> None:
    # The same ledger again and again: each start recovers what the last kill left.
    path = tmp_path / "audit.db"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    receipts: set[str] = set()
    for _ in range(kills):
        child = start_child("tests.crash.asking", path, chance.choice([1, 3]))
        assert child.stdout is not None
        first = child.stdout.readline()  # in mid-stream from here on
        time.sleep(chance.uniform(0, 0.3))
        child.kill()
        rest, errors = child.communicate(timeout=WAIT_S)
        assert errors == ""
        lines = first + rest
        receipts |= set(lines[: lines.rindex("\n")].splitlines())

        entries = entries_of(path)
        check_trail(entries)
        assert receipts <= {entry.id for entry in entries}
        database = apsw.Connection(str(path))
        assert database.pragma("quick_check") == "ok"
        database.close()
    assert len(receipts) > kills

    with AuditSystem.open(path) as system:
        index = system.audit.ask(Counted(who="again", number=0)).get(timeout=WAIT_S).log_index
    entries = entries_of(path)
    check_trail(entries)
    assert entries[index].payload["who"] == "again"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_while_the_ledger_is_made_leaves_a_path_that_opens(
    tmp_path: Path, kills: int
) -> None:
    chance = random.Random(kills)
    for number in range(kills):
        path = tmp_path / f"audit-{number}.db"
        child = start_child("tests.crash.asking", path, 1)
        deadline = time.monotonic() + WAIT_S
        while not path.exists():  # the file appears at the beginning of its making
            assert time.monotonic() < deadline
        time.sleep(chance.uniform(0, 0.003))
        child.kill()
        child.communicate(timeout=WAIT_S)
        with AuditSystem.open(path) as system:
            system.audit.tell(Counted(who="again", number=0))
        check_trail(entries_of(path))
