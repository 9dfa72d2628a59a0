"""Sandboxes: the callers' side of the SandboxCleanupActor."""

from __future__ import annotations

from pykka import Future

from minutebook.actors.base import Service
from minutebook.domain.commands import (
    CreateCheckpoint,
    FindOrphans,
    KeepSandbox,
    ListCheckpoints,
    ListSandboxes,
    ReleaseOrphans,
    ReleaseSandbox,
)
from minutebook.domain.state import Checkpoint, OrphanedSandbox, ReleasedSandbox, Sandbox


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
        return self.ask(ReleaseSandbox(plan_id=plan_id, kept_too=True))

    def keep(self, plan_id: str) -> Future[tuple[Sandbox, ...]]:
        """Let a plan's sandboxes survive its end, until `release`; return those there are."""
        return self.ask(KeepSandbox(plan_id=plan_id))

    def checkpoint(self, plan_id: str, *, name: str) -> Future[tuple[Checkpoint, ...]]:
        """Commit what a plan's sandboxes hold, so that a correction can go back there.

        `IllegalTransition` while something works on the plan, whose work has
        ``ctx.checkpoint`` for it; `UnknownSandbox` when there is none.
        """
        return self.ask(CreateCheckpoint(plan_id=plan_id, name=name))

    def checkpoints(self, plan_id: str) -> Future[tuple[Checkpoint, ...]]:
        """List a plan's checkpoints, oldest first; those that a correction made void, too."""
        return self.ask(ListCheckpoints(plan_id=plan_id))

    def orphans(self) -> Future[tuple[OrphanedSandbox, ...]]:
        """Find the sandboxes, and branches of sandboxes, that no living plan has any more.

        Only what is proven to be ours: by the app database, or by the mark beside it.
        """
        return self.ask(FindOrphans())

    def release_orphans(self) -> Future[tuple[OrphanedSandbox, ...]]:
        """Take away what `orphans` finds; return what is gone. What is not is recorded."""
        return self.ask(ReleaseOrphans())
