"""Asking one holder, on a thread of its own: what it holds, and to give it back.

What it holds is persisted before the first of it is released, and each answer together with
its event. A thread that is not waited for any longer goes on, and its late answers are
recorded when they come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from minutebook.actors.cancelling.context import Context
from minutebook.actors.cancelling.own_holder import OwnHolder
from minutebook.actors.cancelling.resource_record import FAILED, RELEASED, Waiting, unsaid
from minutebook.actors.holding import Holder
from minutebook.actors.ledger.flag import Flag
from minutebook.domain.context import Binding
from minutebook.domain.errors import InvalidHolder
from minutebook.domain.event import AuditEvent
from minutebook.domain.events import ResourceReleased, ResourceReleaseFailed
from minutebook.domain.fitting import shortened
from minutebook.domain.resources import Freed, HeldResource

logger = logging.getLogger("minutebook.actors")

_IDENTIFIER_MAX: Final = 4096


class Asking:
    """One holder's part in a cancellation.

    Args:
        holder: who is asked.
        context: the cancellation.
        project_names: for the events.
        source: of the events.
    """

    def __init__(
        self,
        holder: Holder | OwnHolder,
        context: Context,
        project_names: tuple[str, ...],
        source: str,
    ) -> None:
        self.name = holder.name
        self._holder = holder
        self._context = context
        self._project_names = project_names
        self._source = source
        self._has_said = False
        self._doing = "saying what it holds"
        self._ended = Flag()

    def start(self) -> None:
        """Begin to ask."""
        binding = Binding.current()

        def ask() -> None:
            with binding.restored(source=self._source):
                self._ask()

        name = f"cancel-{self._context.plan_id}-{self.name}"
        threading.Thread(target=ask, name=name, daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Wait until it has done, or for some time."""
        self._ended.wait(seconds)

    def waiting(self) -> Waiting | None:
        """Say what it is waited for; ``None`` when it has done. With the record locked."""
        if self._ended.is_set():
            return None
        deadline_s = self._context.row.deadline_s
        return Waiting(self._has_said, f"no answer within {deadline_s:g} s: it was {self._doing}")

    def _ask(self) -> None:
        # BaseException: whatever a host's holder does, nobody else is to suffer from it.
        try:
            held = self._hold(self._said())
            self._doing = "preparing the release"
            if isinstance(self._holder, OwnHolder):
                self._holder.prepare(held)
            for resource in held:
                self._doing = f"releasing {resource.kind} {shortened(resource.id, 200)}"
                self._release(resource)
        except BaseException as error:
            if self._context.record.closed:
                logger.warning("%s answered after the system was closed", self.name)
            else:
                logger.exception("%s: what it was asked came to nothing", self.name)
                self._note_breakdown(error)
        finally:
            if isinstance(self._holder, OwnHolder):
                self._holder.end()
            self._ended.set()

    def _said(self) -> list[HeldResource]:
        plan_id = self._context.plan_id
        try:
            said = list(self._holder.held(plan_id))
            return [self._checked(resource) for resource in said]
        except BaseException as error:  # noqa: BLE001 - it is the host's, and told
            unknown = unsaid(self.name, plan_id)
            self._hold([unknown])
            self._note_failure(unknown, error, 0.0)
            return []

    def _checked(self, resource: HeldResource) -> HeldResource:
        if not isinstance(resource, HeldResource):
            msg = f"holder {self.name}: held() returned {resource!r:.200}; return HeldResources."
            raise InvalidHolder(msg)
        if not resource.kind or not resource.id or len(resource.id) > _IDENTIFIER_MAX:
            msg = (
                f"holder {self.name}: held() returned a {resource.kind!r:.200} with the id"
                f" {resource.id!r:.200}; give both, of at most {_IDENTIFIER_MAX} characters."
            )
            raise InvalidHolder(msg)
        return resource.model_copy(update={"plan_id": self._context.plan_id, "owner": self.name})

    def _hold(self, said: list[HeldResource]) -> list[HeldResource]:
        with self._context.record.locked():
            held = self._context.record.hold(self._context.plan_id, self.name, said)
            self._has_said = True
            return held

    def _release(self, resource: HeldResource) -> None:
        started = time.monotonic()
        try:
            freed = _checked_freed(self.name, self._holder.release(resource))
        except BaseException as error:  # noqa: BLE001 - it is the host's, and told
            self._note_failure(resource, error, time.monotonic() - started)
            return
        self._note(
            resource,
            RELEASED,
            freed,
            "",
            lambda: ResourceReleased(
                plan_id=self._context.plan_id,
                project_names=self._project_names,
                kind=resource.kind,
                resource_id=resource.id,
                owner=self.name,
                since=resource.since,
                bytes=freed.bytes,
                files=freed.files,
                seconds=round(freed.seconds, 6),
            ),
        )

    def _note_failure(self, resource: HeldResource, error: BaseException, seconds: float) -> None:
        said = shortened(str(error)) or type(error).__name__
        self._note(
            resource,
            FAILED,
            Freed(seconds=seconds),
            said,
            lambda: ResourceReleaseFailed(
                plan_id=self._context.plan_id,
                project_names=self._project_names,
                outcome_reason=type(error).__name__,
                kind=resource.kind,
                resource_id=resource.id,
                owner=self.name,
                since=resource.since,
                seconds=round(seconds, 6),
                error=said,
            ),
        )

    def _note(
        self,
        resource: HeldResource,
        state: str,
        freed: Freed,
        error: str,
        event: Callable[[], AuditEvent],
    ) -> None:
        with self._context.record.recorded() as recording:
            self._context.record.answered(resource, state, freed, error)
            if not isinstance(self._holder, OwnHolder) or not self._holder.tells:
                recording.tell(event())

    def _note_breakdown(self, error: BaseException) -> None:
        """All that it still holds could not be released."""
        try:
            for resource in self._hold([]):
                self._note_failure(resource, error, 0.0)
        # The database, most likely: what is held stays so, and is gone on with later.
        except BaseException:
            logger.exception("%s: nothing could be noted", self.name)


def _checked_freed(name: str, freed: Any) -> Freed:
    # A host's holder may return nothing, or numbers of other types.
    if freed is None:
        return Freed()
    try:
        bytes_freed, files_freed, seconds = freed
        return Freed(int(bytes_freed), int(files_freed), float(seconds))
    except (TypeError, ValueError) as error:
        msg = f"holder {name}: release() returned {freed!r:.200}; return a Freed."
        raise InvalidHolder(msg) from error
