"""The thread that adopts what others left while this process runs."""

import logging
import random
import threading
from pathlib import Path

import pytest

from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.recovery import Recovered
from minutebook.actors.ledger.segments import Damage
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.recoverer import Recoverer, describe
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import AuditClosed, LedgerUnavailable
from minutebook.domain.event import AuditEvent
from minutebook.domain.trail_events import AuditRecovered
from tests.contract.trail import WAIT_S, check_trail, counted, entries_of, start_child, wait_until

INTERVAL_S = 0.02


def test_children_that_are_killed_are_adopted_while_the_parent_runs(
    tmp_path: Path, encoder: Encoder
) -> None:
    """Each time within the interval, each event once, and one audit.recovered for each."""
    path, directory = tmp_path / "audit.db", tmp_path / "audit.db.journal.d"
    directory.mkdir()
    told: list[AuditEvent] = []
    recoverers = [
        Recoverer(
            directory,
            lambda: SqliteLedger(path, encoder),
            encoder,
            told.append,
            source="app/audit",
            interval_s=INTERVAL_S,
        )
        for _ in range(2)
    ]
    for recoverer in recoverers:
        recoverer.start()
    chance = random.Random(1)
    returned: dict[str, int] = {}
    for place in range(4):
        child = start_child("tests.processes.journaling", directory, "tell", 1, "only")
        assert child.stdout is not None
        with child:
            producer = child.stdout.readline().strip()
            said = [child.stdout.readline() for _ in range(1 + chance.randrange(2000))]
            assert len(told) == place
            child.kill()
            # Not communicate(), which forgets what readline() has read ahead.
            returned[producer] = len(said) + child.stdout.read().count("\n")
        wait_until(lambda: len(told) > place)  # noqa: B023 - used at once
    for recoverer in recoverers:
        recoverer.stop()
    entries = entries_of(path)
    check_trail(entries)
    events = [event for event in told if isinstance(event, AuditRecovered)]
    assert [event.from_producer for event in events] == list(returned)
    for event in events:
        numbers = [n for _, n in counted([e for e in entries if e.producer == event.from_producer])]
        assert numbers == list(range(event.found))
        assert event.found == event.committed
        assert 0 <= event.found - returned[event.from_producer] <= 1
        # One that a kill tore had not been told, and so is not among those that returned.
        assert (event.outcome, event.unreadable) == ("success", 0)
        assert event.kept_aside == ()


@pytest.mark.parametrize(
    "error",
    [LedgerUnavailable("busy; wait."), OSError(5, "broken"), ValueError("a bug"), AuditClosed("x")],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_is_logged_and_tried_again(
    tmp_path: Path, encoder: Encoder, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Nothing ends the thread: the next look succeeds."""
    child = start_child("tests.processes.journaling", tmp_path / "j", "hold")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.kill()
    child.communicate(timeout=WAIT_S)
    ledger = MemoryLedger(encoder)
    tries = 0
    told = threading.Event()

    def open_ledger() -> Ledger:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise error
        return ledger

    recoverer = Recoverer(
        tmp_path / "j",
        open_ledger,
        encoder,
        lambda _: told.set(),
        source="app/audit",
        interval_s=INTERVAL_S,
    )
    with caplog.at_level(logging.WARNING, "minutebook.audit"):
        recoverer.start()
        assert told.wait(WAIT_S)
        recoverer.stop()
    assert sum("could not be recovered" in line for line in caplog.messages) == 2
    assert [number for _, number in counted(ledger.entries)] == [0]


def test_the_ledger_is_opened_only_for_something_to_recover(
    tmp_path: Path, encoder: Encoder
) -> None:
    """A live owner's journal is nothing, however often it is looked at."""
    child = start_child("tests.processes.journaling", tmp_path / "j", "hold")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    opened = threading.Event()

    def open_ledger() -> Ledger:
        opened.set()
        return MemoryLedger(encoder)

    recoverer = Recoverer(
        tmp_path / "j", open_ledger, encoder, lambda _: None, source="s", interval_s=0.001
    )
    recoverer.start()
    assert not opened.wait(0.3)
    child.kill()
    child.communicate(timeout=WAIT_S)
    assert opened.wait(WAIT_S)
    recoverer.stop()


def test_what_is_told_of_a_recovery() -> None:
    """Counts, whether an end was torn, and what was kept aside."""
    found = Recovered("0a" * 16, 10, 7, [Damage(3, 2, 900), Damage(9, 0, 4000)], ["a.damaged"])
    event = describe(found, "app/audit")
    assert (event.source, event.outcome, event.severity) == ("app/audit", "failure", "warning")
    assert (event.found, event.committed, event.unreadable, event.torn) == (10, 7, 2, True)
    assert event.kept_aside == ("a.damaged",)
    header = describe(Recovered("0a" * 16, 1, 1, [Damage(0, 0, 0)], ["a.damaged"]), "app/audit")
    assert (header.outcome, header.unreadable, header.torn) == ("failure", 0, False)
