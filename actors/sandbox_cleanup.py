"""SandboxCleanupActor: makes sandboxes and takes them away, to the last byte.

Its parts, each with the commands that it handles: `sandbox_release`, `sandbox_orphans` and
`sandbox_checkpoints`; all on `sandbox_keeping`, the rows.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from minutebook.actors.base import handles
from minutebook.actors.directory.sandbox import make_directory_sandbox
from minutebook.actors.file_lock import FileLock
from minutebook.actors.git.repository import (
    ensure_clean,
    inspect_project,
    is_plain_directory,
    resolve_commit,
)
from minutebook.actors.git.worktree import branch_of, create_sandbox
from minutebook.actors.outbox import Outbox
from minutebook.actors.recording import Intent
from minutebook.actors.sandbox_checkpoints import SandboxCheckpoints
from minutebook.actors.sandbox_commits import go_back, is_there, remove, repository_of
from minutebook.actors.sandbox_keeping import release_failed
from minutebook.actors.sandbox_marks import remove_mark, write_mark
from minutebook.actors.sandbox_orphans import SandboxOrphans
from minutebook.domain.commands import CreateSandbox, ListSandboxes
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import DirectoryProjectError, ProjectError
from minutebook.domain.events import SandboxCreated
from minutebook.domain.state import Sandbox

CREATE: Final = "create"
"""What is done to a sandbox, for an intent."""


class SandboxCleanupActor(SandboxCheckpoints, SandboxOrphans):
    """Keeps a sandbox for each plan that works: a git worktree on a branch of its own, or a copy.

    What git does cannot be in a transaction. An intent says what is being made or taken away,
    until it is; after a crash in between, a sandbox that is there is told, one that is half
    made is taken away, and one that was being taken away is taken away to the end, and told.

    Args:
        service, outbox: as for every `StatefulActor`.
        directory: where sandboxes are made; made itself, with mode 0700, when needed.
    """

    def __init__(self, service: str, outbox: Outbox, directory: Path) -> None:
        super().__init__(service, outbox)
        self._directory = directory

    @handles(CreateSandbox)
    def create(self, command: CreateSandbox) -> Sandbox:
        """Make a plan's sandbox from what the project is at present, or put back its last one."""
        there = self._sandboxes(
            "WHERE plan_id = ? AND project_path = ? AND released_at IS NULL",
            command.plan_id,
            command.project_path,
        )
        if there and command.revert:
            go_back(there[0], command.at or there[0].commit or "HEAD")
        if there and command.keep:
            self._database.execute(
                "UPDATE sandboxes SET kept = 1 WHERE sandbox_id = ?", (there[0].sandbox_id,)
            )
        if there and command.resumes:
            return there[0]
        sandbox = self._planned(command)
        _make_directory(Path(sandbox.path).parent)
        # Git holds the lock too: when this process is killed, who looks after the intent waits
        # until git has ended.
        with FileLock(Path(f"{sandbox.path}.lock")) as lock:
            intent = self._intend_create(sandbox, lock.path)
            try:
                base = self._make(sandbox, lock.descriptor)
            except BaseException:
                remove_mark(sandbox)
                with self._recorded() as recording:
                    recording.drop(intent)
                    self._forget(sandbox)
                raise
            finally:
                lock.remove()
            with self._recorded() as recording:
                recording.fulfil(intent)
                return self._note_base(sandbox, base)

    @handles(ListSandboxes)
    def list(self, command: ListSandboxes) -> tuple[Sandbox, ...]:
        """List sandboxes."""
        return self._sandboxes(
            "WHERE (NOT ?1 OR released_at IS NULL) AND (?2 IS NULL OR plan_id = ?2)",
            int(command.existing_only),
            command.plan_id,
        )

    def _planned(self, command: CreateSandbox) -> Sandbox:
        # A plan's projects may be work trees of one repository: each has a branch of its own.
        name = command.plan_id + (f"-{command.position + 1}" if command.position else "")
        directory = Path(command.directory).resolve() if command.directory else self._directory
        path = Path(command.project_path)
        branch = head = None
        if command.kind == "git_worktree":
            project = inspect_project(path)
            ensure_clean(project.path)
            path, branch, head = project.path, branch_of(name), project.head
        elif path.exists() and not is_plain_directory(path):
            msg = f"{str(path)!r} has become a git repository; create a new plan for it."
            raise DirectoryProjectError(msg)
        return Sandbox(
            sandbox_id=new_id(),
            plan_id=command.plan_id,
            project_path=str(path),
            project_name=command.project_name or path.name,
            kind=command.kind,
            path=str(directory / name),
            branch=branch,
            commit=head,
            created_at=datetime.now(UTC),
            kept=command.keep,
        )

    def _make(self, sandbox: Sandbox, lock: int) -> str:
        write_mark(sandbox, self._database.path)
        name = Path(sandbox.path).name
        if sandbox.kind == "directory":
            made = make_directory_sandbox(sandbox.project_path, sandbox.path, name, pass_fds=[lock])
            return made.base
        project = inspect_project(sandbox.project_path)
        return create_sandbox(project, sandbox.path, name, pass_fds=[lock]).base

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
                ' "commit", created_at, project_name, kept) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
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
                    int(sandbox.kept),
                ),
            )
            return recording.intend(
                CREATE, created, sandbox_id=sandbox.sandbox_id, lock=str(lock_path)
            )

    def _resume(self, intent: Intent) -> None:
        """End a making or a taking away that was cut off."""
        row = self._database.row(
            "SELECT * FROM sandboxes WHERE sandbox_id = ?", (intent.detail["sandbox_id"],)
        )
        if row is None or row["released_at"] is not None:
            with self._recorded() as recording:
                recording.drop(intent)
        elif intent.kind == CREATE:
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
                made = is_there(sandbox)
                if not made:
                    remove(sandbox)
                    remove_mark(sandbox)
                base = resolve_commit(repository_of(sandbox), "HEAD") if made else None
            except (ProjectError, OSError) as error:
                # It stays known, so that it can be released when what is wrong is put right.
                with self._recorded() as recording:
                    recording.drop(intent)
                    recording.tell(release_failed(sandbox, error))
            else:
                with self._recorded() as recording:
                    if base is not None:
                        self._note_base(sandbox, base)
                        recording.fulfil(intent)
                    else:
                        recording.drop(intent)
                        self._forget(sandbox)
            lock.remove()

    def _note_base(self, sandbox: Sandbox, base: str) -> Sandbox:
        # Of a copy, it is only known when that is made.
        self._database.execute(
            'UPDATE sandboxes SET "commit" = ? WHERE sandbox_id = ? AND "commit" IS NULL',
            (base, sandbox.sandbox_id),
        )
        return sandbox.model_copy(update={"commit": sandbox.commit or base})


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"sandboxes cannot be made in {path}: {error}; make it writable."
        raise ProjectError(msg) from error
