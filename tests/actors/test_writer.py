"""The inside of the writer's process, in this one."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors import writer_reports
from minutebook.actors.committer import Committer
from minutebook.actors.health import Vitals
from minutebook.actors.ledger.journal import Journal
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.writer import Writer
from tests.contract.trail import PRODUCER, WAIT_S, Counted, new_encoder, wait_until


def test_who_waits_for_the_last_of_many_batches_is_told_of_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waking is enough for all that was told before it; later commits are kept unsaid."""
    monkeypatch.setattr(writer_reports, "KEPT_S", 3600.0)
    encoder = new_encoder()
    journal = Journal(tmp_path / "journals", PRODUCER, event_bytes_max=65_536)
    host, control = socket.socketpair()
    description: dict[str, Any] = {
        "host_pid": os.getpid(),
        "ledger": str(tmp_path / "audit.db"),
        "batch_max": 3,
        "busy_timeout_s": 1.0,
        "allow_network_file_system": False,
        "producer": PRODUCER,
        "signing": None,
        "key_path": str(tmp_path / "key"),
        "service": "app",
        "event_bytes_max": 65_536,
        "journals": str(tmp_path / "journals"),
        "seq": 0,
        "unreported_max": 10_000,
    }
    writer = Writer(control, description)
    ledger = MemoryLedger(encoder)
    committer = Committer(ledger, encoder, Vitals("memory", PRODUCER))
    for number in range(10):
        journal.append(encoder.encode_head(Counted(who="x", number=number)))
    writer._woken.set()
    thread = threading.Thread(target=writer._commit_all, args=(committer,))
    thread.start()
    said = host.makefile("rb")
    host.settimeout(WAIT_S)
    ends: list[int] = []
    while not ends or ends[-1] < 10:
        ends.append(json.loads(said.readline())["to"])

    journal.append(encoder.encode_head(Counted(who="x", number=10)))
    wait_until(lambda: len(ledger.entries) == 11)
    host.settimeout(0.1)
    with pytest.raises(TimeoutError):
        said.readline()

    writer._vitals.give_up.set()
    writer._woken.set()
    thread.join(WAIT_S)
    said.close()
    host.close()
    control.close()
    journal.end(keep=False)
