"""A host with actors of its own: they tell through ``system.audit``, as whoever asked them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pykka import ActorRegistry, ThreadingActor

from minutebook.actors import AuditSystem
from minutebook.actors.teller import Teller
from minutebook.domain import AuditEvent, Binding, bind
from tests.scenarios.stories import WAIT_S, read


class ParcelPacked(AuditEvent, type="host_test.parcel_packed"):
    """A parcel is ready to leave."""

    order_id: str


class Pack(NamedTuple):
    """A message of the host's: what to do, and for whom."""

    order_id: str
    binding: Binding


class Packer(ThreadingActor):
    """An actor of the host's."""

    use_daemon_thread = True

    def __init__(self, audit: Teller) -> None:
        super().__init__()
        self._audit = audit

    def on_receive(self, message: Pack) -> str:
        with message.binding.restored(source="warehouse/packer"):
            self._audit.tell(ParcelPacked(order_id=message.order_id))
        return message.order_id


def test_a_host_actor_tells_as_whoever_asked_it(tmp_path: Path) -> None:
    ledger = tmp_path / "audit.db"
    with AuditSystem.open(ledger, service="warehouse") as system:
        packer = Packer.start(system.audit)
        for person in ("alice", "bob"):
            with bind(identity=person, correlation_id=f"req-{person}"):
                packer.ask(Pack(f"A-{person}", Binding.current()), timeout=WAIT_S)
        packer.stop()
    packed = [entry for entry in read(ledger) if entry["type"] == ParcelPacked.type]
    assert [
        (entry["user_identity"], entry["correlation_id"], entry["payload"]["order_id"])
        for entry in packed
    ] == [("alice", "req-alice", "A-alice"), ("bob", "req-bob", "A-bob")]
    assert {entry["source"] for entry in packed} == {"warehouse/packer"}


def test_a_host_that_stops_all_its_actors_does_not_stop_the_trail(tmp_path: Path) -> None:
    ledger = tmp_path / "audit.db"
    with AuditSystem.open(ledger) as system:
        packer = Packer.start(system.audit)
        ActorRegistry.stop_all()
        assert not packer.is_alive()
        with bind(identity="alice"):
            session = system.sessions.create(actor_name="after").get(timeout=WAIT_S)
        receipt = system.audit.ask(ParcelPacked(order_id="last")).get(timeout=WAIT_S)
    types = [entry["type"] for entry in read(ledger)]
    assert types == ["audit.opened", "session.created", ParcelPacked.type, "audit.closed"]
    assert receipt.log_index == 2
    assert session.user_identity == "alice"
