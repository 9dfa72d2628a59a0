"""What all service actors have in common: commands, identity, and what failure means."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

from pykka import Future, ThreadingActor

from minutebook.actors.inbox import Inbox
from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Intent, Recording
from minutebook.actors.reply import Reply
from minutebook.domain.commands import Command
from minutebook.domain.context import Binding
from minutebook.domain.errors import InvalidCommand, MinutebookError, ServiceFailure
from minutebook.domain.event import AuditEvent

logger = logging.getLogger("minutebook.actors")

Ask = Callable[[Command], Future[Any]]
"""How one actor asks another without knowing it: the system passes these in."""

Tell = Callable[[AuditEvent], None]
"""How an actor tells the trail: `minutebook.actors.teller.Teller.tell`."""

ASK_TIMEOUT_S: Final = 60.0
"""How long an actor waits for another one's answer."""


class Request(NamedTuple):
    """A command on its way to an actor."""

    command: Command
    """What to do."""
    binding: Binding
    """Who asked, in which request: bound again around the handling."""
    reply: Reply[Any]
    """Gets the result, or the error."""


class CatchUp(NamedTuple):
    """Asks a `StatefulActor` to look after its outbox: to end what was cut off."""

    reply: Reply[None]
    """Gets ``None`` when that is done."""


class Later:
    """What a handler returns when the answer comes later, through the request's future."""


LATER: Final = Later()

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


def handles(command: type[Command]) -> Callable[[_Handler], _Handler]:
    """Mark the method of a `ServiceActor` that handles a command."""

    def mark(method: _Handler) -> _Handler:
        method.handled_command = command  # type: ignore[attr-defined]
        return method

    return mark


class ServiceActor(ThreadingActor):
    """Handles one command at a time, as whoever sent it.

    An error of a handler goes to the caller, as one of ours, and never ends the actor.

    Args:
        service: the host's name, first part of the ``source`` of what the actor tells.
    """

    use_daemon_thread = True

    name: ClassVar[str]
    """Last part of the ``source``, such as ``sessions``."""
    handlers: ClassVar[dict[type[Command], str]]
    """Method for each command."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.source = f"{service}/{self.name}"
        self.request: Request

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Of its bases too: an actor with many commands is written in several classes.
        cls.handlers = {
            method.handled_command: attribute
            for base in reversed(cls.__mro__)
            for attribute, method in vars(base).items()
            if hasattr(method, "handled_command")
        }

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Inbox()

    def on_receive(self, message: Any) -> None:
        """Handle a `Request` and answer it."""
        assert isinstance(message, Request), message
        self.request = message
        with message.binding.restored(source=self.source):
            answer(message.reply, lambda: self._handle(message.command))

    def _handle(self, command: Command) -> Any:
        attribute = self.handlers.get(type(command))
        if attribute is None:
            msg = f"{self.source} has no answer to {type(command).__name__}; ask another service."
            raise InvalidCommand(msg)
        return getattr(self, attribute)(command)


class StatefulActor(ServiceActor):
    """A service actor that keeps what it knows in the app database, and tells of changes.

    State and event go together, by the `Outbox`: ``with self._recorded() as recording`` is the
    one way to change state and to tell of it.

    Args:
        service: the host's name.
        outbox: the actor's own, with its connection to the app database; closed at the end.
    """

    def __init__(self, service: str, outbox: Outbox) -> None:
        super().__init__(service)
        self._outbox = outbox
        self._database = outbox.database

    def on_receive(self, message: Any) -> None:
        """Handle a `Request`, or look after the outbox, and answer."""
        if isinstance(message, CatchUp):
            answer(message.reply, self._catch_up)
        else:
            super().on_receive(message)

    def _recorded(self) -> AbstractContextManager[Recording]:
        return self._outbox.recorded()

    def _catch_up(self) -> None:
        self._outbox.catch_up()
        self._resume_orphans()

    def _resume_orphans(self) -> None:
        for intent in self._orphans():
            with intent.binding.restored(source=self.source):
                try:
                    self._resume(intent)
                # The next look tries again, and the others are not kept waiting.
                except MinutebookError as error:
                    logger.warning("%s: a %s is unfinished: %s", self.source, intent.kind, error)

    def _orphans(self) -> list[Intent]:
        return self._outbox.orphans()

    def _resume(self, intent: Intent) -> None:
        """Bring to an end what was cut off; run as whoever had asked for it."""
        raise NotImplementedError(intent.kind)

    def on_stop(self) -> None:
        """Close the outbox and its database."""
        self._outbox.close()


def answer(reply: Reply[Any], work: Callable[[], Any]) -> None:
    """Run some work and give its result, or its error, to a future.

    Errors that are not ours become `ServiceFailure`, with the cause chained. BaseException
    too: a panic of a Rust library would make pykka stop every actor of the process.
    """
    try:
        result = work()
    except MinutebookError as error:
        reply.set_exception((type(error), error, error.__traceback__))
    except BaseException as error:
        logger.exception("a command failed unexpectedly")
        failure = ServiceFailure(
            f"the command failed unexpectedly ({type(error).__name__}: {error}); look at the"
            " log of minutebook.actors, and report it as a bug when it is one."
        )
        failure.__cause__ = error
        reply.set_exception((type(failure), failure, failure.__traceback__))
    else:
        if result is not LATER:
            reply.set(result)


def path_text(path: str | bytes | os.PathLike[Any]) -> str:
    """Return a path that a caller gave as text, bytes that are not UTF-8 escaped.

    Raises:
        InvalidCommand: it is none.
    """
    try:
        return os.fsdecode(path)
    except TypeError:
        msg = f"a path is text, bytes or a Path, not {path!r:.80}. Correct it; nothing was done."
        raise InvalidCommand(msg) from None


class Service:
    """The caller's side of a service actor.

    Args:
        inbox: the actor's.
        refuse: raises when what is to be recorded may not be done now.
        revive: called when the inbox is closed; may `connect` another one, in a forked child.
    """

    def __init__(
        self,
        inbox: Inbox,
        refuse: Callable[[], None] | None = None,
        revive: Callable[[], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._refuse = refuse
        self._revive = revive

    def connect(self, inbox: Inbox) -> None:
        """Ask another actor from here on."""
        self._inbox = inbox

    def ask(self, command: Command) -> Future[Any]:
        """Send a command along with what the caller has bound.

        Raises:
            AuditClosed: the system is closed; nothing was done.
            AuditUnavailable: the ledger cannot be written, and the system was opened with
                ``fail_closed``; nothing was done.
        """
        if self._inbox.closed and self._revive is not None:
            self._revive()
        if self._refuse is not None and command.audited:
            self._refuse()
        reply: Reply[Any] = Reply()
        self._inbox.deliver(Request(command, Binding.current(), reply))
        return reply
