"""The service actors of a system: which there are, what each gets, and in which order they stop.

Imported when a system is opened, not with `AuditSystem`: they are half of what there is to
load, and a host's start-up pays for an import long before it opens anything.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pykka import ActorRef, ThreadingActor, Timeout

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.auth import AuthActor
from minutebook.actors.auth_service import Auth
from minutebook.actors.base import CatchUp, Service, StatefulActor
from minutebook.actors.cancellation import CancellationOrchestrator
from minutebook.actors.config import Config
from minutebook.actors.config_actor import ConfigActor
from minutebook.actors.config_options import ConfigOptions
from minutebook.actors.holding import Holders
from minutebook.actors.inbox import Inbox
from minutebook.actors.lockout import LockoutRules
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_apply import Apply, PlanApplyActor
from minutebook.actors.plan_lifecycle import PlanLifecycleActor
from minutebook.actors.plans import Plans
from minutebook.actors.recording import Trail
from minutebook.actors.reply import Reply
from minutebook.actors.retention_actor import RetentionActor, RetentionParts
from minutebook.actors.retention_service import Retention
from minutebook.actors.sandbox_cleanup import SandboxCleanupActor
from minutebook.actors.sandboxes import Sandboxes
from minutebook.actors.session import SessionActor, SessionLimits
from minutebook.actors.session_service import Sessions
from minutebook.actors.starting import start
from minutebook.actors.work_limits import SizeLimits
from minutebook.domain.errors import AuditClosed, MinutebookError
from minutebook.domain.redaction import Redactor

logger = logging.getLogger("minutebook.outbox")


class _Inboxes(NamedTuple):
    sessions: Inbox
    auth: Inbox
    config: Inbox
    plans: Inbox
    sandboxes: Inbox
    apply: Inbox
    cancellation: Inbox
    retention: Inbox


class Services:
    """Starts the service actors, and stops them in order.

    The callers' sides are made once: a host may hold on to them, also across a fork.

    Args:
        service: the host's name.
        trail: takes their events.
        app_path: the app database.
        config_path: the TOML file of the configuration.
        config_options: what else there is to it.
        sandbox_directory: where sandboxes are made.
        sandbox_limits: how large they may become.
        redactor: masks secrets.
        lockout: when a user is locked.
        limits: of sessions.
        holders: who else holds something of plans.
        cancel_deadline_s: how long they are waited for.
        retention: what is kept, and with what.
        refuse: raises when the host may not have anything done that is to be recorded.
        revive: called by whoever asks when they are stopped, or left; see `restart`.
    """

    def __init__(
        self,
        service: str,
        trail: Trail,
        *,
        app_path: Path,
        config_path: Path,
        config_options: ConfigOptions,
        sandbox_directory: Path,
        sandbox_limits: SizeLimits,
        redactor: Redactor,
        lockout: LockoutRules,
        limits: SessionLimits,
        holders: Holders,
        cancel_deadline_s: float,
        retention: RetentionParts,
        refuse: Callable[[], None],
        revive: Callable[[], None],
    ) -> None:
        self._service = service
        self._app_path = app_path
        self._config_parts = (config_path, redactor, config_options)
        self._sandbox_directory = sandbox_directory
        self._sandbox_limits = sandbox_limits
        self._redactor = redactor
        self._lockout = lockout
        self._limits = limits
        self._holders = holders
        self._cancel_deadline_s = cancel_deadline_s
        self._retention = retention
        self.left = False
        """Whether this is a forked child, where they were not started anew."""
        inboxes = self._start_all(trail)
        self.sessions = Sessions(inboxes.sessions, refuse, revive)
        self.auth = Auth(inboxes.auth, refuse, revive)
        self.config = Config(inboxes.config, refuse, revive)
        self.plans = Plans(inboxes.plans, inboxes.cancellation, refuse, revive)
        self.sandboxes = Sandboxes(inboxes.sandboxes, refuse, revive)
        self.apply = Apply(inboxes.apply, refuse, revive)
        self.retention = Retention(inboxes.retention, refuse, revive)

    def restart(self, trail: Trail) -> None:
        """Start them anew, in a forked child, behind the same callers' sides.

        Args:
            trail: takes their events from here on.

        Raises:
            MinutebookError: they cannot be started; none is.
        """
        inboxes = self._start_all(trail)
        self.sessions.connect(inboxes.sessions)
        self.auth.connect(inboxes.auth)
        self.config.connect(inboxes.config)
        self.plans.connect(inboxes.plans)
        self.plans.connect_cancellation(inboxes.cancellation)
        self.sandboxes.connect(inboxes.sandboxes)
        self.apply.connect(inboxes.apply)
        self.retention.connect(inboxes.retention)
        self.left = False

    def _start_all(self, trail: Trail) -> _Inboxes:
        self._trail = trail
        self._running: list[tuple[ActorRef[Any], Inbox]] = []
        self._outboxes: dict[Inbox, Outbox] = {}
        self._catching_up: dict[Inbox, Reply[None]] = {}
        directory = self._sandbox_directory
        try:
            sessions = self._start_stateful(SessionActor, self._limits)
            auth = self._start_stateful(AuthActor, self._lockout)
            config = self._start_stateful(ConfigActor, *self._config_parts)
            sandboxes = self._start_stateful(SandboxCleanupActor, directory)
            # Between themselves nothing is refused: what was begun is to be brought to an end.
            ask_sandboxes = Service(sandboxes).ask
            plans = self._start_stateful(PlanLifecycleActor, ask_sandboxes)
            ask_plans = Service(plans).ask
            apply = self._start_stateful(
                PlanApplyActor,
                ask_plans,
                ask_sandboxes,
                directory,
                self._redactor,
                self._sandbox_limits,
            )
            cancellation = self._start_stateful(
                CancellationOrchestrator,
                *(ask_plans, Service(apply).ask, ask_sandboxes, Service(sessions).ask),
                self._holders,
                self._cancel_deadline_s,
            )
            retention = self._start(RetentionActor, self._retention)
        except BaseException:
            self.stop(lambda: None)
            raise
        return _Inboxes(sessions, auth, config, plans, sandboxes, apply, cancellation, retention)

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
        for inbox in tuple(self._outboxes):
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

    def leave(self, why: str) -> None:
        """Have whoever asks next call ``revive``, in a forked child: the actors are not there."""
        for _, inbox in self._running:
            inbox.abandon(why)
        self._running, self._outboxes, self._catching_up = [], {}, {}
        self.left = True
