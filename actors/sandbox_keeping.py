"""What all parts of the SandboxCleanupActor do with sandboxes: look them up, and tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from minutebook.actors.base import StatefulActor
from minutebook.domain.errors import UnknownSandbox
from minutebook.domain.events import SandboxReleased, SandboxReleaseFailed
from minutebook.domain.fitting import shortened
from minutebook.domain.state import Sandbox


class SandboxKeeper(StatefulActor):
    """Base of the actor's parts: the rows of sandboxes."""

    name = "sandboxes"

    def _sandboxes(self, which: str, *parameters: Any) -> tuple[Sandbox, ...]:
        return self._read(f"{which} ORDER BY created_at, rowid", parameters)

    def _last_of(self, plan_id: str, sandbox_id: str | None = None) -> tuple[Sandbox, ...]:
        """Return a plan's last sandbox of each project: those before it were released.

        Raises:
            UnknownSandbox: there is no such plan, and no sandbox of one either.
        """
        sandboxes = self._sandboxes(
            "WHERE plan_id = ?1 AND (?2 IS NULL OR sandbox_id = ?2) AND rowid IN"
            " (SELECT max(rowid) FROM sandboxes WHERE plan_id = ?1 GROUP BY project_path)",
            plan_id,
            sandbox_id,
        )
        known = sandboxes or self._database.row("SELECT 1 FROM plans WHERE plan_id = ?", (plan_id,))
        if not known:
            msg = f"no plan or sandbox has the id {plan_id!r}; list() names the sandboxes."
            raise UnknownSandbox(msg)
        return sandboxes

    def _existing(self, plan_id: str) -> tuple[Sandbox, ...]:
        return tuple(held for held in self._last_of(plan_id) if held.released_at is None)

    def _read(self, which: str, parameters: Sequence[Any]) -> tuple[Sandbox, ...]:
        rows = self._database.rows(f"SELECT * FROM sandboxes {which}", parameters)
        return tuple(Sandbox(**row) for row in rows)

    def _forget(self, sandbox: Sandbox) -> None:
        self._database.execute("DELETE FROM sandboxes WHERE sandbox_id = ?", (sandbox.sandbox_id,))


def release_told(
    sandbox: Sandbox,
    released_at: datetime,
    *,
    bytes_freed: int = 0,
    files_freed: int = 0,
    seconds: float = 0.0,
) -> SandboxReleased:
    """Return what tells that a sandbox is gone, and what it gave back."""
    return SandboxReleased(
        plan_id=sandbox.plan_id,
        project_names=(sandbox.project_name,),
        sandbox_id=sandbox.sandbox_id,
        kind=sandbox.kind,
        path=sandbox.path,
        branch=sandbox.branch,
        bytes_freed=bytes_freed,
        files_freed=files_freed,
        seconds=seconds,
        occurred_at=released_at,
    )


def release_failed(sandbox: Sandbox, error: Exception) -> SandboxReleaseFailed:
    """Return the event that tells why a sandbox could not be removed."""
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
