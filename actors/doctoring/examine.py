"""Finding what a crash left, without changing anything.

Nothing of a process that lives is found: its journal's owner file is locked, or its process is
there. Of what is left, only what is proven to be ours:

- a directory or branch by its row in the app database, or a mark beside it that names that;
- a process by the random mark in its environment, which the app database knows, or by the
  session that the first process of the work began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from minutebook.actors.doctoring.findings import Ailment, Finding
from minutebook.actors.doctoring.reading import ReadOnlyAppDatabase
from minutebook.actors.ledger.owner import is_dead
from minutebook.actors.parts import side_file
from minutebook.actors.sandbox_search import SandboxSearch
from minutebook.actors.work.survivors import find_survivors, start_time
from minutebook.domain.errors import LedgerMissing
from minutebook.domain.state import OrphanedSandbox

_REASONS: Final = {
    "plan_ended": "its plan {plan} has ended, or is gone",
    "no_row": "nobody knows of it any more; it was made for plan {plan}",
}


def examine(ledger: Path, sandbox_directory: Path) -> list[Finding]:
    """Return what is found.

    Args:
        ledger: its file.
        sandbox_directory: where the host makes sandboxes.

    Raises:
        LedgerMissing: there is no such file.
        AppDatabaseError: the app database cannot be read.
    """
    if not ledger.exists():
        msg = f"there is no ledger at {ledger}; check the path."
        raise LedgerMissing(msg)
    app_path = side_file(ledger, ".app.db")
    if not app_path.exists():
        return []
    journals = side_file(ledger, ".journal.d")
    database = ReadOnlyAppDatabase(app_path)
    try:
        return list(_Examination(database, sandbox_directory, lambda it: is_dead(journals, it)))
    finally:
        database.close()


class _Examination:
    def __init__(
        self, database: ReadOnlyAppDatabase, directory: Path, is_dead: Callable[[str], bool]
    ) -> None:
        self._database = database
        self._directory = directory
        self._is_dead = is_dead

    def __iter__(self) -> Iterator[Finding]:
        self._workers = {
            row["plan_id"]: row for row in self._database.rows("SELECT * FROM plan_workers")
        }
        yield from self._cancellations()
        yield from self._plans()
        yield from self._processes()
        for orphan, _ in SandboxSearch(self._database, self._directory).find():
            yield self._orphan(orphan)

    def _cancellations(self) -> Iterator[Finding]:
        rows = self._database.rows(
            "SELECT * FROM cancellations WHERE state <> 'done' ORDER BY requested_at"
        )
        for row in rows:
            if self._is_dead(row["producer"]):
                yield self._of_plan(
                    "unended_cancellation",
                    row["plan_id"],
                    f"its cancellation was begun at {row['requested_at']:%F %T} UTC and got as far"
                    f" as {row['state']!r}",
                )

    def _plans(self) -> Iterator[Finding]:
        rows = self._database.rows(
            "SELECT * FROM plans WHERE processing_state = 'processing' AND plan_id NOT IN"
            " (SELECT plan_id FROM cancellations WHERE state <> 'done') ORDER BY created_at, rowid"
        )
        for row in rows:
            if self._is_left(row["plan_id"]):
                yield self._of_plan(
                    "stuck_plan",
                    row["plan_id"],
                    f"it is processing in phase {row['phase']}, and who did is gone",
                )

    def _is_left(self, plan_id: str) -> bool:
        worker = self._workers.get(plan_id)
        if worker is not None:
            return self._is_gone(worker)
        appliers = self._database.rows(
            "SELECT producer FROM intents WHERE actor = 'apply' AND detail ->> 'plan_id' = ?",
            (plan_id,),
        )
        return all(self._is_dead(row["producer"]) for row in appliers)

    def _is_gone(self, worker: dict[str, Any]) -> bool:
        started = worker["host_started"]
        lives = started is not None and start_time(worker["host_pid"]) == started
        return not lives and self._is_dead(worker["producer"])

    def _processes(self) -> Iterator[Finding]:
        for plan_id, worker in self._workers.items():
            if not self._is_gone(worker):
                continue
            found = find_survivors(worker["mark"], worker["pid"], worker["pid_started"])
            for pid in found:
                yield self._of_plan(
                    "stray_process",
                    plan_id,
                    f"process {pid} works on plan {plan_id}, whose host is dead",
                    id=str(pid),
                )

    def _orphan(self, orphan: OrphanedSandbox) -> Finding:
        what = _REASONS[orphan.reason].format(plan=orphan.plan_id)
        if orphan.kind == "git_branch":
            assert orphan.branch is not None, orphan
            return self._of_plan("orphan_branch", orphan.plan_id, what, id=orphan.branch)
        ailment: Ailment = "orphan_directory" if orphan.kind == "directory" else "orphan_worktree"
        return self._of_plan(ailment, orphan.plan_id, what, id=orphan.path)

    def _of_plan(
        self, ailment: Ailment, plan_id: str, what: str, *, id: str | None = None
    ) -> Finding:
        rows = self._database.rows(
            "SELECT name FROM plan_projects WHERE plan_id = ? ORDER BY position", (plan_id,)
        )
        names = tuple(row["name"] for row in rows)
        return Finding(ailment, plan_id if id is None else id, plan_id, what, names)
