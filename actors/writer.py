"""Committing what another process journals: the inside of the writer's process."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from minutebook.actors.committer import Committer
from minutebook.actors.health import Vitals
from minutebook.actors.inbox import PAUSE_S, PAUSES
from minutebook.actors.key_file import load_or_create_key
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.ledger.following import Follower
from minutebook.actors.ledger.signing import Signing, new_signing
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.unhurried import be_unhurried
from minutebook.actors.writer_reports import Reports
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt, leaf_hash, leaf_input
from minutebook.domain.errors import LedgerError, MinutebookError
from minutebook.domain.redaction import Redactor

HEARTBEAT_S: Final = 0.5
"""How often the writer says that it lives, and looks whether its host does."""

WAKE: Final = b"w"
"""Host to writer: somebody waits, or something was told while the writer slept."""

END: Final = b"e"
"""Host to writer: end when all that is journaled is committed."""

GIVE_UP: Final = b"g"
"""Host to writer: try no longer."""

COULD_NOT_OPEN: Final = 3
"""Exit code when the ledger cannot be opened; the host was told why."""


class _ReportingVitals(Vitals):
    """Vitals whose trouble the host learns of."""

    def __init__(self, ledger: str, producer: str, report: Any) -> None:
        super().__init__(ledger, producer)
        self._report = report

    def note_trouble(self, error: LedgerError) -> None:
        self.retries += 1
        self._report({"trouble": str(error), "kind": type(error).__name__})

    def note_recovery(self) -> None:
        if self.retries:
            self.retries = 0
            self._report({"trouble": None})


class Writer:
    """Follows a journal, and takes it to the ledger batch by batch.

    Args:
        control: to the host; it sends single bytes, and gets lines of JSON.
        description: what `minutebook.actors.writer_process` says.
    """

    def __init__(self, control: socket.socket, description: dict[str, Any]) -> None:
        self._control = control
        self._host = description["host_pid"]
        self._path = Path(description["ledger"])
        self._batch_max = description["batch_max"]
        self._busy_timeout_s = description["busy_timeout_s"]
        self._allow_network = description["allow_network_file_system"]
        self._producer = description["producer"]
        self._signing = description["signing"]
        key_path = Path(description["key_path"])
        self._encoder = Encoder(
            Redactor(lambda: load_or_create_key(key_path)),
            service=description["service"],
            bytes_max=description["event_bytes_max"],
        )
        self._follower = Follower(
            Path(description["journals"]), description["producer"], description["seq"]
        )
        self._reports = Reports(control, kept_events_max=description["unreported_max"])
        self._vitals = _ReportingVitals(str(self._path), description["producer"], self._reports.say)
        self._woken = Flag()
        self._ending = False
        self._batch_begun: float | None = None

    def run(self) -> int:
        """Commit until the host ends or says so; returns the exit code."""
        be_unhurried()
        for work in (self._listen, self._beat):
            threading.Thread(target=work, daemon=True).start()
        try:
            ledger = SqliteLedger(
                self._path,
                self._encoder,
                busy_timeout_s=self._busy_timeout_s,
                allow_network_file_system=self._allow_network,
                signing=self._new_signing,
            )
        except MinutebookError as error:
            self._reports.say({"trouble": str(error), "kind": type(error).__name__})
            return COULD_NOT_OPEN
        self._reports.say({"trouble": None})
        try:
            self._commit_all(Committer(ledger, self._encoder, self._vitals))
            if not self._vitals.give_up.is_set():
                with contextlib.suppress(MinutebookError):
                    ledger.checkpoint()
        finally:
            with contextlib.suppress(MinutebookError):
                ledger.close()
        return 0

    def _new_signing(self, path: Path) -> Signing:
        signing = new_signing(path, self._signing)
        signing.producer = self._producer
        return signing

    def _commit_all(self, committer: Committer) -> None:
        idle = 0
        awaited = False
        while not self._vitals.give_up.is_set():
            # Looked at before the journal: what was told before is there by then.
            if self._woken.is_set():
                self._woken.clear()
                awaited = True
            ending = self._ending
            first = self._follower.seq
            bodies = self._follower.read(self._batch_max)
            if bodies:
                self._batch_begun = time.monotonic()
                outcomes = committer.commit(bodies, journaled=len(bodies))
                self._batch_begun = None
                if self._vitals.give_up.is_set():
                    break
                self._reports.keep(_summary(first, bodies[0], outcomes), len(bodies))
                idle = 0
            elif ending:
                break
            else:
                idle += 1
            self._reports.say_kept(at_once=awaited)
            if self._follower.at_end and not ending:
                # Whoever woke us may have waited for the last of many batches.
                awaited = False
                self._rest(idle)
        self._reports.say_kept(at_once=True)

    def _rest(self, idle: int) -> None:
        """Pause, as long as more is likely to come; else sleep until the host wakes us."""
        if idle == PAUSES:
            self._reports.say({"sleeping": self._follower.seq})
        self._woken.wait(PAUSE_S if idle < PAUSES else None)

    def _listen(self) -> None:
        while True:
            try:
                commands = self._control.recv(4096)
            except OSError:
                commands = b""
            if not commands:
                # What is left is for whoever adopts the journal.
                os._exit(0)
            if GIVE_UP in commands:
                self._vitals.give_up.set()
            if END in commands:
                self._ending = True
            self._woken.set()

    def _beat(self) -> None:
        while os.getppid() == self._host:
            begun = self._batch_begun
            self._reports.say({"busy_s": None if begun is None else time.monotonic() - begun})
            time.sleep(HEARTBEAT_S)
        # Its end of the socket may live on in a child of its own.
        os._exit(0)


def _summary(
    first: int, body: bytes, outcomes: Sequence[Receipt | MinutebookError]
) -> dict[str, Any]:
    """Say what became of a batch: in short, when all of it was entered in one go.

    Args:
        first: number of the first event.
        body: its bytes, which tell a new entry from one that had its id before.
        outcomes: of all events.
    """
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    summary: dict[str, Any] = {"first": first, "to": first + len(outcomes)}
    if (
        len(receipts) == len(outcomes)
        and receipts[0].leaf_hash == leaf_hash(leaf_input(receipts[0].recorded_at, body))
        and all(
            after.log_index == before.log_index + 1 and after.recorded_at == before.recorded_at
            for before, after in itertools.pairwise(receipts)
        )
    ):
        last = receipts[-1]
        return summary | {"last": [last.log_index, last.leaf_hash.hex(), last.recorded_at]}
    return summary | {
        "each": [
            [outcome.log_index, outcome.leaf_hash.hex(), outcome.recorded_at]
            if isinstance(outcome, Receipt)
            else [type(outcome).__name__, str(outcome)]
            for outcome in outcomes
        ]
    }
