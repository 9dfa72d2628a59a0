"""The outbox: state and event are one, whatever the trail does."""

from __future__ import annotations

from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.actors.outbox import UNTOLD_MAX
from minutebook.actors.session import SessionActor
from minutebook.actors.session_service import Sessions
from minutebook.actors.teller import Teller
from minutebook.domain.context import bind
from minutebook.domain.errors import AuditBacklogFull, InvalidEvent, UncommittedEvents
from minutebook.domain.events import SessionCreated
from tests.actors.stage import SERVICE, WAIT_S, Stage

INSERT = "INSERT INTO config_secrets (key, secret) VALUES (?, 1)"
"""Some state."""


def told(number: int) -> SessionCreated:
    return SessionCreated(session_id=f"s-{number}", actor_name=str(number))


def refuse(*_: object) -> None:
    raise AuditBacklogFull("full; wait.")


def waiting(stage: Stage) -> int:
    database = stage.database()
    try:
        return len(database.rows("SELECT 1 FROM outbox"))
    finally:
        database.close()


def test_the_row_is_there_until_the_event_is_in_the_ledger(stage: Stage) -> None:
    outbox = stage.outbox(SessionActor)
    with outbox.recorded() as recording:
        recording.tell(told(0))
        assert stage.types() == []
    assert stage.types() == ["session.created"]
    assert waiting(stage) == 1
    with outbox.recorded() as recording:
        recording.tell(told(1))
    assert waiting(stage) == 1
    assert len(stage.entries()) == 2
    outbox.catch_up()
    assert waiting(stage) == 0
    outbox.close()


def test_an_event_that_cannot_be_stored_takes_its_change_back(stage: Stage) -> None:
    outbox = stage.outbox(SessionActor)

    def change() -> None:
        with outbox.recorded() as recording:
            outbox.database.execute(INSERT, ("a",))
            recording.tell(told(0))
            recording.tell(SessionCreated(session_id="s", actor_name="x" * 300_000))

    with pytest.raises(InvalidEvent):
        change()
    assert outbox.database.row("SELECT 1 FROM config_secrets") is None
    assert (waiting(stage), stage.types()) == (0, [])
    outbox.close()


def test_what_the_trail_refuses_is_told_later_in_order_and_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = stage.outbox(SessionActor)
    with monkeypatch.context() as full:
        full.setattr(Teller, "ask_head", refuse)
        for number in range(UNTOLD_MAX):
            with outbox.recorded() as recording:
                outbox.database.execute(INSERT, (str(number),))
                recording.tell(told(number))
        # Bounded: what comes on top of it is not done at all.
        with pytest.raises(AuditBacklogFull, match="nothing was done"):
            with outbox.recorded():
                outbox.database.execute(INSERT, ("one more",))
    assert (waiting(stage), stage.types()) == (UNTOLD_MAX, [])
    with outbox.recorded() as recording:
        recording.tell(told(UNTOLD_MAX))
    names = [entry.payload["actor_name"] for entry in stage.entries()]
    assert names == [str(number) for number in range(UNTOLD_MAX + 1)]
    outbox.catch_up()
    assert waiting(stage) == 0
    outbox.close()


def test_what_is_untold_is_told_at_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = stage.sessions()
    with monkeypatch.context() as full:
        full.setattr(Teller, "ask_head", refuse)
        sessions.create(actor_name="a").get(timeout=WAIT_S)
    assert stage.types() == []
    stage.stop_services()
    assert stage.types() == ["session.created"]


def test_a_committed_event_makes_the_call_wait_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Teller, "waits", lambda *_: True)
    sessions = Sessions(stage.serve(SessionActor, SERVICE, stage.outbox(SessionActor)))
    sessions.create(actor_name="a").get(timeout=WAIT_S)
    assert [entry.type for entry in stage.ledger.entries] == ["session.created"]
    with monkeypatch.context() as full:
        full.setattr(Teller, "ask_head", refuse)
        with pytest.raises(UncommittedEvents, match="it was done, and its event is kept"):
            sessions.create(actor_name="b").get(timeout=WAIT_S)
    assert len(sessions.list().get(timeout=WAIT_S)) == 2
    stage.stop_services()
    assert len(stage.entries("session.created")) == 2


def test_rows_of_others_are_taken_over_when_they_are_gone(stage: Stage) -> None:
    outbox = stage.outbox(SessionActor)
    with bind(identity="alice"):
        events = [told(number) for number in range(3)]
    with outbox.recorded() as recording:
        recording.tell(events[0])
    first = stage.only("session.created")
    for event in events[1:]:
        outbox.database.execute(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, 0)",
            (event.id, "other", SessionActor.name, stage.encoder.encode_head(event)),
        )
    outbox.database.execute("UPDATE outbox SET producer = 'other'")
    other = stage.outbox(SessionActor)
    other.catch_up()
    assert (waiting(stage), len(stage.entries())) == (3, 1)
    stage.gone.add("other")
    other.catch_up()
    other.catch_up()
    entries = stage.entries()
    other.catch_up()
    assert waiting(stage) == 0
    assert entries[0] == first
    assert [entry.id for entry in entries] == [event.id for event in events]
    assert [entry.occurred_time for entry in entries] == [event.occurred_at for event in events]
    assert [entry.user_identity for entry in entries] == ["alice"] * 3
    other.close()
    outbox.close()


def test_two_that_take_over_at_once_tell_nothing_twice(stage: Stage) -> None:
    outboxes = [stage.outbox(SessionActor) for _ in range(2)]
    for number in range(20):
        event = told(number)
        outboxes[0].database.execute(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, 0)",
            (event.id, "other", SessionActor.name, stage.encoder.encode_head(event)),
        )
    stage.gone.add("other")
    for outbox in outboxes:
        outbox.catch_up()
    assert stage.types() == ["session.created"] * 20
    for outbox in outboxes:
        outbox.close()


def test_a_system_closed_in_order_leaves_no_rows(tmp_path: Path) -> None:
    with AuditSystem.open(tmp_path / "audit.db") as system:
        system.sessions.create(actor_name="a").get(timeout=WAIT_S)
        system.config.set("a", 1).get(timeout=WAIT_S)
    database = AppDatabase(tmp_path / "audit.db.app.db")
    assert database.rows("SELECT * FROM outbox") == []
    assert database.rows("SELECT * FROM intents") == []
    database.close()
