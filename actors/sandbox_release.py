"""Taking sandboxes away, to the last byte; or keeping them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from minutebook.actors.base import handles
from minutebook.actors.recording import Intent
from minutebook.actors.sandbox_commits import held_by, remove
from minutebook.actors.sandbox_keeping import SandboxKeeper, release_failed, release_told
from minutebook.actors.sandbox_marks import remove_mark
from minutebook.domain.commands import KeepSandbox, ReleaseSandbox
from minutebook.domain.entry import to_microseconds
from minutebook.domain.errors import GitError, ProjectError
from minutebook.domain.state import ReleasedSandbox, Sandbox

RELEASE: Final = "release"
"""What is done to a sandbox, for an intent."""


class SandboxReleases(SandboxKeeper):
    """The part of the actor that takes sandboxes away."""

    @handles(ReleaseSandbox)
    def release(self, command: ReleaseSandbox) -> ReleasedSandbox | None:
        """Take a plan's sandboxes away; again for one that is gone does and tells nothing.

        One that cannot be removed does not keep the others: its error is raised at the end.
        """
        self._resume_orphans()
        released: list[ReleasedSandbox] = []
        failed: list[ProjectError] = []
        for sandbox in self._last_of(command.plan_id, command.sandbox_id):
            if sandbox.kept and not command.kept_too:
                continue
            try:
                released.append(self._release(sandbox))
            except ProjectError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        if not released:
            return None
        return released[0].model_copy(update={"others": tuple(released[1:])})

    @handles(KeepSandbox)
    def keep(self, command: KeepSandbox) -> tuple[Sandbox, ...]:
        """Let a plan's sandboxes survive its end."""
        sandboxes = self._existing(command.plan_id)
        for sandbox in sandboxes:
            self._database.execute(
                "UPDATE sandboxes SET kept = 1 WHERE sandbox_id = ?", (sandbox.sandbox_id,)
            )
        return tuple(sandbox.model_copy(update={"kept": True}) for sandbox in sandboxes)

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
        held_bytes, held_files = held_by(sandbox)
        with self._recorded() as recording:
            intent = recording.intend(
                RELEASE, sandbox_id=sandbox.sandbox_id, bytes=held_bytes, files=held_files
            )
        return self._take_away(sandbox, intent)

    def _take_away(
        self, sandbox: Sandbox, intent: Intent | None, held: tuple[int, int] = (0, 0)
    ) -> ReleasedSandbox:
        """Remove a sandbox, and tell so or why not.

        Args:
            sandbox: it may have no row.
            intent: says that it is being removed; of one without a row, none does.
            held: bytes and files that it had before an earlier attempt.
        """
        try:
            bytes_freed, files_freed, seconds = remove(sandbox)
        except (ProjectError, OSError) as error:
            with self._recorded() as recording:
                if intent is not None:
                    recording.drop(intent)
                recording.tell(release_failed(sandbox, error))
            if isinstance(error, ProjectError):
                raise
            msg = f"sandbox {sandbox.path} cannot be removed: {error}; remove what holds it."
            raise GitError(msg) from error
        # Before the row says so: whoever finds a mark without a row takes it for an orphan.
        remove_mark(sandbox)
        released_at = datetime.now(UTC)
        released = ReleasedSandbox(
            sandbox_id=sandbox.sandbox_id,
            path=sandbox.path,
            branch=sandbox.branch,
            bytes_freed=max(bytes_freed, held[0]),
            files_freed=max(files_freed, held[1]),
            seconds=seconds,
        )
        with self._recorded() as recording:
            tells = intent is None
            if intent is not None:
                recording.drop(intent)
                # Another process may have been as quick.
                was_there = self._database.row(
                    "UPDATE sandboxes SET released_at = ?"
                    " WHERE sandbox_id = ? AND released_at IS NULL RETURNING sandbox_id",
                    (to_microseconds(released_at), sandbox.sandbox_id),
                )
                tells = was_there is not None
            if tells:
                recording.tell(
                    release_told(
                        sandbox,
                        released_at,
                        bytes_freed=released.bytes_freed,
                        files_freed=released.files_freed,
                        seconds=round(released.seconds, 6),
                    )
                )
        return released
