"""Checkpoints: what a plan's sandboxes hold, committed, so that a correction can go back there."""

from __future__ import annotations

from datetime import UTC, datetime

from minutebook.actors.base import handles
from minutebook.actors.git.command import Author
from minutebook.actors.sandbox_commits import commit_all, files_between
from minutebook.actors.sandbox_keeping import SandboxKeeper
from minutebook.domain.commands import CreateCheckpoint, ListCheckpoints, NoteCheckpoint
from minutebook.domain.context import user_identity_var
from minutebook.domain.entry import to_microseconds
from minutebook.domain.envelope import new_id
from minutebook.domain.errors import IllegalTransition, UnknownSandbox
from minutebook.domain.events import CheckpointCreated
from minutebook.domain.plan import ProcessingState
from minutebook.domain.state import Checkpoint, Sandbox


class SandboxCheckpoints(SandboxKeeper):
    """The part of the actor that makes checkpoints, and records those that the work made."""

    @handles(CreateCheckpoint)
    def checkpoint(self, command: CreateCheckpoint) -> tuple[Checkpoint, ...]:
        """Commit what a plan's sandboxes hold."""
        sandboxes = self._committable(command.plan_id)
        working = self._database.row(
            "SELECT 1 FROM plans WHERE plan_id = ? AND processing_state = ?",
            (command.plan_id, ProcessingState.PROCESSING.value),
        )
        if working is not None:
            msg = (
                f"plan {command.plan_id} is being worked on: let its work call ctx.checkpoint(), or"
                " wait for its end."
            )
            raise IllegalTransition(msg)
        goes_back = self._database.row(
            "SELECT 1 FROM plans JOIN plan_corrections USING (plan_id)"
            " WHERE plan_id = ? AND mode = 'revert' AND after_attempt = attempts",
            (command.plan_id,),
        )
        if goes_back is not None:
            msg = f"plan {command.plan_id} goes back to a checkpoint itself: execute() it first."
            raise IllegalTransition(msg)
        author = Author.parse(user_identity_var.get())
        commits = {
            sandbox.project_name: commit_all(sandbox, command.name, author) for sandbox in sandboxes
        }
        return self._record(sandboxes, new_id(), command.name, commits)

    @handles(NoteCheckpoint)
    def note_checkpoint(self, command: NoteCheckpoint) -> tuple[Checkpoint, ...]:
        """Record a checkpoint that a plan's work made."""
        sandboxes = self._committable(command.plan_id)
        return self._record(sandboxes, command.checkpoint_id, command.name, command.commits)

    @handles(ListCheckpoints)
    def checkpoints(self, command: ListCheckpoints) -> tuple[Checkpoint, ...]:
        """List a plan's checkpoints."""
        self._last_of(command.plan_id)
        rows = self._database.rows(
            "SELECT * FROM plan_checkpoints WHERE plan_id = ? ORDER BY rowid", (command.plan_id,)
        )
        return tuple(Checkpoint(**row) for row in rows)

    def _committable(self, plan_id: str) -> tuple[Sandbox, ...]:
        sandboxes = self._existing(plan_id)
        if not sandboxes:
            msg = f"plan {plan_id} has no sandbox that could be committed; execute() it first."
            raise UnknownSandbox(msg)
        return sandboxes

    def _record(
        self,
        sandboxes: tuple[Sandbox, ...],
        checkpoint_id: str,
        name: str,
        commits: dict[str, str],
    ) -> tuple[Checkpoint, ...]:
        now = datetime.now(UTC)
        made = [
            Checkpoint(
                checkpoint_id=checkpoint_id,
                plan_id=sandbox.plan_id,
                project_name=sandbox.project_name,
                sandbox_id=sandbox.sandbox_id,
                name=name,
                commit=commits[sandbox.project_name],
                files_changed=files_between(
                    sandbox, self._commit_before(sandbox), commits[sandbox.project_name]
                ),
                created_at=now,
            )
            for sandbox in sandboxes
            if sandbox.project_name in commits
        ]
        with self._recorded() as recording:
            for checkpoint in made:
                columns = checkpoint.model_dump()
                columns["created_at"] = to_microseconds(now)
                names = ", ".join(f'"{column}"' for column in columns)
                marks = ", ".join("?" for _ in columns)
                self._database.execute(
                    f"INSERT INTO plan_checkpoints ({names}) VALUES ({marks})",
                    tuple(columns.values()),
                )
                recording.tell(
                    CheckpointCreated(
                        plan_id=checkpoint.plan_id,
                        project_names=(checkpoint.project_name,),
                        occurred_at=now,
                        checkpoint_id=checkpoint_id,
                        name=name,
                        commit=checkpoint.commit,
                        files_changed=checkpoint.files_changed,
                    )
                )
        return tuple(made)

    def _commit_before(self, sandbox: Sandbox) -> str:
        row = self._database.row(
            'SELECT "commit" FROM plan_checkpoints WHERE sandbox_id = ? AND reverted_by IS NULL'
            " ORDER BY rowid DESC",
            (sandbox.sandbox_id,),
        )
        before = sandbox.commit if row is None else row["commit"]
        assert before is not None, sandbox
        return str(before)
