"""Sandboxes that no living plan has any more: found, and taken away.

Only what is proven to be ours is found. A directory is, by its row, or by the mark beside it
that names our app database; a branch is, by its prefix and a row that names it.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Literal

from minutebook.actors.base import handles
from minutebook.actors.git.command import run_git
from minutebook.actors.git.worktree import BRANCH_PREFIX
from minutebook.actors.sandbox_keeping import release_failed
from minutebook.actors.sandbox_marks import marked
from minutebook.actors.sandbox_release import SandboxReleases
from minutebook.domain.commands import FindOrphans, ReleaseOrphans
from minutebook.domain.errors import MinutebookError, ProjectError
from minutebook.domain.events import SandboxReleased
from minutebook.domain.plan import Phase, is_ended
from minutebook.domain.state import OrphanedSandbox, Sandbox

logger = logging.getLogger("minutebook.actors")

_ENDED = ", ".join(f"'{phase}'" for phase in Phase if is_ended(phase))

_WITHOUT_PLAN = f"""
    WHERE released_at IS NULL AND NOT kept
    AND NOT EXISTS (SELECT 1 FROM plans
        WHERE plans.plan_id = sandboxes.plan_id AND phase NOT IN ({_ENDED}))
    AND NOT EXISTS (SELECT 1 FROM plan_workers WHERE plan_workers.plan_id = sandboxes.plan_id)
    AND NOT EXISTS (SELECT 1 FROM intents
        WHERE detail ->> 'sandbox_id' = sandboxes.sandbox_id
        OR detail ->> 'plan_id' = sandboxes.plan_id)
"""
# Who works on a plan still releases what it holds, and who has an intent ends what it began.


class SandboxOrphans(SandboxReleases):
    """The part of the actor that looks for sandboxes without a plan.

    Args:
        service, outbox: as for every `StatefulActor`.
        directory: where sandboxes are made.
    """

    _directory: Path

    @handles(FindOrphans)
    def orphans(self, command: FindOrphans) -> tuple[OrphanedSandbox, ...]:
        """Find what no living plan has."""
        return tuple(orphan for orphan, _ in self._find())

    @handles(ReleaseOrphans)
    def release_orphans(self, command: ReleaseOrphans) -> tuple[OrphanedSandbox, ...]:
        """Take them away; return those that are gone."""
        gone = []
        for orphan, sandbox in self._find():
            # Told as a failure; the others are not kept.
            with contextlib.suppress(MinutebookError):
                if orphan.kind == "git_branch":
                    self._delete_branch(sandbox)
                elif orphan.reason == "no_row":
                    self._take_away(sandbox, None)
                else:
                    self._release(sandbox)
                gone.append(orphan)
        return tuple(gone)

    def _find(self) -> list[tuple[OrphanedSandbox, Sandbox]]:
        found = [
            (_orphan(sandbox, "plan_ended"), sandbox) for sandbox in self._sandboxes(_WITHOUT_PLAN)
        ]
        known = self._read("", ())
        directories = {self._directory, *(Path(held.path).parent for held in known)}
        marks = [
            sandbox
            for directory in sorted(directories)
            for sandbox in marked(directory, self._database.path)
        ]
        # After the marks: a sandbox has its row before its mark.
        known = self._read("", ())
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

    def _delete_branch(self, sandbox: Sandbox) -> None:
        assert sandbox.branch is not None, sandbox
        try:
            run_git(sandbox.project_path, "branch", "--quiet", "-D", sandbox.branch)
        except ProjectError as error:
            with self._recorded() as recording:
                recording.tell(release_failed(sandbox, error))
            raise
        with self._recorded() as recording:
            recording.tell(
                SandboxReleased(
                    plan_id=sandbox.plan_id,
                    project_names=(sandbox.project_name,),
                    sandbox_id=sandbox.sandbox_id,
                    kind=sandbox.kind,
                    path=sandbox.path,
                    branch=sandbox.branch,
                    bytes_freed=0,
                    files_freed=0,
                    seconds=0.0,
                )
            )


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
