"""Who acts: bound once at the edge, carried along, never leaking."""

import asyncio
import contextvars
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from minutebook.domain import AuditEvent, Binding, bind
from minutebook.domain.context import source_var
from minutebook.domain.errors import InvalidBinding

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ALL = {
    "identity": "alice",
    "on_behalf_of": "bob",
    "session_id": "s-1",
    "correlation_id": "req-1",
    "traceparent": TRACE,
    "plan_id": "p-1",
}


class Noted(AuditEvent, type="binding.noted"):
    pass


def test_events_are_filled_from_the_binding() -> None:
    with bind(**ALL) as binding:
        event = Noted()

    assert event.user_identity == "alice"
    assert event.on_behalf_of == "bob"
    assert event.session_id == "s-1"
    assert event.correlation_id == "req-1"
    assert event.traceparent == TRACE
    assert event.plan_id == "p-1"
    assert event.causation_id is None
    assert binding == Binding("alice", "bob", "s-1", "req-1", None, TRACE, "p-1")


def test_outside_nothing_is_bound() -> None:
    with bind(**ALL):
        pass
    with pytest.raises(ZeroDivisionError), bind(**ALL):
        raise ZeroDivisionError

    assert Binding.current() == Binding()
    assert Noted().user_identity is None


def test_an_explicit_value_wins_even_none() -> None:
    with bind(**ALL):
        event = Noted(user_identity="carol", session_id=None)

    assert (event.user_identity, event.session_id, event.plan_id) == ("carol", None, "p-1")


def test_blocks_nest_and_none_unbinds() -> None:
    with bind(identity="alice", session_id="s-1"):
        with bind(identity="bob", session_id=None, plan_id="p-2"):
            assert Binding.current() == Binding(user_identity="bob", plan_id="p-2")
        assert Binding.current() == Binding(user_identity="alice", session_id="s-1")


def test_bind_decorates_functions_anew_at_each_call() -> None:
    @bind(identity="alice")
    def who(depth: int) -> list[str | None]:
        return [Noted().user_identity] + (who(depth - 1) if depth else [])

    assert who(2) == ["alice"] * 3
    assert who(0) == ["alice"]
    assert Binding.current() == Binding()


@pytest.mark.skipif(
    getattr(sys.flags, "thread_inherit_context", False), reason="threads of this build inherit"
)
def test_a_thread_starts_unbound_and_its_binding_stays_in_it() -> None:
    def who() -> tuple[Binding, Binding]:
        before = Binding.current()
        with bind(identity="of the thread"):
            return before, Binding.current()

    with bind(**ALL), ThreadPoolExecutor(1) as pool:
        before, during = pool.submit(who).result()
        carried = pool.submit(contextvars.copy_context().run, who).result()[0]
        mine = Binding.current()

    assert before == Binding()
    assert during == Binding(user_identity="of the thread")
    assert carried == mine == Binding("alice", "bob", "s-1", "req-1", None, TRACE, "p-1")


def test_tasks_inherit_and_do_not_leak_into_each_other() -> None:
    async def request(name: str) -> list[str | None]:
        seen = [Noted().user_identity]
        with bind(identity=name):
            for _ in range(5):
                await asyncio.sleep(0)
                seen.append(Noted().user_identity)
        return seen

    async def edge() -> None:
        with bind(identity="edge"):
            seen = await asyncio.gather(*(request(f"user-{number}") for number in range(20)))
            assert Noted().user_identity == "edge"
        assert seen == [["edge"] + [f"user-{number}"] * 5 for number in range(20)]
        assert Binding.current() == Binding()

    asyncio.run(edge())


@pytest.mark.parametrize("name", list(ALL))
@pytest.mark.parametrize("value", ["", 7, b"alice", ["alice"], False])
def test_what_cannot_be_bound_is_refused_and_nothing_is(name: str, value: Any) -> None:
    with bind(identity="before"):
        with pytest.raises(InvalidBinding, match=rf"bind\({name}=\.\.\.\) .*to unbind it\.$"):
            with bind(**{**ALL, name: value}):
                pytest.fail("the block ran")
        assert Binding.current() == Binding(user_identity="before")


@pytest.mark.parametrize(
    "value",
    [
        "junk",
        TRACE.upper(),
        TRACE + " ",
        TRACE + "\n",
        TRACE.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
def test_a_traceparent_is_checked_when_it_is_bound(value: str) -> None:
    with pytest.raises(InvalidBinding, match=r"is no W3C traceparent; give 00-.*in lower case\.$"):
        with bind(traceparent=value):
            pytest.fail("the block ran")


def test_a_snapshot_is_restored_exactly_and_undone() -> None:
    with bind(identity="alice", plan_id="p-1"):
        snapshot = pickle.loads(pickle.dumps(Binding.current()))
    snapshot = snapshot._replace(causation_id="event-1")

    with bind(identity="somebody else", session_id="of the actor"):
        with snapshot.restored(source="app/plans"):
            event = Noted()
            assert Binding.current() == snapshot
            assert source_var.get() == "app/plans"
        assert Binding.current() == Binding("somebody else", session_id="of the actor")
        assert source_var.get() is None

    assert event.user_identity == "alice"
    assert event.session_id is None
    assert event.causation_id == "event-1"
    assert event.source == "app/plans"


def test_a_restored_block_is_undone_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), Binding(user_identity="x").restored(source="y"):
        raise ZeroDivisionError

    assert Binding.current() == Binding()
    assert source_var.get() is None
