"""When a system signs, with which key, and that no event suffers when it cannot."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from minutebook.actors import AuditSystem, checkpointer
from minutebook.actors.ledger.ed25519 import Signer
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.side_log import SideLog, read_side_log
from minutebook.actors.ledger.signing import Signing
from minutebook.actors.ledger.signing_key import KeySource
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.errors import SettingsError
from minutebook.domain.log_key import LogKey
from minutebook.domain.note import Note, VerifierKey
from tests.actors.project import eventually
from tests.contract.trail import entries_of, many, new_encoder
from tests.proof.conftest import WAIT_S, Noted

WRITERS = ["thread", "process"]


def heads(path: Path) -> list[Checkpoint]:
    with Prover(path) as prover:
        return [Checkpoint.of_text(note.text) for note in prover.notes("checkpoint")]


def keys(path: Path) -> list[VerifierKey]:
    with Prover(path) as prover:
        return [LogKey.of_text(note.text).key for note in prover.notes("key")]


def told(path: Path) -> list[int]:
    return [
        entry.payload["tree_size"]
        for entry in entries_of(path)
        if entry.type == "audit.checkpointed"
    ]


def tell(system: AuditSystem, count: int) -> None:
    for number in range(count):
        system.audit.tell(Noted(number=number))


@pytest.mark.parametrize("writer", WRITERS)
def test_it_signs_by_number_and_at_close_and_tells_of_it(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, writer=writer, checkpoint_every=100, batch_max=20) as system:  # type: ignore[arg-type]
        tell(system, 500)
        system.flush(timeout=WAIT_S)

    sizes = [head.size for head in heads(path)]
    entries = entries_of(path)
    assert sizes[-1] == len(entries)
    assert all(100 <= b - a < 120 for a, b in zip([0, *sizes], sizes[:-1], strict=False))
    assert len(sizes) in (5, 6)
    # All but those of the end, behind which nothing may follow.
    assert told(path) == sizes[: len(told(path))]
    assert len(told(path)) >= len(sizes) - 2
    (event, *_) = (entry for entry in entries if entry.type == "audit.checkpointed")
    (key,) = keys(path)
    assert key.as_text().startswith(event.payload["key"])
    assert stat.S_IMODE((tmp_path / "audit.db.signing.key").stat().st_mode) == 0o600
    side = read_side_log(tmp_path / "audit.db.checkpoints.log")
    with Prover(path) as prover:
        notes = prover.notes("key") + prover.notes("checkpoint")
    assert [piece.note for piece in side] == notes
    assert verify_ledger(path).signed_size == len(entries)


@pytest.mark.parametrize("writer", WRITERS)
def test_it_signs_by_time_and_stops_when_nothing_is_added(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, writer=writer, checkpoint_interval=0.05) as system:  # type: ignore[arg-type]
        tell(system, 3)
        eventually(lambda: bool(told(path)))
        count = len(told(path))
        before = len(entries_of(path))
        # Several looks later: its own events are no reason to sign.
        looks = system._checkpointer
        assert looks is not None
        for _ in range(5):
            looks.look()
        assert len(told(path)) in (count, count + 1)
        assert len(entries_of(path)) <= before + 1
        tell(system, 1)
        eventually(lambda: heads(path)[-1].size > before)


def test_the_ledger_is_opened_only_when_something_may_have_been_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening it holds the interpreter for a millisecond, which each thread of the host feels."""
    monkeypatch.setattr(checkpointer, "INTERVAL_S", 3600.0)
    path, here = tmp_path / "audit.db", threading.get_ident()
    opened: list[apsw.Connection] = []

    def note(connection: apsw.Connection) -> None:
        if threading.get_ident() == here:
            opened.append(connection)

    with AuditSystem.open(path, checkpoint_every=100, checkpoint_interval=0) as system:
        looks = system._checkpointer
        assert looks is not None
        monkeypatch.setattr(apsw, "connection_hooks", [*apsw.connection_hooks, note])
        for count, found in ((40, False), (40, False), (40, True), (1, False), (200, True)):
            tell(system, count)
            system.flush(timeout=WAIT_S)
            opened.clear()
            looks.look()
            looks.look()
            assert bool(opened) is found
        system.flush(timeout=WAIT_S)
        sizes = [head.size for head in heads(path)]
        assert len(sizes) > 1
        assert told(path) == sizes


def test_nothing_new_is_not_signed_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        tell(system, 1)
        system.flush(timeout=WAIT_S)
        ledger = system._ledger
        ledger.checkpoint()
        ledger.checkpoint()
        assert len(heads(path)) == 1
    assert len(heads(path)) == 2


def test_two_systems_sign_one_log_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with (
        AuditSystem.open(path, checkpoint_every=50) as one,
        AuditSystem.open(path, checkpoint_every=50, writer="process") as other,
    ):
        for _ in range(20):
            tell(one, 25)
            tell(other, 25)
    assert len(keys(path)) == 1
    sizes = [head.size for head in heads(path)]
    assert sizes == sorted(set(sizes))
    report = verify_ledger(path)
    assert (report.findings, report.signed_size) == ((), report.entries)
    assert set(told(path)) <= set(sizes)
    assert len(told(path)) == len(set(told(path)))


def test_a_new_key_is_endorsed_by_the_old_and_taken_up_by_who_has_the_ledger_open(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, checkpoint_every=10) as system:
        tell(system, 20)
        system.flush(timeout=WAIT_S)
        with AuditSystem.open(path) as other:
            ledger = other._ledger
            new = ledger.rotate_key()  # type: ignore[attr-defined]
        tell(system, 20)
    old, known = keys(path)
    assert known == new
    with Prover(path) as prover:
        last = prover.notes("checkpoint")[-1]
    assert [line.key_id for line in last.signatures] == [new.key_id]
    for trusted in (old, new):
        report = verify_ledger(path, keys=[trusted])
        assert (report.findings, report.signed_size) == ((), report.entries)
    assert not (tmp_path / "audit.db.signing.key.next").exists()


def test_a_rotation_that_was_cut_off_is_brought_to_its_end(tmp_path: Path) -> None:
    """Announced, and not in place yet: the next one to sign puts it there."""
    path, key = tmp_path / "audit.db", tmp_path / "audit.db.signing.key"
    with AuditSystem.open(path) as system:
        tell(system, 1)
    old = key.read_bytes()
    with AuditSystem.open(path) as system:
        new = system._ledger.rotate_key()  # type: ignore[attr-defined]
    key.rename(tmp_path / "audit.db.signing.key.next")
    key.write_bytes(old)
    with AuditSystem.open(path) as system:
        tell(system, 1)
    report = verify_ledger(path)
    assert (report.findings, report.signed_size) == ((), report.entries)
    assert keys(path)[-1] == new
    assert not (tmp_path / "audit.db.signing.key.next").exists()


@pytest.mark.parametrize("writer", WRITERS)
def test_the_key_and_the_places_may_be_settings(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = Signer.new("log.example/one")
    monkeypatch.setenv("MINUTEBOOK_SIGNING_KEY", signer.secret.as_text(signer.vkey.public_key))
    path, side = tmp_path / "audit.db", tmp_path / "elsewhere.log"
    with AuditSystem.open(path, writer=writer, checkpoints_path=side) as system:  # type: ignore[arg-type]
        tell(system, 1)
    assert keys(path) == [signer.vkey]
    assert verify_ledger(path, side_files=[side], keys=[signer.vkey]).findings == ()
    assert not (tmp_path / "audit.db.signing.key").exists()
    assert not (tmp_path / "audit.db.checkpoints.log").exists()


@pytest.mark.parametrize("trouble", ["key lost", "key is another", "side file is a directory"])
def test_what_keeps_it_from_signing_costs_no_event(
    trouble: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, key = tmp_path / "audit.db", tmp_path / "audit.db.signing.key"
    side = tmp_path / "audit.db.checkpoints.log"
    with AuditSystem.open(path) as system:
        tell(system, 1)
    before = heads(path)
    if trouble == "key lost":
        key.unlink()
    elif trouble == "key is another":
        other = Signer.new("minutebook/other")
        key.write_text(other.secret.as_text(other.vkey.public_key))
    else:
        side.unlink()
        side.mkdir()
    caplog.clear()
    with AuditSystem.open(path, checkpoint_every=10) as system:
        tell(system, 50)
        assert system.health().status == "ok"
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert any("no checkpoint was signed" in message for message in messages)
    assert len([entry for entry in entries_of(path) if entry.type == Noted.type]) == 51
    if trouble.startswith("key"):
        assert heads(path) == before
    elif os.name == "posix":
        side.rmdir()
        with AuditSystem.open(path) as system:
            tell(system, 1)
        assert [piece.note for piece in read_side_log(side)][-1] is not None
        assert len(read_side_log(side)) == len(heads(path)) + 1


def test_a_key_that_is_no_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"signing_key: .*no signing key") as refused:
        AuditSystem.open(tmp_path / "audit.db", signing_key="PRIVATE+KEY+abcdef")
    assert "abcdef" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    signer = Signer.new("a")
    text = signer.secret.as_text(signer.vkey.public_key)
    with AuditSystem.open(tmp_path / "audit.db", signing_key=text) as system:
        assert text[-30:] not in repr(system._settings)


LATE_IMPORTS = """
import sys
from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent

class Noted(AuditEvent, type="proof_test.noted"):
    number: int

system = AuditSystem.open(sys.argv[1])
before = set(sys.modules)
system.audit.tell(Noted(number=1))
system.close()
print(sorted(name for name in set(sys.modules) - before if not name.startswith("encodings")))
"""


def test_nothing_is_imported_by_who_signs(tmp_path: Path) -> None:
    """Else a fork meanwhile leaves the child a module that is never made to its end."""
    command = [sys.executable, "-c", LATE_IMPORTS, str(tmp_path / "audit.db")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("count", [1, 255, 256, 257, 512, 600])
def test_a_log_of_any_size_verifies_from_its_newest_checkpoint_on(
    count: int, tmp_path: Path
) -> None:
    path, encoder = tmp_path / "audit.db", new_encoder()

    def signing(resolved: Path) -> Signing:
        keys = KeySource(tmp_path / "key")
        return Signing(resolved, keys, SideLog(tmp_path / "audit.db.checkpoints.log"))

    ledger = SqliteLedger(path, encoder, signing=signing)
    ledger.append(many(encoder, count))
    ledger.checkpoint()
    with Prover(path) as prover:
        (newest,) = prover.notes("checkpoint")
    for more in (0, 1, 300):
        if more:
            ledger.append(many(encoder, more, first=ledger.next_index()))
        for since in (None, newest):
            report = verify_ledger(path, since=since)
            assert report.findings == ()
            assert (report.entries, report.signed_size) == (ledger.next_index(), count)
    ledger.close()


def test_every_note_is_one_that_others_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        tell(system, 1)
    text = (tmp_path / "audit.db.checkpoints.log").read_text()
    announced, checkpoint = text.removesuffix("\n\n").split("\n\nminutebook/", 1)
    assert Note.of_text(announced + "\n").as_text() == announced + "\n"
    head = Note.of_text(f"minutebook/{checkpoint}\n")
    assert Checkpoint.of_text(head.text).size == len(entries_of(path))
