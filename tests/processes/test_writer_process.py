"""A writer in a process of its own: what it commits, and what becomes of it and its host."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from minutebook.actors import AuditSystem, writer_process
from minutebook.actors.writer import WAKE
from minutebook.domain import AuditEvent, bind
from minutebook.domain.errors import (
    AuditClosed,
    AuditUnavailable,
    DuplicateEvent,
    UncommittedEvents,
)
from tests.contract.trail import (
    WAIT_S,
    Counted,
    check_trail,
    counted,
    entries_of,
    wait_until,
)


class Loose(AuditEvent, type="writer_test.loose"):
    """May hold what cannot be stored."""

    what: Any


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def system(path: Path) -> Iterator[AuditSystem]:
    with AuditSystem.open(path, writer="process") as opened:
        yield opened


def writer_of(system: AuditSystem) -> int:
    pid = system.health().writer_pid
    assert pid is not None
    return pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for is dead all the same.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def has_entries(path: Path, count: int) -> bool:
    return len(counted(entries_of(path))) == count


def has_ended(pid: int) -> bool:
    return not is_alive(pid)


def is_longer(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size > size


@pytest.mark.parametrize("batch_max", [2, 512])
def test_receipts_are_those_of_the_ledger(path: Path, batch_max: int) -> None:
    """Index, hash and time; the entry can be read when the future resolves."""
    with AuditSystem.open(path, writer="process", batch_max=batch_max) as system:
        assert writer_of(system) != os.getpid()
        futures = [system.audit.ask(Counted(who="a", number=number)) for number in range(300)]
        receipts = [future.get(timeout=WAIT_S) for future in futures]
    by_index = {entry.log_index: entry for entry in entries_of(path)}
    for number, receipt in enumerate(receipts):
        entry = by_index[receipt.log_index]
        assert entry.payload["number"] == number
        assert (entry.leaf_hash, entry.recorded_at) == (receipt.leaf_hash, receipt.recorded_at)


def test_all_classes_share_one_sequence(system: AuditSystem, path: Path) -> None:
    """Buffered events are numbered in the journal, too; order is kept, and identity."""
    with bind(identity="alice"):
        for number in range(30):
            system.audit.tell(
                Counted(who="a", number=number), ("buffered", "journaled", "committed")[number % 3]
            )
    system.flush(timeout=WAIT_S)
    entries = [entry for entry in entries_of(path) if entry.type == Counted.type]
    assert {entry.producer for entry in entries} == {system.producer}
    assert {entry.user_identity for entry in entries} == {"alice"}
    assert sorted(entry.payload["number"] for entry in entries) == list(range(30))
    kept = [entry.payload["number"] for entry in entries if entry.payload["number"] % 3]
    assert kept == sorted(kept)
    system.close()
    check_trail(entries_of(path))
    assert entries_of(path)[-1].type == "audit.closed"


def test_one_told_to_a_sleeping_writer_is_committed_by_itself(
    system: AuditSystem, path: Path
) -> None:
    """Nobody flushes, nobody asks."""
    for number in range(3):
        assert system._journal is not None
        wait_until(partial(getattr, system._journal, "waiting"))
        system.audit.tell(Counted(who="a", number=number))
        wait_until(partial(has_entries, path, number + 1))


def test_refusals_come_back(system: AuditSystem, path: Path) -> None:
    """Each as it would from a thread, and none holds up another one."""
    event = Counted(who="a", number=0)
    first = system.audit.ask(event).get(timeout=WAIT_S)
    assert system.audit.ask(event).get(timeout=WAIT_S) == first
    other = Counted(who="b", number=1, id=event.id)
    with pytest.raises(DuplicateEvent):
        system.audit.ask(other).get(timeout=WAIT_S)
    system.audit.tell(Loose(what=2**70), "buffered")
    system.audit.ask(Counted(who="a", number=2)).get(timeout=WAIT_S)
    assert system.health().rejected == 2
    system.close()
    entries = entries_of(path)
    check_trail(entries)
    gaps = [entry.payload["cause"] for entry in entries if entry.type == "audit.gap"]
    assert gaps == ["repeated", "duplicate_id", "unstorable"]


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_a_writer_that_is_killed_is_replaced_and_nothing_is_lost(
    path: Path, kills: int, caplog: pytest.LogCaptureFixture
) -> None:
    """At random moments, while two threads tell and one asks."""
    counts = {"a": 0, "b": 0, "asking": 0}
    done = threading.Event()
    with AuditSystem.open(path, writer="process", block_timeout=WAIT_S) as system:

        def tell(who: str) -> None:
            while not done.is_set():
                event = Counted(who=who, number=counts[who])
                if who == "asking":
                    system.audit.ask(event).get(timeout=WAIT_S)
                else:
                    system.audit.tell(event)
                    # No more than writers can commit that live for a tenth of a second, five
                    # seconds apart; else who asks has to wait for longer and longer.
                    time.sleep(0.005)
                counts[who] += 1

        threads = [threading.Thread(target=tell, args=(who,)) for who in counts]
        for thread in threads:
            thread.start()
        killed: set[int] = set()
        for _ in range(kills):
            wait_until(lambda: system.health().writer_pid not in {None, *killed})
            time.sleep(random.uniform(0.0, 0.2))
            pid = writer_of(system)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        wait_until(lambda: system.health().writer_pid not in {None, *killed})
        done.set()
        for thread in threads:
            thread.join(WAIT_S)
        system.flush(timeout=WAIT_S)
        assert system.health().status == "ok"
    assert "writer's process ended" in caplog.text
    entries = entries_of(path)
    check_trail(entries)
    for who, count in counts.items():
        assert [number for teller, number in counted(entries) if teller == who] == list(
            range(count)
        )


HOST = """
import sys, threading
from pathlib import Path
from minutebook.actors import AuditSystem
from tests.contract.trail import Counted

system = AuditSystem.open(sys.argv[1], writer="process")
print(system.health().writer_pid, flush=True)
number = 0
with open(sys.argv[2], "ab", buffering=0) as notes:
    while True:
        system.audit.tell(Counted(who="host", number=number))
        notes.write(b"%d\\n" % number)
        number += 1
"""


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_a_host_that_is_killed_takes_its_writer_along(tmp_path: Path, kills: int) -> None:
    """What it had told is committed by whoever opens the ledger next."""
    root = str(Path(__file__).parents[2])
    for turn in range(kills):
        path, notes = tmp_path / f"{turn}.db", tmp_path / f"{turn}.notes"
        host = subprocess.Popen(
            [sys.executable, "-c", HOST, str(path), str(notes)],
            stdout=subprocess.PIPE,
            cwd=root,
        )
        assert host.stdout is not None
        writer = int(host.stdout.readline())
        wait_until(partial(is_longer, notes, 100))
        time.sleep(random.uniform(0.0, 0.3))
        host.kill()
        host.communicate(timeout=WAIT_S)
        wait_until(partial(has_ended, writer))
        told = len(notes.read_bytes().splitlines())
        with AuditSystem.open(path):
            pass
        entries = entries_of(path)
        check_trail(entries)
        numbers = [number for _, number in counted(entries)]
        assert numbers in (list(range(told)), list(range(told + 1)))


def test_another_ones_transaction_delays_and_loses_nothing(path: Path) -> None:
    """The writer's trouble is the system's, and its end, too."""
    with AuditSystem.open(path, writer="process", busy_timeout=0.05, fail_closed=True) as system:
        system.audit.ask(Counted(who="a", number=0)).get(timeout=WAIT_S)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        for number in range(1, 50):
            system.audit.tell(Counted(who="a", number=number))
        wait_until(lambda: system.health().status == "degraded")
        assert "write lock" in (system.health().reason or "")
        with pytest.raises(AuditUnavailable):
            system.sessions.create(actor_name="x")
        other.execute("ROLLBACK")
        other.close()
        system.flush(timeout=WAIT_S)
        assert system.health().status == "ok"
    check_trail(entries_of(path))
    assert counted(entries_of(path)) == [("a", number) for number in range(50)]


def test_a_ledger_that_cannot_be_written_at_the_end_keeps_the_journal(path: Path) -> None:
    """Closing says how many are not in it; the next open commits them."""
    system = AuditSystem.open(path, writer="process", busy_timeout=0.05)
    system.flush(timeout=WAIT_S)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    for number in range(7):
        system.audit.tell(Counted(who="a", number=number))
    asked = system.audit.ask(Counted(who="a", number=7))
    with pytest.raises(UncommittedEvents) as told:
        system.close(timeout=0.5)
    assert told.value.count == 8
    with pytest.raises(UncommittedEvents):
        asked.get(timeout=WAIT_S)
    with pytest.raises(AuditClosed):
        system.audit.tell(Counted(who="a", number=8))
    other.execute("ROLLBACK")
    other.close()
    with AuditSystem.open(path):
        pass
    check_trail(entries_of(path))
    assert counted(entries_of(path)) == [("a", number) for number in range(8)]


def test_a_writer_that_cannot_be_started_is_one_clear_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was made is given back: a thread may write it then."""
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        with pytest.raises(AuditUnavailable, match=r"exit code 1.* writer=\"thread\"\.$"):
            AuditSystem.open(path, writer="process")
    with AuditSystem.open(path) as system:
        system.audit.ask(Counted(who="a", number=0)).get(timeout=WAIT_S)
    check_trail(entries_of(path))


def test_ctrl_c_is_the_hosts_business(system: AuditSystem) -> None:
    """A terminal sends it to the foreground's process group, in which the writer is not."""
    assert os.getpgid(writer_of(system)) != os.getpgrp()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_writer_of_a_dead_host(path: Path) -> None:
    """It closes its copy of the socket; a host's end is noticed by its writer."""
    read, write = os.pipe()
    host = os.fork()
    if host == 0:
        own = AuditSystem.open(path, writer="process")
        os.write(write, b"%d\n" % writer_of(own))
        if os.fork() == 0:
            time.sleep(WAIT_S)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(write)
    with os.fdopen(read, "rb") as lines:
        writer = int(lines.readline())
    os.waitpid(host, 0)
    wait_until(partial(has_ended, writer))


class Hasty:
    """A socket that says something more with each line, before anybody can have read it."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real

    def sendall(self, data: bytes) -> None:
        self._real.sendall(data + WAKE if data.endswith(b"\n") else data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_a_writer_that_is_woken_before_it_has_started_starts(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is to know and a command may come in one piece."""
    pair = socket.socketpair

    def hasty() -> tuple[Hasty, socket.socket]:
        ours, theirs = pair()
        return Hasty(ours), theirs

    monkeypatch.setattr(socket, "socketpair", hasty)
    monkeypatch.setattr(writer_process, "START_TIMEOUT_S", 15.0)
    with AuditSystem.open(path, writer="process") as system:
        monkeypatch.undo()
        system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
    assert counted(entries_of(path)) == [("x", 0)]
