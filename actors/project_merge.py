"""One project's part of an apply, up to where it can be moved: merged, counted and staged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minutebook.actors.apply_report import ProjectReport
from minutebook.actors.directory.copying import check_copyable
from minutebook.actors.directory.shadow import branch_in, shadow_of, snapshot
from minutebook.actors.git.apply import ScratchMerge, merge_in_scratch
from minutebook.actors.git.changes import read_changeset, read_tree_changes
from minutebook.actors.git.command import Author
from minutebook.actors.git.repository import ensure_clean, inspect_project
from minutebook.actors.git.worktree import branch_of, remove_worktree
from minutebook.actors.moving.checkout import describe_checkout
from minutebook.actors.moving.manifest import Checkout, Item, Manifest
from minutebook.actors.moving.staging import stage
from minutebook.domain.changeset import Changeset, FileChange
from minutebook.domain.errors import ProjectMissing
from minutebook.domain.state import PlanProject, Sandbox


@dataclass(frozen=True, slots=True)
class MergedProject:
    """A project's merge, which the project does not have yet."""

    scratch: Path
    """The merge's result, checked out."""

    report: ProjectReport


def scratch_of(directory: Path, position: int) -> Path:
    """Where a project's merge is checked out.

    Args:
        directory: of the apply.
        position: of the project in its plan.
    """
    return directory / f"scratch-{position}"


def repository_of(project: PlanProject, sandbox: Sandbox) -> Path:
    """Return the repository in which a project is merged: its own, or the copy's shadow."""
    return Path(project.path) if project.kind == "git" else shadow_of(sandbox.path)


@contextmanager
def merged(
    project: PlanProject, sandbox: Sandbox, directory: Path, position: int, author: Author
) -> Iterator[MergedProject]:
    """Merge a plan's changes to a project in scratch, and stage what is to be moved.

    The scratch work tree is there inside the ``with``.

    Raises:
        MergeConflict: the two do not go together.
        ProjectDirty: the project has something in the way.
        ProjectError: something else is in the way, or git failed.
    """
    scratch, store = scratch_of(directory, position), directory / f"store-{position}"
    repository = repository_of(project, sandbox)
    checkout: Checkout | None = None
    if project.kind == "git":
        inspected = inspect_project(project.path)
        before, branch = inspected.head, sandbox.branch or branch_of(sandbox.plan_id)
        checkout = describe_checkout(inspected, sandbox.plan_id)
    else:
        if not Path(project.path).is_dir():
            msg = f"There is no directory {project.path!r} any more; put it back."
            raise ProjectMissing(msg)
        check_copyable(project.path)
        before = snapshot(
            repository, project.path, parent=sandbox.commit, message="The project at the apply"
        )
        branch = branch_in(repository)
    with merge_in_scratch(repository, before, branch, scratch, author, name=project.name) as merge:
        changeset = read_changeset(merge.path, merge.before, merge.after)
        manifest: Manifest | None = None
        if merge.before != merge.after:
            manifest = _staged(project, sandbox, store, merge, checkout)
            changeset = _with_digests(changeset, manifest.items)
        if project.kind == "directory":
            # The copy has no such file either; git knows the work tree without it.
            (scratch / ".git").unlink()
        report = ProjectReport(
            project=project,
            sandbox_path=sandbox.path,
            changeset=changeset,
            store=None if manifest is None else str(store),
        )
        yield MergedProject(scratch, report)


def discard_scratch(repository: Path, scratch: Path) -> None:
    """Remove what a merge that was cut off left; raises `ProjectError`."""
    if repository.is_dir():
        remove_worktree(repository, scratch)


def _staged(
    project: PlanProject,
    sandbox: Sandbox,
    store: Path,
    merge: ScratchMerge,
    checkout: Checkout | None,
) -> Manifest:
    manifest = stage(
        store,
        Path(project.path),
        merge.path,
        read_tree_changes(merge.path, merge.before, merge.after),
        kind=project.kind,
        before=merge.before,
        after=merge.after,
        checkout=checkout,
        copy=Path(sandbox.path) if project.kind == "directory" else None,
    )
    if project.kind == "git":
        # What was kept of the old files is what git knows of them.
        ensure_clean(project.path)
    return manifest


def _with_digests(changeset: Changeset, items: Sequence[Item]) -> Changeset:
    states = {item.path: item for item in items}
    files = []
    for file in changeset.files:
        before = states.get(file.old_path or file.path) if file.status != "created" else None
        after = states.get(file.path)
        files.append(_with_digest(file, before, after))
    return changeset.model_copy(update={"files": tuple(files)})


def _with_digest(file: FileChange, before: Item | None, after: Item | None) -> FileChange:
    return file.model_copy(
        update={
            "sha256_before": None if before is None else before.before.sha256,
            "sha256_after": None if after is None else after.after.sha256,
        }
    )
