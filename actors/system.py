"""AuditSystem: the one place where actors, ledger and files are put together."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from pykka import ActorRef, Future, Timeout

from minutebook.actors.audit import AuditActor
from minutebook.actors.health import Health, Vitals
from minutebook.actors.inbox import CLOSED_MESSAGE, WAKE, AuditInbox, resolve, uncommitted
from minutebook.actors.key_file import load_or_create_key
from minutebook.actors.ledger import sealed_box
from minutebook.actors.ledger.opening import resolve_ledger_path
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.subject_keys import KEYS_SUFFIX, SubjectKeys
from minutebook.actors.open_systems import forget, remember
from minutebook.actors.opened import describe_process
from minutebook.actors.parts import (
    describe_to_writer,
    new_journal,
    new_trail,
    open_clerk,
    open_ledger,
    policy_of,
    side_file,
)
from minutebook.actors.reply import Reply
from minutebook.actors.starting import start
from minutebook.actors.teller import Teller
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import (
    AuditClosed,
    AuditUnavailable,
    FlushTimeout,
    JournalError,
    LedgerError,
    UncommittedEvents,
)
from minutebook.domain.event import complete_types, registered_types
from minutebook.domain.personal import personal_fields
from minutebook.domain.redaction import Redactor

if TYPE_CHECKING:
    from pydantic import BaseModel

    from minutebook.actors.auth_service import Auth
    from minutebook.actors.checkpointer import Checkpointer
    from minutebook.actors.config import Config
    from minutebook.actors.holding import Holder, Holders
    from minutebook.actors.ledger.journal import Journal
    from minutebook.actors.plan_apply import Apply
    from minutebook.actors.plans import Plans
    from minutebook.actors.recording import Trail
    from minutebook.actors.recoverer import Recoverer
    from minutebook.actors.retention_service import Retention, RetentionTimer
    from minutebook.actors.sandboxes import Sandboxes
    from minutebook.actors.services import Services
    from minutebook.actors.session_service import Sessions
    from minutebook.actors.settings import Settings, SettingsGiven
    from minutebook.actors.watch import Watch

# How long a thread that has been told to give up may take to count what is left.
_GIVING_UP_S = 2.0


_FORKED = (
    "this process was forked in the middle of this call, which the parent goes on with; nothing"
    " was taken here: call it again, after the fork the system goes on here by itself."
)
_REVIVING = (
    "a signal handler uses the audit system while its thread is starting it in this forked"
    " process, and would wait for itself; nothing was taken: try again later."
)


class AuditSystem:
    """An audit trail, its actors and its ledger; open it with `AuditSystem.open`.

    Several systems may live in one process, on one ledger or on several. In a forked child a
    system goes on with its first use there, as a producer of its own with a connection,
    journal and threads of its own; of the parent's it only closes what it inherited.
    """

    audit: Teller
    """Tell and ask events."""
    sessions: Sessions
    """Sessions of the host's actors."""
    auth: Auth
    """Users, tokens, and who somebody is."""
    config: Config
    """Settings, with every change recorded."""
    plans: Plans
    """Plans and their phases."""
    apply: Apply
    """Executing plans in sandboxes, and applying them to projects."""
    sandboxes: Sandboxes
    """The sandboxes that there are."""
    retention: Retention
    """Segments, archives, pruning, legal holds, and whom to forget."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        ledger: Ledger,
        encoder: Encoder,
        journal: Journal | None = None,
    ) -> None:
        """Not for hosts: `open` makes the parts and starts them."""
        self.path = path
        """The ledger's file."""
        self.producer = secrets.token_hex(16) if journal is None else journal.producer
        """This system's id in the ledger."""
        self._journal = journal
        self._recoverer: Recoverer | None = None
        self._watch: Watch | None = None
        self._checkpointer: Checkpointer | None = None
        self._retention_timer: RetentionTimer | None = None
        self._settings = settings
        self._ledger = ledger
        self._encoder = encoder
        # Reentrant: a signal handler may close while its thread is closing.
        self._closing = threading.RLock()
        self._closed = False
        # In a forked child that has not used it: the parts are the parent's.
        self._inherited = False
        self._reviving = False
        self._services: Services | None = None
        self._vitals = Vitals(str(path), self.producer)
        self._audit_ref = self._start_audit(journal)
        self._inbox = _inbox_of(self._audit_ref)
        self.audit = Teller(
            self._inbox,
            encoder,
            journal,
            delivery=settings.delivery,
            backlog_max=settings.backlog_max,
            block_timeout_s=settings.block_timeout if settings.overflow == "block" else 0.0,
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        settings_file: str | os.PathLike[str] | None = None,
        config_model: type[BaseModel] | None = None,
        holders: Iterable[Holder] = (),
        **settings: Unpack[SettingsGiven],
    ) -> AuditSystem:
        """Open a ledger, and return the running system that writes to it.

        What processes that died had told is committed first, from their journals. Close the
        system with `close`, or use it as ``with AuditSystem.open(path) as system:``.

        Args:
            path: the ledger's file; made when missing, in a directory that exists. Its side
                files have the same name with ``.lock``, ``.journal.d``, ``.app.db``,
                ``.app.key``, ``.signing.key``, ``.checkpoints.log``, ``.config.toml`` and
                ``.sandboxes`` behind.
            settings_file: a TOML file with settings, or a ``pyproject.toml`` with a table
                ``[tool.minutebook]``; the one that ``MINUTEBOOK_SETTINGS_FILE`` names, if not
                given.
            config_model: a class of pydantic-settings (or pydantic): what `system.config` is
                checked against.
            holders: what else of the host's holds something of plans, and gives it back when
                they are cancelled: see `minutebook.actors.holding.Holder`.
            settings: see `minutebook.actors.settings.Settings`; each can also come from the
                variable ``MINUTEBOOK_<NAME>``, which goes before the file.

        Raises:
            SettingsError: a setting is wrong.
            InvalidHolder: a holder is none, or two have one name.
            LedgerError: of the kind that fits; an existing file was left untouched.
        """
        # Imported when a system is opened: a host's start-up need not wait for them.
        from minutebook.actors.config_options import check_model
        from minutebook.actors.holding import Holders
        from minutebook.actors.ledger.recovery import recover
        from minutebook.actors.recoverer import describe
        from minutebook.actors.settings import load_settings

        check_model(config_model)
        registered = Holders(holders)
        chosen = load_settings(settings, settings_file)
        complete_types()
        if any(map(personal_fields, registered_types().values())):
            sealed_box.load()
        resolved = resolve_ledger_path(path)
        # The key is asked for with the first secret, when the ledger is open.
        redactor = Redactor(lambda: load_or_create_key(side_file(resolved, ".app.key")))
        encoder = Encoder(
            redactor,
            service=chosen.service,
            bytes_max=chosen.event_bytes_max,
            sealer=SubjectKeys(side_file(resolved, KEYS_SUFFIX), redactor.fingerprint),
        )
        ledger = open_ledger(path, chosen, encoder)
        source = f"{chosen.service}/audit"
        producer = secrets.token_hex(16)
        ledger.sign_as(producer)
        try:
            recovered = recover(side_file(ledger.path, ".journal.d"), ledger, encoder)
            journal = new_journal(ledger.path, chosen, producer)
        except BaseException:
            ledger.close()
            raise
        system = cls(ledger.path, chosen, ledger, encoder, journal)
        try:
            system._writer_started.get()
        except AuditUnavailable:
            system._vitals.give_up.set()
            with contextlib.suppress(UncommittedEvents):
                system.close()
            raise
        # First of all: a service may tell what it finds while it starts.
        system.audit.tell(describe_process(source), "journaled")
        for result in recovered:
            system.audit.tell(describe(result, source), "journaled")
        try:
            system._start_services(redactor, config_model, registered)
            system._start_looking(journal)
        except BaseException:
            system.close()
            raise
        remember(system)
        return system

    def _start_audit(self, journal: Journal | None) -> ActorRef[Any]:
        """Start who takes events to the ledger; `_writer_started` says when it can."""
        settings = self._settings
        self._writer_started: Reply[None] = Reply()
        source = f"{settings.service}/audit"
        if settings.writer == "process" and journal is not None:
            from minutebook.actors.relay import RelayActor

            return start(
                RelayActor,
                self._ledger,
                self._encoder,
                self._vitals,
                source=source,
                journal=journal,
                describe=lambda: describe_to_writer(self.path, settings, journal.producer),
                started=self._writer_started,
            )
        self._writer_started.set(None)
        return start(
            AuditActor,
            self._ledger,
            self._encoder,
            self._vitals,
            source=source,
            batch_max=settings.batch_max,
            journal=journal,
        )

    def _start_looking(self, journal: Journal) -> None:
        """Start the threads that look after the journals of others, and after the files."""
        from minutebook.actors.checkpointer import Checkpointer
        from minutebook.actors.recoverer import Recoverer
        from minutebook.actors.watch import Watch

        def open_another() -> SqliteLedger:
            ledger = open_ledger(self.path, self._settings, self._encoder)
            ledger.sign_as(self.producer)
            return ledger

        def catch_up() -> None:
            if self._services is not None:
                self._services.catch_up()

        self._recoverer = Recoverer(
            side_file(self.path, ".journal.d"),
            open_another,
            self._encoder,
            self.audit.tell,
            source=f"{self._settings.service}/audit",
            afterwards=catch_up,
        )
        assert isinstance(self._ledger, SqliteLedger)
        self._watch = Watch(self._ledger, open_another, journal.in_place, self._vitals)
        self._ledger.sign_as(self.producer)
        self._checkpointer = Checkpointer(
            self.path,
            open_another,
            self.audit.tell,
            self._vitals,
            source=f"{self._settings.service}/audit",
            checkpoint_interval_s=self._settings.checkpoint_interval,
            checkpoint_every=self._settings.checkpoint_every,
        )
        if policy_of(self._settings).is_on:
            from minutebook.actors.retention_service import RetentionTimer

            self._retention_timer = RetentionTimer(
                self.retention.apply,
                identity=f"{self._settings.service}/retention",
                interval_s=self._settings.retention_interval,
            )
            self._retention_timer.start()
        self._recoverer.start()
        self._watch.start()
        self._checkpointer.start()

    def _stop_looking(self) -> None:
        if self._recoverer is not None:
            self._recoverer.stop()
        if self._watch is not None:
            self._watch.stop()
        if self._retention_timer is not None:
            self._retention_timer.stop()

    def _new_trail(self) -> Trail:
        return new_trail(self.path, self.producer, self._encoder, self.audit)

    def _start_services(
        self, redactor: Redactor, config_model: type[BaseModel] | None, holders: Holders
    ) -> None:
        from minutebook.actors.config_options import ConfigOptions
        from minutebook.actors.lockout import LockoutRules
        from minutebook.actors.retention_actor import RetentionParts
        from minutebook.actors.services import Services
        from minutebook.actors.session import SessionLimits
        from minutebook.actors.work_limits import SizeLimits

        chosen = self._settings
        self._services = services = Services(
            chosen.service,
            self._new_trail(),
            app_path=side_file(self.path, ".app.db"),
            config_path=chosen.config_path or side_file(self.path, ".config.toml"),
            config_options=ConfigOptions(
                config_model,
                chosen.config_env_prefix,
                self._note_config,
            ),
            sandbox_directory=chosen.sandbox_directory or side_file(self.path, ".sandboxes"),
            sandbox_limits=SizeLimits(chosen.sandbox_bytes_max, chosen.sandbox_files_max),
            redactor=redactor,
            lockout=LockoutRules(chosen.lockout_attempts, chosen.lockout_base, chosen.lockout_cap),
            limits=SessionLimits(chosen.session_lifetime, chosen.session_idle),
            holders=holders,
            cancel_deadline_s=chosen.cancel_deadline,
            retention=RetentionParts(
                lambda source: open_clerk(self.path, chosen, self._encoder, source),
                SubjectKeys(side_file(self.path, KEYS_SUFFIX), redactor.fingerprint),
                redactor,
                policy_of(chosen),
            ),
            refuse=self._refuse_unrecorded,
            revive=self._revive_services,
        )
        self.sessions = services.sessions
        self.auth = services.auth
        self.config = services.config
        self.plans = services.plans
        self.apply = services.apply
        self.sandboxes = services.sandboxes
        self._holders = holders
        self.retention = services.retention
        # First of all: nobody shall see a state that the trail does not tell.
        services.catch_up()
        services.wait_caught_up()

    def _note_config(self, problem: str | None) -> None:
        # A forked child has vitals of its own.
        self._vitals.note_config(problem)

    def _refuse_unrecorded(self) -> None:
        if self._settings.fail_closed and self._vitals.degraded:
            msg = (
                "the audit trail cannot be written, and nothing is done unrecorded"
                f" (fail_closed): {self.health().reason} Try again when health() says ok."
            )
            raise AuditUnavailable(msg)

    def register_holder(self, holder: Holder) -> None:
        """Have cancellations ask this one, too, from the next one on.

        Give it to `open` instead where you can: what was held when a process died is released
        by the next that opens, by the holders that it has then.

        Raises:
            InvalidHolder: it is none, or its name is taken.
        """
        self._holders.register(holder)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was told before is committed.

        Args:
            timeout: seconds; ``None`` waits as long as it takes.

        Raises:
            FlushTimeout: it is not, yet; nothing is lost.
            AuditClosed: the system is closed.
        """
        self.audit.flush(timeout=timeout)

    def health(self) -> Health:
        """Return how the trail is: at once, from any thread, open or closed."""
        if self._inherited:
            return self._vitals.snapshot(waiting=0, refused=0)
        journaled = 0 if self._journal is None else self._journal.backlog
        waiting = len(self._inbox) + journaled
        return self._vitals.snapshot(waiting=waiting, refused=self.audit.refused)

    def is_telling(self) -> bool:
        """Tell whether the calling thread is in the middle of a tell: for signal handlers."""
        # What threading.Condition asks of it, too.
        if self._reviving and self._closing._is_owned():  # type: ignore[attr-defined]
            return True
        return self._inbox.is_held() or (self._journal is not None and self._journal.is_held())

    def close(self, timeout: float | None = None) -> None:
        """Accept nothing more, commit all that was accepted, and stop.

        Running work of plans is stopped first, and its plans end as errored. Closing again
        does nothing.

        Args:
            timeout: seconds for all of it; the setting ``close_timeout`` when not given.

        Raises:
            UncommittedEvents: the ledger could not be written in time; its ``count`` says how
                many events are lost.
        """
        deadline = time.monotonic() + (self._settings.close_timeout if timeout is None else timeout)
        with self._closing:
            if self._closed:
                return
            if self._inherited:
                # Nothing was told here, and what the parent was told is the parent's.
                self._vitals.stopped = self._closed = True
                forget(self)
                return
            self._stop_looking()
            # They tell what they end: the trail comes last.
            if self._services is not None:
                self._services.stop(lambda: _left(deadline))
            if self._checkpointer is not None:
                self._checkpointer.finish(min(_left(deadline), _GIVING_UP_S))
            if self._journal is not None:
                self._journal.close(CLOSED_MESSAGE)
            stopped = self._inbox.close(self._audit_ref)
            reason, count = None, 0
            try:
                stopped.get(timeout=_left(deadline))
            except Timeout:
                reason = self.health().reason
                count = self._give_up(stopped)
            if self._services is not None:
                self._services.clear()
            # Only now: a close that an exception interrupts (Ctrl-C) is done again at exit.
            self._closed = True
            forget(self)
        self._report_loss(count + self._vitals.uncommitted, reason)

    def _give_up(self, stopped: Future[bool]) -> int:
        # What the services took of the time is not the trail's fault: as long as its ledger
        # takes events, it gets some of its own.
        if self.health().status != "degraded":
            with contextlib.suppress(Timeout):
                stopped.get(timeout=_GIVING_UP_S)
        self._vitals.give_up.set()
        # The actor counts what it drops; one that hangs in a system call cannot.
        with contextlib.suppress(Timeout):
            stopped.get(timeout=_GIVING_UP_S)
        if self._vitals.stopped:
            return 0
        count = self._inbox.give_up(self._vitals.ledger) + self._vitals.in_hand
        futures: list[Any] = list(self._vitals.waiting)
        if self._journal is not None:
            count += self._journal.backlog - self._vitals.journaled_in_hand
            futures += self._journal.pending_replies()
        for future in futures:
            resolve(future, uncommitted(self._vitals.ledger, 1))
        return count

    def _report_loss(self, count: int, reason: str | None) -> None:
        if count == 0:
            return
        reason = reason or "the ledger did not take them in time."
        msg = (
            f"closed with {count} events that are not in the ledger: {reason} Those that were"
            " journaled are kept, and committed when the ledger is opened again; give close() a"
            " longer timeout, and watch health() while the system runs."
        )
        raise UncommittedEvents(msg, count=count)

    def close_at_exit(self) -> None:
        """Close when the interpreter ends; see `minutebook.actors.open_systems`."""
        self.close(timeout=self._settings.exit_timeout)

    def flush_at_exit(self) -> None:
        """Commit when the process ends and threads go on; see `minutebook.actors.open_systems`."""
        if self._inherited:
            return
        with contextlib.suppress(FlushTimeout, AuditClosed):
            self.flush(timeout=self._settings.exit_timeout)

    def leave_to_parent(self) -> None:
        """Leave all parts alone in a forked child; see `minutebook.actors.open_systems`."""
        # Whoever held it is not here.
        self._closing = threading.RLock()
        self._inherited, self._reviving = True, False
        self._ledger.leave()
        if self._journal is not None:
            self._journal.leave(_FORKED)
        self._inbox.abandon(_FORKED)
        if self._services is not None:
            self._services.leave(_FORKED)
        self._recoverer = self._watch = self._checkpointer = self._retention_timer = None
        self._become_another()
        self.audit.leave(self._revive)

    def _become_another(self) -> None:
        self.producer = secrets.token_hex(16)
        self._vitals = Vitals(str(self.path), self.producer)
        self._vitals.stopped = self._closed

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads, and signal handlers of this one, out of starting parts."""
        with self._closing:
            if self._reviving:
                raise AuditClosed(_REVIVING)
            self._reviving = True
            try:
                yield
            finally:
                self._reviving = False

    def _revive(self) -> None:
        """Start the trail anew in a forked child; nothing where that was done.

        Raises:
            LedgerError, JournalError, AuditUnavailable: it cannot be; whoever uses the system
                next tries again.
            AuditClosed: the system was closed.
        """
        with self._alone():
            if not self._inherited:
                return
            self._refuse_closed()
            try:
                self._ledger.renew()
                self._start_trail(new_journal(self.path, self._settings, self.producer))
            except (LedgerError, JournalError, AuditUnavailable) as error:
                self._vitals.note_files(str(error))
                raise
            remember(self)

    def _start_trail(self, journal: Journal) -> None:
        audit: ActorRef[Any] | None = None
        try:
            self._start_looking(journal)
            audit = self._start_audit(journal)
            self._writer_started.get()
            # First of all, before anybody else has the journal.
            source = f"{self._settings.service}/audit"
            journal.append(self._encoder.encode_head(describe_process(source)))
            # By a signal handler, meanwhile.
            self._refuse_closed()
        except BaseException:
            self._stop_looking()
            if self._checkpointer is not None:
                self._checkpointer.finish(0.0)
            self._vitals.give_up.set()
            if audit is not None:
                with contextlib.suppress(Timeout):
                    _inbox_of(audit).close(audit).get(timeout=_GIVING_UP_S)
            journal.end(keep=False)
            self._become_another()
            raise
        self._vitals.note_files(None)
        self._journal, self._audit_ref, self._inbox = journal, audit, _inbox_of(audit)
        self._inherited = False
        self.audit.connect(self._inbox, journal)
        # Who takes may sleep by now.
        self._inbox.put(WAKE)

    def _revive_services(self) -> None:
        """Start the services anew in a forked child; nothing where that was done."""
        services = self._services
        if services is None or not services.left:
            return
        self._revive()
        with self._alone():
            if services.left:
                self._refuse_closed()
                services.restart(self._new_trail())
                services.catch_up()
                services.wait_caught_up()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise AuditClosed(CLOSED_MESSAGE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuditSystem {self.path} {'closed' if self._closed else 'open'}>"


def _inbox_of(audit: ActorRef[Any]) -> AuditInbox:
    inbox = audit.actor_inbox
    assert isinstance(inbox, AuditInbox)
    return inbox


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
