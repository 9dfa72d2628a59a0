"""Looking for sandboxes that no living plan has any more.

Only what is proven to be ours is found. A directory is, by its row, or by the mark beside it
that names our app database; a branch is, by its prefix and a row that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from minutebook.actors.appdb import AppDatabase
from minutebook.actors.git.command import run_git
from minutebook.actors.git.worktree import BRANCH_PREFIX
from minutebook.actors.sandbox_marks import marked
from minutebook.domain.errors import ProjectError
from minutebook.domain.plan import Phase, is_ended
from minutebook.domain.state import OrphanedSandbox, Sandbox

_ENDED = ", ".join(f"'{phase}'" for phase in Phase if is_ended(phase))

_WITHOUT_PLAN = f"""
    WHERE released_at IS NULL AND NOT kept
    AND NOT EXISTS (SELECT 1 FROM plans
        WHERE plans.plan_id = sandboxes.plan_id AND phase NOT IN ({_ENDED}))
    AND NOT EXISTS (SELECT 1 FROM plan_workers WHERE plan_workers.plan_id = sandboxes.plan_id)
    AND NOT EXISTS (SELECT 1 FROM intents
        WHERE detail ->> 'sandbox_id' = sandboxes.sandbox_id
        OR detail ->> 'plan_id' = sandboxes.plan_id)
    AND NOT EXISTS (SELECT 1 FROM cancellations
        WHERE cancellations.plan_id = sandboxes.plan_id AND state <> 'done')
"""
# Who works on a plan, or cancels it, still releases what it holds, and who has an intent ends
# what it began.


class SandboxSearch:
    """Looks for them.

    Args:
        database: a connection, for the thread that looks; it may be one that can only read.
        directory: where sandboxes are made.
    """

    def __init__(self, database: AppDatabase, directory: Path) -> None:
        self._database = database
        self._directory = directory

    def find(self) -> list[tuple[OrphanedSandbox, Sandbox]]:
        """Return what is found, and the sandbox that it is, or belonged to."""
        found = [
            (_orphan(sandbox, "plan_ended"), sandbox)
            for sandbox in self._read(f"{_WITHOUT_PLAN} ORDER BY created_at, rowid")
        ]
        known = self._read("")
        directories = {self._directory, *(Path(held.path).parent for held in known)}
        marks = [
            sandbox
            for directory in sorted(directories)
            for sandbox in marked(directory, self._database.path)
        ]
        # After the marks: a sandbox has its row before its mark.
        known = self._read("")
        existing = {sandbox.path for sandbox in known if sandbox.released_at is None}
        found += [
            (_orphan(sandbox, "no_row"), sandbox)
            for sandbox in marks
            if sandbox.path not in existing
        ]
        return found + self._branches(known, {sandbox.path for _, sandbox in found} | existing)

    def _branches(
        self, known: tuple[Sandbox, ...], elsewhere: set[str]
    ) -> list[tuple[OrphanedSandbox, Sandbox]]:
        found = {}
        for project_path in sorted({held.project_path for held in known if held.branch}):
            try:
                listing = run_git(
                    project_path,
                    *("for-each-ref", "--format=%(refname:short)", f"refs/heads/{BRANCH_PREFIX}"),
                )
            except ProjectError:
                continue  # the project is gone, and its branches are
            branches = set(listing.stdout.decode().split())
            for held in known:
                ours = held.project_path == project_path and held.branch in branches
                if ours and held.path not in elsewhere:
                    orphan = _orphan(held, "no_row").model_copy(update={"kind": "git_branch"})
                    found[held.project_path, held.branch] = (orphan, held)
        return list(found.values())

    def _read(self, which: str, parameters: Sequence[Any] = ()) -> tuple[Sandbox, ...]:
        rows = self._database.rows(f"SELECT * FROM sandboxes {which}", parameters)
        return tuple(Sandbox(**row) for row in rows)


def _orphan(sandbox: Sandbox, reason: Literal["plan_ended", "no_row"]) -> OrphanedSandbox:
    return OrphanedSandbox(
        sandbox_id=sandbox.sandbox_id,
        plan_id=sandbox.plan_id,
        project_path=sandbox.project_path,
        kind=sandbox.kind,
        path=sandbox.path,
        branch=sandbox.branch,
        reason=reason,
    )
