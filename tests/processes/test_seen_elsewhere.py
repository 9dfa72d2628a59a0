"""An ask is answered only when everybody can see the entry."""

from pathlib import Path

from minutebook.actors import AuditSystem
from tests.contract.trail import WAIT_S, Counted, check_trail, entries_of, start_child


def test_each_row_is_readable_from_another_process_when_its_future_resolves(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.flush(timeout=WAIT_S)
        reader = start_child("tests.processes.confirming", path)
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for number in range(1000):
            event = Counted(who="x", number=number)
            receipt = system.audit.ask(event).get(timeout=WAIT_S)
            reader.stdin.write(f"{receipt.log_index}\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == f"{event.id}\n"
        reader.communicate(timeout=WAIT_S)
    check_trail(entries_of(path))
