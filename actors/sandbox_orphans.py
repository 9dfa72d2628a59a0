"""Sandboxes that no living plan has any more: taken away."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path

from minutebook.actors.base import handles
from minutebook.actors.git.command import run_git
from minutebook.actors.sandbox_keeping import release_failed, release_told
from minutebook.actors.sandbox_release import SandboxReleases
from minutebook.actors.sandbox_search import SandboxSearch
from minutebook.domain.commands import FindOrphans, ReleaseOrphans
from minutebook.domain.errors import MinutebookError, ProjectError
from minutebook.domain.state import OrphanedSandbox, Sandbox

logger = logging.getLogger("minutebook.actors")


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
        return SandboxSearch(self._database, self._directory).find()

    def _delete_branch(self, sandbox: Sandbox) -> None:
        assert sandbox.branch is not None, sandbox
        try:
            run_git(sandbox.project_path, "branch", "--quiet", "-D", sandbox.branch)
        except ProjectError as error:
            with self._recorded() as recording:
                recording.tell(release_failed(sandbox, error))
            raise
        with self._recorded() as recording:
            recording.tell(release_told(sandbox, datetime.now(UTC)))
