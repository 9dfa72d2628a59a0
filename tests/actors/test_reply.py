"""Replies: pykka's futures, safe in signal handlers and fit for asyncio."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
import time
import traceback
from typing import Any

import pykka
import pytest

from minutebook.actors.reply import Reply
from minutebook.domain.errors import AuditClosed

WAIT_S = 10.0


def later(reply: Reply[Any], value: object, delay_s: float = 0.05) -> threading.Thread:
    def run() -> None:
        time.sleep(delay_s)
        reply.set(value)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_it_is_a_future_of_pykkas() -> None:
    """Hosts that know pykka know it: type, map, filter, join, reduce and get_all."""
    one, two = Reply[Any](), Reply[Any]()
    assert isinstance(one, pykka.ThreadingFuture)
    mapped, joined = one.map(lambda value: value + 1), one.join(two)
    one.set(1)
    two.set(2)
    assert mapped.get(timeout=WAIT_S) == 2
    assert list(joined.get(timeout=WAIT_S)) == [1, 2]
    assert list(pykka.get_all([one, two], timeout=WAIT_S)) == [1, 2]
    many: Reply[Any] = Reply()
    many.set([1, 2, 3])
    assert list(many.filter(lambda value: value > 1).get(timeout=WAIT_S)) == [2, 3]
    assert many.reduce(lambda left, right: left + right).get(timeout=WAIT_S) == 6


def test_every_waiter_gets_the_answer() -> None:
    """Many threads may wait, before and after it is set."""
    reply: Reply[str] = Reply()
    got: queue.SimpleQueue[str] = queue.SimpleQueue()
    waiters = [
        threading.Thread(target=lambda: got.put(reply.get(timeout=WAIT_S))) for _ in range(20)
    ]
    for waiter in waiters:
        waiter.start()
    later(reply, "here").join()
    for waiter in waiters:
        waiter.join(WAIT_S)
    assert [got.get_nowait() for _ in waiters] == ["here"] * 20
    assert reply.get() == "here"


@pytest.mark.parametrize("timeout", [0, -1, 0.01])
def test_a_timeout_is_pykkas_and_the_answer_may_still_come(timeout: float) -> None:
    """Giving up waiting changes nothing about the reply."""
    reply: Reply[int] = Reply()
    with pytest.raises(pykka.Timeout):
        reply.get(timeout=timeout)
    reply.set(7)
    assert reply.get(timeout=timeout) == 7


def test_an_error_is_raised_each_time_with_the_traceback_that_it_had() -> None:
    """Asking again does not pile up frames on the error."""
    reply: Reply[int] = Reply()
    try:
        raise ValueError("wrong")
    except ValueError:
        reply.set_exception()
    depths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="wrong") as caught:
            reply.get()
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert depths[0] == depths[2]


def test_it_is_set_once() -> None:
    """A second answer, of either kind, is refused."""
    reply: Reply[int] = Reply()
    reply.set(1)
    with pytest.raises(queue.Full):
        reply.set(2)
    with pytest.raises(queue.Full):
        reply.set_exception((ValueError, ValueError(), None))
    with pytest.raises(queue.Full):
        reply.set_get_hook(lambda timeout: 3)
    assert reply.get() == 1


def test_awaiting_it_leaves_the_loop_free() -> None:
    """Other tasks go on while one waits for the answer."""

    async def main() -> tuple[str, int]:
        reply: Reply[str] = Reply()
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        thread = later(reply, "here", delay_s=0.1)
        answer = await reply
        ticking.cancel()
        thread.join()
        return answer, turns

    answer, turns = asyncio.run(main())
    assert answer == "here"
    assert turns > 5


def test_awaiting_one_that_is_set_or_raises() -> None:
    """No answer is missed, whenever it comes, and an error is raised in the task."""

    async def main() -> None:
        done: Reply[int] = Reply()
        done.set(1)
        assert await done == 1
        assert await done.map(lambda value: value + 1) == 2
        wrong: Reply[int] = Reply()
        wrong.set_exception((KeyError, KeyError("x"), None))
        with pytest.raises(KeyError):
            await wrong
        for _ in range(300):
            reply: Reply[int] = Reply()
            thread = later(reply, 5, delay_s=0)
            assert await asyncio.wait_for(_awaited(reply), WAIT_S) == 5
            thread.join()

    asyncio.run(main())


async def _awaited(reply: Reply[int]) -> int:
    return await reply


def test_a_waiter_that_is_cancelled_or_whose_loop_is_gone_harms_nobody() -> None:
    """Setting the answer later neither fails nor blocks."""
    reply: Reply[int] = Reply()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_awaited(reply), 0.01)

    asyncio.run(main())
    reply.set(1)
    assert reply.get() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_its_parents_answers() -> None:
    """Nobody would ever give them there; what was there before the fork, it has."""
    pending, there = Reply[str](), Reply[str]()
    mapped = pending.map(lambda value: value)
    there.set("here")

    async def wait() -> str:
        return await pending

    child = os.fork()
    if child == 0:
        signal.alarm(int(WAIT_S))  # a child that waits for ever ends as killed by a signal
        code = 1
        try:
            for get in (pending.get, mapped.get, lambda: asyncio.run(wait())):
                with pytest.raises(AuditClosed, match="ask again"):
                    get()
            assert there.get() == "here"
            own = Reply[str]()
            later(own, "own")
            assert own.get(timeout=WAIT_S) == "own"
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    pending.set("parent's")
    assert mapped.get(timeout=WAIT_S) == "parent's"
