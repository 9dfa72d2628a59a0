"""SandboxCleanupActor: makes sandboxes and takes them away, to the last byte."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pykka import Future

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.base import Service, StatefulActor, Tell, handles
from minutebook.actors.git.repository import ensure_clean, inspect_project
from minutebook.actors.git.worktree import branch_of, create_sandbox, release_sandbox
from minutebook.domain.commands import CreateSandbox, ListSandboxes, ReleaseSandbox
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import GitError, ProjectError, UnknownSandbox
from minutebook.domain.events import SandboxCreated, SandboxReleased, SandboxReleaseFailed
from minutebook.domain.fitting import shortened
from minutebook.domain.state import ReleasedSandbox, Sandbox


class SandboxCleanupActor(StatefulActor):
    """Keeps a sandbox for each plan that works: a git worktree on a branch of its own.

    Args:
        service, tell, database: as for every `StatefulActor`.
        directory: where sandboxes are made; made itself, with mode 0700, when needed.
    """

    name = "sandboxes"

    def __init__(self, service: str, tell: Tell, database: AppDatabase, directory: Path) -> None:
        super().__init__(service, tell, database)
        self._directory = directory

    @handles(CreateSandbox)
    def create(self, command: CreateSandbox) -> Sandbox:
        """Make a plan's sandbox from the project's present commit."""
        project = inspect_project(command.project_path)
        ensure_clean(project.path)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            msg = f"sandboxes cannot be made in {self._directory}: {error}; make it writable."
            raise ProjectError(msg) from error
        sandbox = Sandbox(
            sandbox_id=new_id(),
            plan_id=command.plan_id,
            project_path=str(project.path),
            kind="git_worktree",
            path=str(self._directory / command.plan_id),
            branch=branch_of(command.plan_id),
            commit=project.head,
            created_at=datetime.now(UTC),
        )
        # The row comes first: after a crash in between, a release finds what to look for.
        self._database.execute(
            "INSERT INTO sandboxes (sandbox_id, plan_id, project_path, kind, path, branch,"
            ' "commit", created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            (
                sandbox.sandbox_id,
                sandbox.plan_id,
                sandbox.project_path,
                sandbox.kind,
                sandbox.path,
                sandbox.branch,
                sandbox.commit,
                to_microseconds(sandbox.created_at),
            ),
        )
        try:
            create_sandbox(project, sandbox.path, command.plan_id)
        except BaseException:
            self._database.execute(
                "DELETE FROM sandboxes WHERE sandbox_id = ?", (sandbox.sandbox_id,)
            )
            raise
        self._tell(
            SandboxCreated(
                plan_id=sandbox.plan_id,
                project_names=(project.name,),
                sandbox_id=sandbox.sandbox_id,
                kind=sandbox.kind,
                path=sandbox.path,
                branch=sandbox.branch,
                commit=sandbox.commit,
            )
        )
        return sandbox

    @handles(ListSandboxes)
    def list(self, command: ListSandboxes) -> tuple[Sandbox, ...]:
        """List sandboxes."""
        where = "WHERE released_at IS NULL" if command.existing_only else ""
        rows = self._database.rows(f"SELECT * FROM sandboxes {where} ORDER BY created_at, rowid")
        return tuple(Sandbox(**row) for row in rows)

    @handles(ReleaseSandbox)
    def release(self, command: ReleaseSandbox) -> ReleasedSandbox | None:
        """Take a plan's sandbox away; again for one that is gone does and tells nothing."""
        row = self._database.row(
            "SELECT * FROM sandboxes WHERE plan_id = ? ORDER BY created_at DESC, rowid DESC",
            (command.plan_id,),
        )
        if row is None:
            if self._database.row("SELECT 1 FROM plans WHERE plan_id = ?", (command.plan_id,)):
                return None
            msg = f"no plan or sandbox has the id {command.plan_id!r}; list() names the sandboxes."
            raise UnknownSandbox(msg)
        sandbox = Sandbox(**row)
        if sandbox.released_at is not None:
            return ReleasedSandbox(
                sandbox_id=sandbox.sandbox_id,
                path=sandbox.path,
                branch=sandbox.branch,
                bytes_freed=0,
                files_freed=0,
                seconds=0.0,
            )
        try:
            freed = release_sandbox(sandbox.project_path, sandbox.path, sandbox.branch)
        except (ProjectError, OSError) as error:
            self._tell_failure(sandbox, error)
            if isinstance(error, ProjectError):
                raise
            msg = f"sandbox {sandbox.path} cannot be removed: {error}; remove what holds it."
            raise GitError(msg) from error
        released_at = datetime.now(UTC)
        self._database.execute(
            "UPDATE sandboxes SET released_at = ? WHERE sandbox_id = ?",
            (to_microseconds(released_at), sandbox.sandbox_id),
        )
        self._tell(
            SandboxReleased(
                plan_id=sandbox.plan_id,
                project_names=(Path(sandbox.project_path).name,),
                sandbox_id=sandbox.sandbox_id,
                kind=sandbox.kind,
                path=sandbox.path,
                branch=sandbox.branch,
                bytes_freed=freed.bytes_freed,
                files_freed=freed.files_freed,
                seconds=round(freed.seconds, 6),
                occurred_at=released_at,
            )
        )
        return ReleasedSandbox(
            sandbox_id=sandbox.sandbox_id,
            path=sandbox.path,
            branch=sandbox.branch,
            bytes_freed=freed.bytes_freed,
            files_freed=freed.files_freed,
            seconds=freed.seconds,
        )

    def _tell_failure(self, sandbox: Sandbox, error: Exception) -> None:
        self._tell(
            SandboxReleaseFailed(
                plan_id=sandbox.plan_id,
                project_names=(Path(sandbox.project_path).name,),
                outcome_reason=type(error).__name__,
                sandbox_id=sandbox.sandbox_id,
                kind=sandbox.kind,
                path=sandbox.path,
                branch=sandbox.branch,
                error=shortened(str(error)),
            )
        )


class Sandboxes(Service):
    """``system.sandboxes``: each call returns a future; errors are raised by its ``get``."""

    def list(self, *, existing_only: bool = True) -> Future[tuple[Sandbox, ...]]:
        """List the sandboxes that exist, or all, oldest first."""
        return self.ask(ListSandboxes(existing_only=existing_only))

    def release(self, plan_id: str) -> Future[ReleasedSandbox | None]:
        """Take a plan's sandbox away, with directory and branch; harmless when it is gone.

        Resolves to ``None`` when the plan has none; raises `UnknownSandbox` when there is no
        such plan, and `GitError` when something of it cannot be removed, which is recorded too.
        """
        return self.ask(ReleaseSandbox(plan_id=plan_id))
