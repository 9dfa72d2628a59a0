"""Minutebook's own holders: what each keeps for a plan, and how that is given back."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pykka import Future

from minutebook.actors.base import ASK_TIMEOUT_S
from minutebook.actors.cancelling.own_holder import OwnHolder
from minutebook.actors.cancelling.work_holder import WorkHolder
from minutebook.actors.file_lock import FileLock
from minutebook.actors.git.worktree import measure
from minutebook.actors.sandbox_commits import touched
from minutebook.actors.work.temporary import temporary_of
from minutebook.domain.commands import (
    CancelPlan,
    CloseSession,
    GetPlan,
    ListPlans,
    ListSandboxes,
    ListSessions,
    ReleaseSandbox,
)
from minutebook.domain.errors import (
    IllegalTransition,
    MinutebookError,
    ProjectError,
    SessionAlreadyClosed,
    UnknownPlan,
    UnknownSession,
)
from minutebook.domain.plan import Phase, ProcessingState, is_ended
from minutebook.domain.resources import (
    CHILD_PLAN,
    DIRECTORY,
    FILE_LOCK,
    GIT_BRANCH,
    GIT_WORKTREE,
    SESSION,
    TEMP_FILE,
    Freed,
    HeldResource,
)
from minutebook.domain.state import Cancellation, Plan, Sandbox, Session

_CHILDS_SHARE: Final = 0.8
"""Of what is left until the deadline, what a child's cancellation gets: it is to end before."""

_LOCK_WAIT_S: Final = 1.0


class SandboxHolder(OwnHolder):
    """Holds the sandboxes, but for those that are kept: they survive the plan's end."""

    name = "sandboxes"
    tells = True

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """Return work tree and branch of each, or its directory."""
        listing = ListSandboxes(plan_id=plan_id)
        existing: tuple[Sandbox, ...] = self._context.ask.sandboxes(listing).get(
            timeout=ASK_TIMEOUT_S
        )
        self._sandboxes = existing
        self._by_resource: dict[tuple[str, str], Sandbox] = {}
        for sandbox in existing:
            if sandbox.kept:
                continue
            if sandbox.kind == "directory":
                self._by_resource[DIRECTORY, sandbox.path] = sandbox
                continue
            self._by_resource[GIT_WORKTREE, sandbox.path] = sandbox
            assert sandbox.branch is not None, sandbox
            self._by_resource[GIT_BRANCH, sandbox.branch] = sandbox
        self._errors: dict[str, MinutebookError] = {}
        return [
            self._holds(kind, name, sandbox.created_at)
            for (kind, name), sandbox in self._by_resource.items()
        ]

    def prepare(self, held: Sequence[HeldResource]) -> None:
        """Wait for the end of the work, which writes into them, and count what it did."""
        self._context.work_ended.wait()
        self._context.record.note_found(
            self._plan_id, files_touched=_files_touched(self._sandboxes)
        )

    def release(self, resource: HeldResource) -> Freed:
        """Remove a sandbox; with the work tree goes the branch."""
        sandbox = self._by_resource.get((resource.kind, resource.id))
        if sandbox is None:
            # It was released before a crash.
            return Freed()
        if sandbox.sandbox_id in self._errors:
            raise self._errors[sandbox.sandbox_id]
        if resource.kind == GIT_BRANCH:
            return Freed()
        release = ReleaseSandbox(plan_id=self._plan_id, sandbox_id=sandbox.sandbox_id)
        try:
            freed = self._context.ask.sandboxes(release).get(timeout=None)
        except MinutebookError as error:
            self._errors[sandbox.sandbox_id] = error
            raise
        if freed is None:
            return Freed()
        return Freed(freed.bytes_freed, freed.files_freed, freed.seconds)


class FileHolder(OwnHolder):
    """Holds what lies beside the sandboxes: lock files, and the work's temporary files."""

    name = "files"

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """Return each that is there."""
        listing = ListSandboxes(plan_id=plan_id, existing_only=False)
        sandboxes: tuple[Sandbox, ...] = self._context.ask.sandboxes(listing).get(
            timeout=ASK_TIMEOUT_S
        )
        found = []
        for path in dict.fromkeys(sandbox.path for sandbox in sandboxes):
            lock, temporary = Path(f"{path}.lock"), temporary_of(path)
            if lock.is_file():
                found.append(self._holds(FILE_LOCK, str(lock), _since(lock)))
            if temporary.is_dir():
                found.append(self._holds(TEMP_FILE, str(temporary), _since(temporary)))
        return found

    def prepare(self, held: Sequence[HeldResource]) -> None:
        """Wait for the end of the work, which uses them."""
        self._context.work_ended.wait()

    def release(self, resource: HeldResource) -> Freed:
        """Remove one."""
        started = time.monotonic()
        path = Path(resource.id)
        if not path.exists():
            return Freed()
        if resource.kind == FILE_LOCK:
            # Whoever has it now ends first.
            with FileLock(path, wait_s=_LOCK_WAIT_S) as lock:
                lock.remove()
            return Freed(0, 1, time.monotonic() - started)
        bytes_held, files_held = measure(path)
        shutil.rmtree(path)
        return Freed(bytes_held, files_held, time.monotonic() - started)


class SessionHolder(OwnHolder):
    """Holds the open sessions that were begun for the plan: while it was bound."""

    name = "sessions"
    tells = True

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """Return each."""
        sessions: tuple[Session, ...] = self._context.ask.sessions(
            ListSessions(plan_id=plan_id)
        ).get(timeout=ASK_TIMEOUT_S)
        return [self._holds(SESSION, each.session_id, each.created_at) for each in sessions]

    def release(self, resource: HeldResource) -> Freed:
        """Close one."""
        started = time.monotonic()
        close = CloseSession(session_id=resource.id, reason=f"plan {self._plan_id} was cancelled")
        with contextlib.suppress(SessionAlreadyClosed, UnknownSession):
            self._context.ask.sessions(close).get(timeout=None)
        return Freed(seconds=time.monotonic() - started)


class ChildPlanHolder(OwnHolder):
    """Holds the plans that are parts of the plan; each has a cancellation and entry of its own."""

    name = "plans"
    tells = True

    def held(self, plan_id: str) -> Sequence[HeldResource]:
        """Return those that have not ended."""
        children: tuple[Plan, ...] = self._context.ask.plans(ListPlans(parent_plan_id=plan_id)).get(
            timeout=ASK_TIMEOUT_S
        )
        return [
            self._holds(CHILD_PLAN, child.plan_id, child.created_at)
            for child in children
            if not is_ended(child.phase) or _is_being_cancelled(child)
        ]

    def prepare(self, held: Sequence[HeldResource]) -> None:
        """Have all of them cancelled, at once."""
        row = self._context.row
        self._asked: dict[str, Future[Any]] = {
            resource.id: self._context.ask.cancellation(
                CancelPlan(
                    plan_id=resource.id,
                    reason=f"plan {self._plan_id}, of which it is a part, was cancelled:"
                    f" {row.reason}"[:4000],
                    deadline_s=max(0.05, _CHILDS_SHARE * self._context.left_s()),
                    policy=row.policy,
                )
            )
            for resource in held
        }

    def release(self, resource: HeldResource) -> Freed:
        """Wait for one, and return what its cancellation freed."""
        started = time.monotonic()
        try:
            cancelled: Cancellation = self._asked[resource.id].get(timeout=None)
        except UnknownPlan:
            return Freed()
        except IllegalTransition:
            # It may have come to its end by itself meanwhile.
            plan: Plan = self._context.ask.plans(GetPlan(plan_id=resource.id)).get(
                timeout=ASK_TIMEOUT_S
            )
            if not is_ended(plan.phase) or _is_being_cancelled(plan):
                raise
            return Freed(seconds=time.monotonic() - started)
        return Freed(
            sum(freed.bytes for freed in cancelled.released),
            sum(freed.files for freed in cancelled.released),
            time.monotonic() - started,
        )


OWN_HOLDERS: Final[tuple[type[OwnHolder], ...]] = (
    ChildPlanHolder,
    WorkHolder,
    SandboxHolder,
    FileHolder,
    SessionHolder,
)
"""In the order in which the entry has what they hold, as far as they answer in it."""


def _is_being_cancelled(plan: Plan) -> bool:
    now = (plan.phase, plan.processing_state)
    return now == (Phase.CANCELLED, ProcessingState.PROCESSING)


def _files_touched(sandboxes: Sequence[Sandbox]) -> int | None:
    total = 0
    for sandbox in sandboxes:
        try:
            total += touched(sandbox, sandbox.commit or "HEAD")
        except ProjectError:
            return None
    return total


def _since(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_ctime, UTC)
    except OSError:
        return None
