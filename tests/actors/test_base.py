"""ServiceActor: commands, whose they are, and what failure means."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from minutebook.actors.base import Request, Service, ServiceActor, Tell, handles
from minutebook.actors.reply import Reply
from minutebook.domain.commands import Command, GetPlan, ListSessions
from minutebook.domain.context import Binding, bind
from minutebook.domain.errors import AuditClosed, InvalidCommand, MinutebookError, ServiceFailure
from minutebook.domain.event import AuditEvent
from minutebook.domain.plan import Phase
from tests.actors.project import Project
from tests.actors.stage import WAIT_S, Stage


class Pinged(AuditEvent, type="base_test.pinged"):
    text: str


class Ping(Command):
    text: str


class Break(Command):
    how: str


class PanicException(BaseException):
    """What a library written in Rust raises when it panics."""


class PingActor(ServiceActor):
    name = "pings"

    def __init__(self, service: str, tell: Tell) -> None:
        super().__init__(service)
        self._tell = tell

    @handles(Ping)
    def ping(self, command: Ping) -> str:
        self._tell(Pinged(text=command.text))
        return command.text

    @handles(Break)
    def broken(self, command: Break) -> None:
        if command.how == "ours":
            raise MinutebookError("as designed; do that.")
        if command.how == "theirs":
            raise ZeroDivisionError("surprise")
        raise {"panic": PanicException, "exit": SystemExit}[command.how]("surprise")


@pytest.fixture
def pings(stage: Stage) -> Service:
    """A PingActor's service."""
    return Service(stage.serve(PingActor, "shop", stage.teller.tell))


def test_an_event_carries_the_binding_at_the_time_of_the_call(stage: Stage, pings: Service) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with bind(
        identity="alice",
        on_behalf_of="bob",
        session_id="s",
        correlation_id="c",
        traceparent=trace,
        plan_id="p",
    ):
        future = pings.ask(Ping(text="bound"))
    with bind(identity="somebody else"):
        future.get(timeout=WAIT_S)

    entry = stage.only("base_test.pinged")
    assert (entry.user_identity, entry.on_behalf_of, entry.session_id) == ("alice", "bob", "s")
    assert (entry.correlation_id, entry.traceparent, entry.plan_id) == ("c", trace, "p")
    assert entry.source == "shop/pings"


def test_no_binding_leaks_into_the_next_command(stage: Stage, pings: Service) -> None:
    with bind(identity="alice", session_id="s", correlation_id="c", plan_id="p"):
        pings.ask(Ping(text="bound"))
        with pytest.raises(ServiceFailure):
            pings.ask(Break(how="theirs")).get(timeout=WAIT_S)
    pings.ask(Ping(text="unbound")).get(timeout=WAIT_S)

    entry = stage.entries("base_test.pinged")[1]
    assert entry.payload == {"text": "unbound"}
    assert entry.user_identity is entry.session_id is entry.correlation_id is entry.plan_id is None
    assert Binding.current() == Binding()


def test_threads_with_identities_of_their_own(stage: Stage, pings: Service) -> None:
    def call(person: int) -> None:
        with bind(identity=f"user-{person}", session_id=f"session-{person}"):
            for number in range(100):
                pings.ask(Ping(text=f"user-{person} {number}")).get(timeout=WAIT_S)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))

    told: dict[str, list[int]] = {}
    for entry in stage.entries("base_test.pinged"):
        person, number = entry.payload["text"].split()
        assert entry.user_identity == person
        assert entry.session_id == person.replace("user", "session")
        told.setdefault(person, []).append(int(number))
    assert told == {f"user-{person}": list(range(100)) for person in range(8)}


def test_asyncio_tasks_with_identities_of_their_own(stage: Stage, pings: Service) -> None:
    async def call(person: int) -> None:
        with bind(identity=f"user-{person}"):
            for _ in range(20):
                await asyncio.sleep(0)
                future = pings.ask(Ping(text=f"user-{person}"))
                await asyncio.sleep(0)
                assert await asyncio.to_thread(future.get, timeout=WAIT_S) == f"user-{person}"

    async def everybody() -> None:
        await asyncio.gather(*(call(person) for person in range(8)))

    asyncio.run(everybody())
    entries = stage.entries("base_test.pinged")
    assert len(entries) == 160
    assert all(entry.user_identity == entry.payload["text"] for entry in entries)


def test_every_actor_asked_in_turn_tells_as_the_caller(stage: Stage, project: Project) -> None:
    workshop = stage.workshop()
    with bind(identity="alice"):
        plan = workshop.plans.create(action="do", project=project.path).get(timeout=WAIT_S)
    with bind(identity="bob", session_id="s-2"):
        workshop.plans.strategize(plan.plan_id, strategy="so").get(timeout=WAIT_S)
    with bind(identity="carol", on_behalf_of="alice", session_id="s-3", correlation_id="req-3"):
        executing = workshop.apply.execute(plan.plan_id, "tests.actors.works:write")
    with bind(identity="not involved"):
        executing.get(timeout=WAIT_S)
    with bind(identity="dora", session_id="s-4"):
        workshop.apply.apply(plan.plan_id).get(timeout=WAIT_S)

    who = [(entry.type, entry.user_identity, entry.session_id) for entry in stage.entries()]
    assert who == [
        ("plan.created", "alice", None),
        ("plan.phase_changed", "bob", "s-2"),
        ("plan.phase_changed", "carol", "s-3"),
        ("sandbox.created", "carol", "s-3"),
        ("plan.phase_changed", "dora", "s-4"),
        ("resource.modified", "dora", "s-4"),
        ("resource.modified", "dora", "s-4"),
        ("plan.apply_completed", "dora", "s-4"),
        ("plan.phase_changed", "dora", "s-4"),
        ("plan.applied", "dora", "s-4"),
        ("sandbox.released", "dora", "s-4"),
    ]
    (sandbox,) = stage.entries("sandbox.created")
    assert (sandbox.on_behalf_of, sandbox.correlation_id) == ("alice", "req-3")
    assert {entry.plan_id for entry in stage.entries()} == {plan.plan_id}


def test_an_error_of_ours_reaches_the_caller_as_it_is(stage: Stage, pings: Service) -> None:
    with pytest.raises(MinutebookError, match=r"^as designed; do that\.$"):
        pings.ask(Break(how="ours")).get(timeout=WAIT_S)
    assert pings.ask(Ping(text="alive")).get(timeout=WAIT_S) == "alive"


@pytest.mark.parametrize(
    ("how", "cause"),
    [("theirs", ZeroDivisionError), ("panic", PanicException), ("exit", SystemExit)],
)
def test_an_unexpected_error_costs_one_command_and_no_actor(
    stage: Stage,
    pings: Service,
    caplog: pytest.LogCaptureFixture,
    how: str,
    cause: type[BaseException],
) -> None:
    sessions = stage.sessions()
    with caplog.at_level(logging.ERROR, "minutebook.actors"):
        with pytest.raises(ServiceFailure, match="surprise") as raised:
            pings.ask(Break(how=how)).get(timeout=WAIT_S)
    assert isinstance(raised.value.__cause__, cause)
    assert "surprise" in caplog.text
    assert pings.ask(Ping(text="alive")).get(timeout=WAIT_S) == "alive"
    assert sessions.list().get(timeout=WAIT_S) == ()


def test_a_command_of_another_actor_is_answered_with_an_error(
    stage: Stage, pings: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MinutebookError, match="GetPlan"):
        pings.ask(GetPlan(plan_id="p")).get(timeout=WAIT_S)
    assert pings.ask(Ping(text="alive")).get(timeout=WAIT_S) == "alive"


def test_what_was_accepted_before_the_end_is_answered(stage: Stage, pings: Service) -> None:
    futures = [pings.ask(Ping(text=str(number))) for number in range(50)]
    stage.stop_services()
    assert [future.get(timeout=WAIT_S) for future in futures] == [str(n) for n in range(50)]
    with pytest.raises(AuditClosed, match=r"open a new one with AuditSystem\.open\(path\)\.$"):
        pings.ask(Ping(text="late"))


def test_a_request_takes_the_binding_along() -> None:
    reply: Reply[None] = Reply()
    with bind(identity="alice"):
        request = Request(ListSessions(), Binding.current(), reply)
    assert request.binding == Binding(user_identity="alice")


def test_a_malformed_command_says_what_is_wrong() -> None:
    with pytest.raises(InvalidCommand, match=r"GetPlan: plan_id: .*; phase: .* nothing was done"):
        GetPlan(plan_id="", phase=Phase.APPLY)  # type: ignore[call-arg]
