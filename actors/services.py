"""The service actors of a system: which there are, what each gets, and in which order they stop.

Imported when a system is opened, not with `AuditSystem`: they are half of what there is to
load, and a host's start-up pays for an import long before it opens anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pykka import ActorRef, ThreadingActor, Timeout

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.auth import Auth, AuthActor
from minutebook.actors.base import Service, Tell
from minutebook.actors.cancellation import CancellationOrchestrator
from minutebook.actors.config import Config, ConfigActor
from minutebook.actors.inbox import Inbox
from minutebook.actors.plan_apply import Apply, PlanApplyActor
from minutebook.actors.plan_lifecycle import PlanLifecycleActor
from minutebook.actors.plans import Plans
from minutebook.actors.sandbox_cleanup import SandboxCleanupActor, Sandboxes
from minutebook.actors.session import SessionActor, Sessions
from minutebook.actors.starting import start
from minutebook.domain.redaction import Redactor


class Services:
    """Starts the service actors, and stops them in order.

    Args:
        service: the host's name.
        tell: takes their events.
        app_path: the app database.
        config_path: the TOML file of the configuration.
        sandbox_directory: where sandboxes are made.
        redactor: masks secrets.
        refuse: raises when the host may not have anything done that is to be recorded.
    """

    def __init__(
        self,
        service: str,
        tell: Tell,
        *,
        app_path: Path,
        config_path: Path,
        sandbox_directory: Path,
        redactor: Redactor,
        refuse: Callable[[], None],
    ) -> None:
        self._service = service
        self._running: list[tuple[ActorRef[Any], Inbox]] = []
        try:
            self.sessions = Sessions(self._start(SessionActor, tell, AppDatabase(app_path)), refuse)
            self.auth = Auth(self._start(AuthActor, tell, AppDatabase(app_path)), refuse)
            self.config = Config(
                self._start(ConfigActor, tell, AppDatabase(app_path), config_path, redactor),
                refuse,
            )
            lifecycle = self._start(PlanLifecycleActor, tell, AppDatabase(app_path))
            cleanup = self._start(
                SandboxCleanupActor, tell, AppDatabase(app_path), sandbox_directory
            )
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

    def stop(self, seconds_left: Callable[[], float | None]) -> None:
        """Stop each after what it was asked before: who asks others, before those whom it asks.

        Args:
            seconds_left: how long to wait for the next one; ``None`` for as long as it takes.
        """
        for ref, inbox in reversed(self._running):
            with contextlib.suppress(Timeout):
                inbox.close(ref).get(timeout=seconds_left())

    def abandon(self, why: str) -> None:
        """Refuse everything, in a forked child."""
        for _, inbox in self._running:
            inbox.abandon(why)
