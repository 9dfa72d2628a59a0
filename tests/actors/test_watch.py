"""What happens to the files is noticed, said once, and over when they are back."""

import contextlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.health import Vitals
from minutebook.actors.watch import Watch
from minutebook.domain.errors import AuditUnavailable, LedgerAstray, UncommittedEvents
from tests.contract.trail import WAIT_S, Counted, check_trail, counted, entries_of, wait_until


def is_degraded(system: AuditSystem) -> bool:
    return system.health().status == "degraded"


def test_a_ledger_that_is_gone_is_noticed_while_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Services that are fail-closed refuse; what is told meanwhile is there at the end."""
    path, away = tmp_path / "audit.db", tmp_path / "away.db"
    with AuditSystem.open(path, fail_closed=True) as system:
        system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
        with caplog.at_level(logging.WARNING, "minutebook.audit"):
            path.rename(away)
            wait_until(lambda: is_degraded(system))
            health = system.health()
            assert "put it back" in (health.reason or "")
            assert (health.retries, health.backlog) == (0, 0)
            assert health.degraded_since is not None
            with pytest.raises(AuditUnavailable, match="moved or deleted"):
                system.sessions.create(actor_name="local/x").get(timeout=WAIT_S)
            with pytest.raises(LedgerAstray):
                AuditSystem.open(path)
            assert not path.exists()
            system.audit.tell(Counted(who="x", number=1))
            wait_until(lambda: system.health().retries > 0)
            away.rename(path)
            wait_until(lambda: not is_degraded(system))
        assert system.health().degraded_since is None
        system.sessions.create(actor_name="local/x").get(timeout=WAIT_S)
        system.flush(timeout=WAIT_S)
    # Once when it was noticed, and once when something was told.
    assert sum("trail degraded: " in said for said in caplog.messages) == 1
    assert sum("trail degraded, events are kept" in said for said in caplog.messages) == 1
    entries = entries_of(path)
    check_trail(entries)
    assert [number for _, number in counted(entries)] == [0, 1]


def replaced(path: Path) -> None:
    path.rename(path.with_name("away.db"))
    shutil.copy(path.with_name("away.db"), path)


@pytest.mark.parametrize("happens", [Path.unlink, replaced])
def test_a_ledger_that_is_deleted_or_replaced_is_noticed(
    tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    path = tmp_path / "audit.db"
    system = AuditSystem.open(path)
    happens(path)
    wait_until(lambda: is_degraded(system))
    with contextlib.suppress(UncommittedEvents):
        system.close(timeout=0.1)


def test_a_journal_that_is_gone_is_noticed_and_what_is_told_is_committed(tmp_path: Path) -> None:
    """It would not survive the process, which is said; as long as that lives, it is committed."""
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        journals, away = tmp_path / "audit.db.journal.d", tmp_path / "away"
        journals.rename(away)
        wait_until(lambda: is_degraded(system))
        assert "would not survive" in (system.health().reason or "")
        system.audit.tell(Counted(who="x", number=0))
        system.flush(timeout=WAIT_S)
        away.rename(journals)
        wait_until(lambda: not is_degraded(system))
    entries = entries_of(path)
    check_trail(entries)
    assert counted(entries) == [("x", 0)]


def test_a_removed_log_is_mended_while_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
        wal = tmp_path / "audit.db-wal"
        wal.unlink()
        wait_until(wal.exists)
        wait_until(lambda: any("begun anew" in said for said in caplog.messages))
        copy = shutil.copy(path, tmp_path / "copy.db")
        assert counted(entries_of(copy)) == [("x", 0)]
        assert not is_degraded(system)
    check_trail(entries_of(path))


def test_a_ledger_that_is_written_is_not_looked_at_twice(tmp_path: Path) -> None:
    """Who commits looks itself; an idle one is looked at each time."""
    looks: list[int] = []

    class Looked:
        path = tmp_path / "audit.db"

        def look(self) -> str | None:
            looks.append(vitals.committed)
            return None

        def close(self) -> None: ...

        def shorten_log(self) -> None: ...

    vitals = Vitals("audit.db", "0" * 32)
    watch = Watch(Looked(), Looked, lambda: True, vitals)
    for committed in (1, 2, 2, 2, 9, 9):
        vitals.committed = committed
        watch.look()
    assert looks == [2, 2, 9]
