"""Personal fields: never in clear in any file, readable with their key, and gone without it."""

from __future__ import annotations

import stat
import threading
from io import StringIO
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel

from minutebook.actors import AuditSystem, LedgerReader
from minutebook.actors.cli.detail import print_detail
from minutebook.actors.cli.main import run
from minutebook.actors.ledger.sealed_box import unseal
from minutebook.actors.ledger.subject_keys import SubjectKeys
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.actors.testing import MemoryTrail
from minutebook.domain import AuditEvent, Entry, EventDefinitionError, InvalidEvent, Personal, bind
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import SubjectKeysError, UnderLegalHold, UnknownSubject
from minutebook.domain.personal import SEALED
from minutebook.domain.query import EntryFilter
from tests.retention.conftest import WAIT_S, Moved, Noted, clerk_of, redactor_of

ADDRESS = "Elm Street 5, Springwood"
PHONE = "555-0199-2374"
SECRET = (ADDRESS.encode(), PHONE.encode())


def files_with(directory: Path, needles: tuple[bytes, ...]) -> list[str]:
    """The files in which any of some bytes stand."""
    return [
        path.name
        for path in sorted(directory.rglob("*"))
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def keys_of(path: Path) -> SubjectKeys:
    return SubjectKeys(path.with_name("audit.db.subject.keys"), redactor_of(path).fingerprint)


def shown(path: Path, index: str) -> dict[str, object]:
    with LedgerReader(path) as reader:
        return reader.revealed(reader.get(index))


def test_they_are_in_clear_nowhere_and_gone_when_forgotten(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system, bind(identity="alice"):
        for delivery in ("journaled", "buffered", "committed"):
            system.audit.tell(
                Moved(customer="c-1", address=ADDRESS, phones=(PHONE, "2")),
                delivery,
            )
            assert files_with(tmp_path, SECRET) == []
        again = Moved(customer="c-1", address=ADDRESS, phones=(PHONE, "2"))
        one, other = (system.audit.ask(again).get(timeout=WAIT_S) for _ in range(2))
        assert one == other  # sealed again, it is the same
        system.audit.tell(Moved(customer="c-2", address="Oak Road 1"))
        system.retention.archive(tmp_path / "archive").get(timeout=WAIT_S)
        system.audit.tell(Moved(customer="c-2"))
    assert files_with(tmp_path, SECRET) == []
    keys = tmp_path / "audit.db.subject.keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    clear = {"customer": "c-1", "address": ADDRESS, "phones": [PHONE, "2"]}
    with LedgerReader(path) as reader:
        entries = list(reader.entries(EntryFilter(types=("retention_test.moved",))))
        assert [reader.revealed(entry) for entry in entries[:4]] == [clear] * 4
    assert entries[-1].payload["address"] is None
    event = entries[-1].event()
    assert isinstance(event, Moved)
    sealed = entries[0].payload["address"][SEALED]
    slots = keys.read_bytes()
    # Each subject has one key: two customers, and who acted.
    assert len(slots) == 64 * 4
    destroyed = slots[64 + 24 : 64 + 56]
    assert unseal(destroyed, b"elsewhere", sealed) is None
    assert files_with(tmp_path, (destroyed,)) == [keys.name]

    def text(entry: Entry) -> str:
        out = StringIO()
        with LedgerReader(path) as reader:
            print_detail(entry, out, payload=reader.revealed(entry))
        return out.getvalue()

    assert ADDRESS in text(entries[0])
    assert run(["forget", str(path), "c-1", "--as", "dpo"]) == 0
    assert "1 key was destroyed" in capfd.readouterr().out
    assert files_with(tmp_path, (destroyed,)) == []
    assert "[erased]" in text(entries[0])
    assert shown(path, "1") == {"customer": "c-1", "address": "[erased]", "phones": [PHONE, "2"]}
    report = verify_ledger(path)
    assert report.findings == ()
    with LedgerReader(path) as reader:
        (told,) = reader.entries(EntryFilter(types=("subject.forgotten",)))
        assert told.user_identity == "dpo"
        assert b"c-1" not in told.body
        assert told.payload["keys_destroyed"] == 1

    # Who comes back gets a new key; what went stays gone; who was forgotten twice is told once.
    with AuditSystem.open(path) as system:
        system.audit.ask(Moved(customer="c-1", address="new", user_identity="a")).get(timeout=5)
        retention = system.retention
        with LedgerReader(path) as reader:
            (newest,) = reader.entries(EntryFilter(types=("*.moved",)), limit=1)
            assert reader.revealed(newest)["address"] == "new"
            assert reader.revealed(reader.get("1"))["address"] == "[erased]"
        assert retention.forget("c-1").get(timeout=WAIT_S).keys_destroyed == 1
        assert retention.forget("c-1").get(timeout=WAIT_S).keys_destroyed == 0
        hold = retention.hold("user", "c-2", reason="a case").get(timeout=WAIT_S)
        with pytest.raises(UnderLegalHold, match=hold.hold_id):
            retention.forget("c-2").get(timeout=WAIT_S)
        with pytest.raises(UnknownSubject):
            retention.forget("C-1").get(timeout=WAIT_S)
    keys.unlink()
    assert shown(path, "1")["phones"] == "[sealed]"
    assert verify_ledger(path).findings == ()


def test_a_crash_between_the_key_and_the_event_is_told_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path) as system:
        system.audit.tell(Moved(customer="c-1", address=ADDRESS))
        system.flush(timeout=WAIT_S)
        keys_of(path).destroy("c-1")
        assert system.retention.forget("c-1").get(timeout=WAIT_S).keys_destroyed == 1
        assert system.retention.forget("c-1").get(timeout=WAIT_S).keys_destroyed == 0
        # The system's own cache of keys knows as well.
        system.audit.tell(Moved(customer="c-1", address="later"))
        system.flush(timeout=WAIT_S)
    with LedgerReader(path) as reader:
        entries = list(reader.entries(EntryFilter(types=("*.moved",))))
        said = [reader.revealed(entry)["address"] for entry in entries]
    assert said == ["[erased]", "later"]


def test_one_subject_has_one_key_whoever_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    ready = threading.Barrier(8)
    sealed: list[str] = []

    def seal() -> None:
        keys = keys_of(path)
        ready.wait()
        sealed.append(keys.seal("somebody", b"place", b"data"))

    threads = [threading.Thread(target=seal) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sealed) == 8
    assert len(set(sealed)) == 1
    file = path.with_name("audit.db.subject.keys")
    with file.open("ab") as out:
        out.write(b"\x01" * 30)  # a slot that a crash cut off
    assert keys_of(path).seal("somebody", b"place", b"data") == sealed[0]
    keys_of(path).seal("another", b"place", b"data")
    assert file.stat().st_size == 64 * 3
    file.write_bytes(b"something else")
    with pytest.raises(SubjectKeysError, match="restore it"):
        keys_of(path).seal("somebody", b"place", b"data")


class Inner(BaseModel):
    name: Annotated[str, Personal()]


class Wrapped(AuditEvent, type="retention_test.wrapped"):
    """Holds anything."""

    anything: object


def test_marks_that_would_keep_nothing_secret_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventDefinitionError, match="mark the whole"):

        class Listed(AuditEvent, type="retention_test.listed"):
            names: list[Annotated[str, Personal()]]

    with pytest.raises(EventDefinitionError, match="mark the whole"):

        class Nested(AuditEvent, type="retention_test.nested"):
            part: Inner | None = None

    with pytest.raises(EventDefinitionError, match="no field"):

        class Astray(AuditEvent, type="retention_test.astray"):
            name: Annotated[str, Personal(subject="nobody")]

    with pytest.raises(EventDefinitionError, match="in clear"):

        class Circular(AuditEvent, type="retention_test.circular"):
            name: Annotated[str, Personal(subject="name")]

    with MemoryTrail() as trail:
        with pytest.raises(InvalidEvent, match="user_identity, which says whom"):
            trail.audit.ask(Moved(customer="c", phones=("1",)))
        with pytest.raises(InvalidEvent, match="personal fields"):
            trail.audit.ask(Wrapped(anything=[Inner(name=ADDRESS)]))
        trail.audit.tell(Moved(customer="c", address=ADDRESS))
        assert ADDRESS.encode() not in trail.of("retention_test.moved")[0].body
    with pytest.raises(InvalidEvent, match="no keys here"):
        Encoder(redactor_of(tmp_path / "audit.db")).encode_head(Moved(customer="c", address="a"))


def test_others_are_written_as_fast_as_before(tmp_path: Path) -> None:
    """The fast path is a plain class's; one with a personal field is not plain."""
    encoder = Encoder(redactor_of(tmp_path / "audit.db"))
    assert encoder.shape_of(Noted).field_count > 0
    assert encoder.shape_of(Moved).field_count == -1
    with clerk_of(tmp_path / "made.db"):
        assert not (tmp_path / "made.db.subject.keys").exists()
