"""The service actors of a system: which there are, what each gets, and in which order they stop.

Imported when a system is opened, not with `AuditSystem`: they are half of what there is to
load, and a host's start-up pays for an import long before it opens anything.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pykka import ActorRef, ThreadingActor, Timeout

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.auth import Auth, AuthActor
from minutebook.actors.base import CatchUp, Service, StatefulActor
from minutebook.actors.cancellation import CancellationOrchestrator
from minutebook.actors.config import Config, ConfigActor
from minutebook.actors.inbox import Inbox
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_apply import Apply, PlanApplyActor
from minutebook.actors.plan_lifecycle import PlanLifecycleActor
from minutebook.actors.plans import Plans
from minutebook.actors.recording import Trail
from minutebook.actors.reply import Reply
from minutebook.actors.sandbox_cleanup import SandboxCleanupActor, Sandboxes
from minutebook.actors.session import SessionActor, Sessions
from minutebook.actors.starting import start
from minutebook.domain.errors import AuditClosed, MinutebookError
from minutebook.domain.redaction import Redactor

logger = logging.getLogger("minutebook.outbox")


class Services:
    """Starts the service actors, and stops them in order.

    Args:
        service: the host's name.
        trail: takes their events.
        app_path: the app database.
        config_path: the TOML file of the configuration.
        sandbox_directory: where sandboxes are made.
        redactor: masks secrets.
        refuse: raises when the host may not have anything done that is to be recorded.
    """

    def __init__(
        self,
        service: str,
        trail: Trail,
        *,
        app_path: Path,
        config_path: Path,
        sandbox_directory: Path,
        redactor: Redactor,
        refuse: Callable[[], None],
    ) -> None:
        self._service = service
        self._trail = trail
        self._app_path = app_path
        self._running: list[tuple[ActorRef[Any], Inbox]] = []
        self._outboxes: dict[Inbox, Outbox] = {}
        self._catching_up: dict[Inbox, Reply[None]] = {}
        tell = trail.teller.tell
        try:
            self.sessions = Sessions(self._start_stateful(SessionActor), refuse)
            self.auth = Auth(self._start_stateful(AuthActor), refuse)
            self.config = Config(self._start_stateful(ConfigActor, config_path, redactor), refuse)
            lifecycle = self._start_stateful(PlanLifecycleActor)
            cleanup = self._start_stateful(SandboxCleanupActor, sandbox_directory)
            self.sandboxes = Sandboxes(cleanup, refuse)
            # Between themselves nothing is refused: what was begun is to be brought to an end.
            ask_plans, ask_sandboxes = Service(lifecycle).ask, Service(cleanup).ask
            applying = self._start(
                PlanApplyActor, tell, ask_plans, ask_sandboxes, sandbox_directory
            )
            self.apply = Apply(applying, refuse)
            cancellation = self._start(
                CancellationOrchestrator, tell, ask_plans, Service(applying).ask, ask_sandboxes
            )
            self.plans = Plans(lifecycle, cancellation, refuse)
        except BaseException:
            self.stop(lambda: None)
            raise

    def _start(self, actor_class: type[ThreadingActor], *parts: Any) -> Inbox:
        ref = start(actor_class, self._service, *parts)
        inbox = ref.actor_inbox
        assert isinstance(inbox, Inbox)
        self._running.append((ref, inbox))
        return inbox

    def _start_stateful(self, actor_class: type[StatefulActor], *parts: Any) -> Inbox:
        outbox = Outbox(AppDatabase(self._app_path), actor_class.name, self._trail)
        inbox = self._start(actor_class, outbox, *parts)
        self._outboxes[inbox] = outbox
        return inbox

    def catch_up(self) -> None:
        """Have each look after its outbox, where systems that died may have left something.

        Returns at once; who has not done with the last look is not asked again.
        """
        for inbox in self._outboxes:
            last = self._catching_up.get(inbox)
            if last is not None and not self._is_caught_up(inbox, last, timeout_s=0):
                continue
            reply: Reply[None] = Reply()
            with contextlib.suppress(AuditClosed):
                inbox.deliver(CatchUp(reply))
                self._catching_up[inbox] = reply

    def wait_caught_up(self) -> None:
        """Wait until each has."""
        for inbox, reply in self._catching_up.items():
            self._is_caught_up(inbox, reply, timeout_s=None)

    def _is_caught_up(self, inbox: Inbox, reply: Reply[None], *, timeout_s: float | None) -> bool:
        try:
            reply.get(timeout=timeout_s)
        except Timeout:
            return False
        # It stays as it is, and the next look tries again.
        except MinutebookError as error:
            actor = self._outboxes[inbox].actor
            logger.warning("%s: the outbox was not looked after: %s", actor, error)
        return True

    def stop(self, seconds_left: Callable[[], float | None]) -> None:
        """Stop each after what it was asked before: who asks others, before those whom it asks.

        Args:
            seconds_left: how long to wait for the next one; ``None`` for as long as it takes.
        """
        for ref, inbox in reversed(self._running):
            try:
                inbox.close(ref).get(timeout=seconds_left())
            except Timeout:
                # It may go on to use it.
                self._outboxes.pop(inbox, None)

    def clear(self) -> None:
        """Delete what the outboxes hold of events that are in the ledger.

        Called when the trail has ended as well. What stays is settled by the next `open`.
        """
        database: AppDatabase | None = None
        try:
            for outbox in self._outboxes.values():
                if outbox.has_settled():
                    database = database or AppDatabase(self._app_path)
                    outbox.clear(database)
        except MinutebookError as error:
            logger.warning("the outbox could not be cleared; the next open does it: %s", error)
        finally:
            if database is not None:
                database.close()

    def abandon(self, why: str) -> None:
        """Refuse everything, in a forked child."""
        for _, inbox in self._running:
            inbox.abandon(why)
