"""A host that forgets to close: its process ends, and what it told is in the ledger."""

from pathlib import Path

import pytest

from minutebook.actors import AuditSystem, open_systems
from tests.contract.trail import WAIT_S, Counted, check_trail, counted, entries_of, run_child


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("end", 0),
        ("sys.exit", 3),
        ("exception", 1),
        ("let go", 0),
        ("teller only", 0),
        ("thread", 0),
        ("service", 0),
        ("forked", 0),
    ],
)
def test_all_that_was_told_is_committed_at_exit(tmp_path: Path, how: str, code: int) -> None:
    path = tmp_path / "audit.db"
    child = run_child("tests.crash.forgetful", path, how)
    assert child.returncode == code, child.stderr
    assert "minutebook: " not in child.stderr
    if how == "forked":
        assert child.stdout == "7\n"
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", number) for number in range(1000)]
    assert [entries[0].type, entries[-1].type] == ["audit.opened", "audit.closed"]


def test_a_system_that_the_host_let_go_of_keeps_what_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"

    def open_and_tell() -> None:
        system = AuditSystem.open(path)
        for number in range(100):
            system.audit.tell(Counted(who="x", number=number))

    open_and_tell()
    with AuditSystem.open(path) as other:
        other.audit.ask(Counted(who="other", number=0)).get(timeout=WAIT_S)
    for forgotten in list(open_systems._open.values()):
        forgotten.close_at_exit()
    check_trail(entries_of(path))
    assert sum(who == "x" for who, _ in counted(entries_of(path))) == 100
