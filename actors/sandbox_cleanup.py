"""SandboxCleanupActor: makes sandboxes and takes them away, to the last byte."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pykka import Future

from minutebook.actors.base import Service, StatefulActor, handles
from minutebook.actors.file_lock import FileLock
from minutebook.actors.git.repository import ensure_clean, inspect_project
from minutebook.actors.git.worktree import (
    SandboxRelease,
    branch_of,
    create_sandbox,
    is_made,
    measure,
    release_sandbox,
)
from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Intent
from minutebook.domain.commands import CreateSandbox, ListSandboxes, ReleaseSandbox
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import GitError, NotARepository, ProjectError, UnknownSandbox
from minutebook.domain.events import SandboxCreated, SandboxReleased, SandboxReleaseFailed
from minutebook.domain.fitting import shortened
from minutebook.domain.state import ReleasedSandbox, Sandbox

_CREATE: Final = "create"
_RELEASE: Final = "release"
"""What is done to a sandbox, for an intent."""


class SandboxCleanupActor(StatefulActor):
    """Keeps a sandbox for each plan that works: a git worktree on a branch of its own.

    What git does cannot be in a transaction. An intent says what is being made or taken away,
    until it is; after a crash in between, a sandbox that is there is told, one that is half
    made is taken away, and one that was being taken away is taken away to the end, and told.

    Args:
        service, outbox: as for every `StatefulActor`.
        directory: where sandboxes are made; made itself, with mode 0700, when needed.
    """

    name = "sandboxes"

    def __init__(self, service: str, outbox: Outbox, directory: Path) -> None:
        super().__init__(service, outbox)
        self._directory = directory

    @handles(CreateSandbox)
    def create(self, command: CreateSandbox) -> Sandbox:
        """Make a plan's sandbox from the project's present commit."""
        if command.kind == "directory":
            msg = f"{command.project_path!r} is no git repository; make it one first."
            raise NotARepository(msg)
        project = inspect_project(command.project_path)
        ensure_clean(project.path)
        # A plan's projects may be work trees of one repository: each has a branch of its own.
        name = command.plan_id + (f"-{command.position + 1}" if command.position else "")
        sandbox = Sandbox(
            sandbox_id=new_id(),
            plan_id=command.plan_id,
            project_path=str(project.path),
            project_name=command.project_name or project.name,
            kind="git_worktree",
            path=str(self._directory / name),
            branch=branch_of(name),
            commit=project.head,
            created_at=datetime.now(UTC),
        )
        _make_directory(self._directory)
        # Git holds the lock too: when this process is killed, who looks after the intent waits
        # until git has ended.
        with FileLock(Path(f"{sandbox.path}.lock")) as lock:
            intent = self._intend_create(sandbox, lock.path)
            try:
                create_sandbox(project, sandbox.path, name, pass_fds=[lock.descriptor])
            except BaseException:
                with self._recorded() as recording:
                    recording.drop(intent)
                    self._forget(sandbox)
                raise
            finally:
                lock.remove()
            with self._recorded() as recording:
                recording.fulfil(intent)
        return sandbox

    @handles(ListSandboxes)
    def list(self, command: ListSandboxes) -> tuple[Sandbox, ...]:
        """List sandboxes."""
        return self._sandboxes(
            "WHERE (NOT ?1 OR released_at IS NULL) AND (?2 IS NULL OR plan_id = ?2)",
            (int(command.existing_only), command.plan_id),
        )

    @handles(ReleaseSandbox)
    def release(self, command: ReleaseSandbox) -> ReleasedSandbox | None:
        """Take a plan's sandboxes away; again for one that is gone does and tells nothing.

        One that cannot be removed does not keep the others: its error is raised at the end.
        """
        self._resume_orphans()
        # Only the last one of each project: earlier ones were released before it was made.
        sandboxes = self._sandboxes(
            "WHERE plan_id = ?1 AND (?2 IS NULL OR sandbox_id = ?2) AND rowid IN"
            " (SELECT max(rowid) FROM sandboxes WHERE plan_id = ?1 GROUP BY project_path)",
            (command.plan_id, command.sandbox_id),
        )
        if not sandboxes:
            if self._database.row("SELECT 1 FROM plans WHERE plan_id = ?", (command.plan_id,)):
                return None
            msg = f"no plan or sandbox has the id {command.plan_id!r}; list() names the sandboxes."
            raise UnknownSandbox(msg)
        released: list[ReleasedSandbox] = []
        failed: list[ProjectError] = []
        for sandbox in sandboxes:
            try:
                released.append(self._release(sandbox))
            except ProjectError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return released[0].model_copy(update={"others": tuple(released[1:])})

    def _sandboxes(self, which: str, parameters: Sequence[Any] = ()) -> tuple[Sandbox, ...]:
        rows = self._database.rows(
            f"SELECT * FROM sandboxes {which} ORDER BY created_at, rowid", parameters
        )
        return tuple(Sandbox(**row) for row in rows)

    def _release(self, sandbox: Sandbox) -> ReleasedSandbox:
        if sandbox.released_at is not None:
            return ReleasedSandbox(
                sandbox_id=sandbox.sandbox_id,
                path=sandbox.path,
                branch=sandbox.branch,
                bytes_freed=0,
                files_freed=0,
                seconds=0.0,
            )
        # Before anything is removed: after a crash in between, nobody could count it any more.
        held_bytes, held_files = measure(sandbox.path)
        with self._recorded() as recording:
            intent = recording.intend(
                _RELEASE, sandbox_id=sandbox.sandbox_id, bytes=held_bytes, files=held_files
            )
        return self._take_away(sandbox, intent)

    def _intend_create(self, sandbox: Sandbox, lock_path: Path) -> Intent:
        created = SandboxCreated(
            plan_id=sandbox.plan_id,
            project_names=(sandbox.project_name,),
            sandbox_id=sandbox.sandbox_id,
            kind=sandbox.kind,
            path=sandbox.path,
            branch=sandbox.branch,
            commit=sandbox.commit,
        )
        with self._recorded() as recording:
            self._database.execute(
                "INSERT INTO sandboxes (sandbox_id, plan_id, project_path, kind, path, branch,"
                ' "commit", created_at, project_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
                (
                    sandbox.sandbox_id,
                    sandbox.plan_id,
                    sandbox.project_path,
                    sandbox.kind,
                    sandbox.path,
                    sandbox.branch,
                    sandbox.commit,
                    to_microseconds(sandbox.created_at),
                    sandbox.project_name,
                ),
            )
            return recording.intend(
                _CREATE, created, sandbox_id=sandbox.sandbox_id, lock=str(lock_path)
            )

    def _take_away(
        self, sandbox: Sandbox, intent: Intent, held: tuple[int, int] = (0, 0)
    ) -> ReleasedSandbox:
        """Remove a sandbox, and tell so or why not.

        Args:
            held: bytes and files that it had before an earlier attempt.
        """
        try:
            freed = _remove(sandbox)
        except (ProjectError, OSError) as error:
            with self._recorded() as recording:
                recording.drop(intent)
                recording.tell(_release_failed(sandbox, error))
            if isinstance(error, ProjectError):
                raise
            msg = f"sandbox {sandbox.path} cannot be removed: {error}; remove what holds it."
            raise GitError(msg) from error
        released_at = datetime.now(UTC)
        released = ReleasedSandbox(
            sandbox_id=sandbox.sandbox_id,
            path=sandbox.path,
            branch=sandbox.branch,
            bytes_freed=max(freed.bytes_freed, held[0]),
            files_freed=max(freed.files_freed, held[1]),
            seconds=freed.seconds,
        )
        with self._recorded() as recording:
            recording.drop(intent)
            # Another process may have been as quick.
            was_there = self._database.row(
                "UPDATE sandboxes SET released_at = ?"
                " WHERE sandbox_id = ? AND released_at IS NULL RETURNING sandbox_id",
                (to_microseconds(released_at), sandbox.sandbox_id),
            )
            if was_there is not None:
                recording.tell(
                    SandboxReleased(
                        plan_id=sandbox.plan_id,
                        project_names=(sandbox.project_name,),
                        sandbox_id=sandbox.sandbox_id,
                        kind=sandbox.kind,
                        path=sandbox.path,
                        branch=sandbox.branch,
                        bytes_freed=released.bytes_freed,
                        files_freed=released.files_freed,
                        seconds=round(released.seconds, 6),
                        occurred_at=released_at,
                    )
                )
        return released

    def _resume(self, intent: Intent) -> None:
        """End a making or a taking away that was cut off."""
        row = self._database.row(
            "SELECT * FROM sandboxes WHERE sandbox_id = ?", (intent.detail["sandbox_id"],)
        )
        if row is None or row["released_at"] is not None:
            with self._recorded() as recording:
                recording.drop(intent)
        elif intent.kind == _CREATE:
            self._resume_create(Sandbox(**row), intent)
        else:
            held = intent.detail["bytes"], intent.detail["files"]
            # A failure is told, and ends it.
            with contextlib.suppress(ProjectError):
                self._take_away(Sandbox(**row), intent, held)

    def _resume_create(self, sandbox: Sandbox, intent: Intent) -> None:
        lock_path = Path(intent.detail["lock"])
        _make_directory(lock_path.parent)
        with FileLock(lock_path) as lock:
            try:
                made = is_made(sandbox.project_path, sandbox.path)
                if not made:
                    _remove(sandbox)
            except (ProjectError, OSError) as error:
                # It stays known, so that it can be released when what is wrong is put right.
                with self._recorded() as recording:
                    recording.drop(intent)
                    recording.tell(_release_failed(sandbox, error))
            else:
                with self._recorded() as recording:
                    if made:
                        recording.fulfil(intent)
                    else:
                        recording.drop(intent)
                        self._forget(sandbox)
            lock.remove()

    def _forget(self, sandbox: Sandbox) -> None:
        self._database.execute("DELETE FROM sandboxes WHERE sandbox_id = ?", (sandbox.sandbox_id,))


def _remove(sandbox: Sandbox) -> SandboxRelease:
    assert sandbox.branch is not None, sandbox
    return release_sandbox(sandbox.project_path, sandbox.path, sandbox.branch)


def _release_failed(sandbox: Sandbox, error: Exception) -> SandboxReleaseFailed:
    return SandboxReleaseFailed(
        plan_id=sandbox.plan_id,
        project_names=(sandbox.project_name,),
        outcome_reason=type(error).__name__,
        sandbox_id=sandbox.sandbox_id,
        kind=sandbox.kind,
        path=sandbox.path,
        branch=sandbox.branch,
        error=shortened(str(error)),
    )


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"sandboxes cannot be made in {path}: {error}; make it writable."
        raise ProjectError(msg) from error


class Sandboxes(Service):
    """``system.sandboxes``: each call returns a future; errors are raised by its ``get``."""

    def list(self, *, existing_only: bool = True) -> Future[tuple[Sandbox, ...]]:
        """List the sandboxes that exist, or all, oldest first."""
        return self.ask(ListSandboxes(existing_only=existing_only))

    def release(self, plan_id: str) -> Future[ReleasedSandbox | None]:
        """Take a plan's sandboxes away, with directory and branch; harmless when they are gone.

        Resolves to the first project's, with the ``others`` of a plan with several, or to
        ``None`` when the plan has none; raises `UnknownSandbox` when there is no
        such plan, and `GitError` when something of it cannot be removed, which is recorded too.
        """
        return self.ask(ReleaseSandbox(plan_id=plan_id))
