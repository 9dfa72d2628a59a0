"""Actors that go on with others while slow work is done for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from minutebook.actors.aside import Aside, Ended, Job
from minutebook.actors.base import LATER, Later, Request, StatefulActor, answer
from minutebook.actors.inbox import Inbox
from minutebook.actors.outbox import Outbox
from minutebook.domain.commands import UserCommand

WIDTH: Final = 2
"""Most slow works at once: each of them uses several processors and 64 MiB."""

Result = TypeVar("Result")


class Look(NamedTuple):
    """Some slow work has ended."""


LOOK: Final = Look()


class InTurnActor(StatefulActor):
    """Does slow work aside, and what is asked about one user in the order in which it was asked.

    A command about a user for whom something is done aside waits for its turn; others are
    handled meanwhile.

    Args:
        service: the host's name.
        outbox: the actor's own.
    """

    def __init__(self, service: str, outbox: Outbox) -> None:
        super().__init__(service, outbox)
        self._aside = Aside(f"minutebook-{self.name}", WIDTH, self._wake)
        self._behind: dict[str, deque[Request]] = {}
        self._running: set[str] = set()

    def _wake(self) -> None:
        # Not by `deliver`, which refuses it when the inbox is closed.
        inbox = self.actor_inbox
        assert isinstance(inbox, Inbox)
        inbox.put(LOOK)

    def on_receive(self, message: Any) -> None:
        """Handle a message, or put it behind those that are before it."""
        if message is LOOK:
            self._go_on(self._aside.take())
        elif isinstance(message, Request) and (name := _user_name(message)) in self._behind:
            self._behind[name].append(message)
        else:
            super().on_receive(message)

    def _later(self, work: Callable[[], Result], then: Callable[[Result], Any]) -> Later:
        """Have slow work done aside: what a handler of a `UserCommand` returns.

        Args:
            work: called on another thread.
            then: called with its result on this one, as whoever asked; returns the answer.
        """
        name = _user_name(self.request)
        self._running.add(name)
        self._behind.setdefault(name, deque())
        self._aside.do(Job(self.request, work, then))
        return LATER

    def _go_on(self, ended: Ended) -> None:
        self.request = request = ended.request
        name = _user_name(request)
        self._running.discard(name)
        with request.binding.restored(source=self.source):
            answer(request.reply, ended.go_on)
        while name not in self._running:
            waiting = self._behind[name]
            if not waiting:
                del self._behind[name]
                return
            super().on_receive(waiting.popleft())

    def on_stop(self) -> None:
        """Answer everybody, and close."""
        try:
            while self._aside.pending:
                self._go_on(self._aside.take())
            self._aside.stop()
        finally:
            super().on_stop()


def _user_name(request: Request) -> str:
    command = request.command
    return command.name if isinstance(command, UserCommand) else ""
