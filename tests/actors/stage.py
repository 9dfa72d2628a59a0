"""Actors under test, each alone or with real neighbours, on a strict ledger in memory."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, NamedTuple

from pykka import ActorRef, ActorRegistry, ThreadingActor

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.audit import AuditActor
from minutebook.actors.auth import AuthActor
from minutebook.actors.auth_service import Auth
from minutebook.actors.base import Service, StatefulActor
from minutebook.actors.cancellation import CancellationOrchestrator
from minutebook.actors.config import Config
from minutebook.actors.config_actor import ConfigActor
from minutebook.actors.config_options import ConfigOptions
from minutebook.actors.health import Vitals
from minutebook.actors.inbox import AuditInbox, Inbox
from minutebook.actors.ledger.memory import MemoryLedger
from minutebook.actors.outbox import Outbox
from minutebook.actors.plan_apply import Apply, PlanApplyActor
from minutebook.actors.plan_lifecycle import PlanLifecycleActor
from minutebook.actors.plans import Plans
from minutebook.actors.recording import Trail
from minutebook.actors.sandbox_cleanup import SandboxCleanupActor
from minutebook.actors.sandboxes import Sandboxes
from minutebook.actors.session import SessionActor
from minutebook.actors.session_service import Sessions
from minutebook.actors.teller import Teller
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Entry
from minutebook.domain.redaction import KEY_BYTES, Redactor

WAIT_S = 60.0
"""How long a test waits for an answer: a hang fails, a busy machine does not."""

SERVICE = "shop"


class Workshop(NamedTuple):
    """The actors that a plan goes through, wired as the system wires them."""

    plans: Plans
    apply: Apply
    sandboxes: Sandboxes


class Stage:
    """Starts actors and reads what they told.

    Args:
        directory: where the app database, the configuration and the sandboxes are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.redactor = Redactor(bytes(KEY_BYTES))
        self.encoder = encoder = Encoder(self.redactor, service=SERVICE)
        self.ledger = MemoryLedger(encoder)
        self._audit = _start(
            AuditActor, self.ledger, encoder, Vitals("memory", "0" * 32), source=f"{SERVICE}/audit"
        )
        inbox = self._audit.actor_inbox
        assert isinstance(inbox, AuditInbox)
        self.teller = Teller(inbox, encoder)
        self._audit_inbox = inbox
        self.gone: set[str] = set()
        """Producers that have ended."""
        self.trail = Trail(
            secrets.token_hex(16),
            encoder,
            self.teller,
            lambda producer: producer in self.gone,
            lambda ids: {entry.id for entry in self.ledger.entries} & set(ids),
        )
        self._services: list[tuple[ActorRef[Any], Inbox]] = []

    @property
    def config_path(self) -> Path:
        """The TOML file of the ConfigActor."""
        return self.directory / "config.toml"

    @property
    def sandbox_directory(self) -> Path:
        """Where sandboxes are made."""
        return self.directory / "sandboxes"

    def database(self) -> AppDatabase:
        """A connection of its own, as each actor has one."""
        return AppDatabase(self.directory / "app.db")

    def outbox(self, actor_class: type[StatefulActor]) -> Outbox:
        """An actor's own, with a connection of its own."""
        return Outbox(self.database(), actor_class.name, self.trail)

    def serve(self, actor_class: type[ThreadingActor], *parts: Any) -> Inbox:
        """Start an actor."""
        ref = _start(actor_class, *parts)
        inbox = ref.actor_inbox
        assert isinstance(inbox, Inbox)
        self._services.append((ref, inbox))
        return inbox

    def sessions(self, *parts: Any) -> Sessions:
        """A SessionActor alone, with more of its parts than it needs."""
        return Sessions(self.serve(SessionActor, SERVICE, self.outbox(SessionActor), *parts))

    def auth(self, *parts: Any) -> Auth:
        """An AuthActor alone, with more of its parts than it needs."""
        return Auth(self.serve(AuthActor, SERVICE, self.outbox(AuthActor), *parts))

    def config(self, options: ConfigOptions | None = None) -> Config:
        """A ConfigActor alone."""
        parts = (self.outbox(ConfigActor), self.config_path, self.redactor, options)
        return Config(self.serve(ConfigActor, SERVICE, *parts))

    def plans(self, sandboxes: Sandboxes | None = None) -> Inbox:
        """A PlanLifecycleActor, and a SandboxCleanupActor for what it asks."""
        ask = (sandboxes or self.sandboxes()).ask
        return self.serve(PlanLifecycleActor, SERVICE, self.outbox(PlanLifecycleActor), ask)

    def sandboxes(self) -> Sandboxes:
        """A SandboxCleanupActor alone."""
        parts = (self.outbox(SandboxCleanupActor), self.sandbox_directory)
        return Sandboxes(self.serve(SandboxCleanupActor, SERVICE, *parts))

    def workshop(self) -> Workshop:
        """All that plans need."""
        tell = self.teller.tell
        sandboxes = self.sandboxes()
        lifecycle = self.plans(sandboxes)
        ask_plans, ask_sandboxes = Service(lifecycle).ask, sandboxes.ask
        parts = (ask_plans, ask_sandboxes, self.sandbox_directory, self.redactor)
        apply = Apply(self.serve(PlanApplyActor, SERVICE, self.outbox(PlanApplyActor), *parts))
        cancellation = self.serve(
            CancellationOrchestrator, SERVICE, tell, ask_plans, apply.ask, ask_sandboxes
        )
        return Workshop(Plans(lifecycle, cancellation), apply, sandboxes)

    def stop_services(self) -> None:
        """Stop the actors in the system's order: who asks others before those whom it asks."""
        while self._services:
            ref, inbox = self._services.pop()
            inbox.close(ref).get(timeout=WAIT_S)

    def entries(self, *types: str) -> list[Entry]:
        """What was recorded until now: all, or the entries of some types."""
        self.teller.flush(timeout=WAIT_S)
        return [entry for entry in self.ledger.entries if not types or entry.type in types]

    def types(self) -> list[str]:
        """The types of what was recorded, in order."""
        return [entry.type for entry in self.entries()]

    def only(self, event_type: str) -> Entry:
        """The one entry of a type."""
        (entry,) = self.entries(event_type)
        return entry

    def close(self) -> None:
        """Stop everything; the ledger checks itself."""
        self.stop_services()
        self._audit_inbox.close(self._audit).get(timeout=WAIT_S)


def _start(actor_class: type[ThreadingActor], *parts: Any, **settings: Any) -> ActorRef[Any]:
    ref = actor_class.start(*parts, **settings)
    ActorRegistry.unregister(ref)
    return ref
