"""What a plan changed between two commits, file by file, with git's own counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FileStatus = Literal["created", "modified", "deleted", "renamed"]
"""A copy is `created` (its source stays); a change of file type is `modified`."""

FileName = str
"""A path relative to the repository, as git stores it, "/" between its parts.

Bytes that are not UTF-8 are lone surrogates (`surrogateescape`): `model_dump()` keeps them,
`model_dump_json()` refuses them.
"""

Count = Annotated[int, Field(ge=0)]


class _Value(BaseModel):
    # Deferred: the schema is built when the first changeset is, not when a host imports us.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class FileChange(_Value):
    """One file of a changeset."""

    path: FileName
    """The file's name after the change; of a deleted file, its name before."""

    status: FileStatus

    old_path: FileName | None = None
    """Where a renamed file was, or what a copied one was copied from; otherwise None."""

    lines_added: Count | None
    """Lines, as `git diff --numstat` counts them; None where git sees a binary file."""

    lines_removed: Count | None
    """Lines, as `git diff --numstat` counts them; None where git sees a binary file."""

    bytes_before: Count | None = None
    """Size of the stored object before; None if created, or a submodule."""

    bytes_after: Count | None = None
    """Size of the stored object after; None if deleted, or a submodule."""

    digest_before: str | None = None
    """Object id before, as `git-<object format>:<hex>`; None if created."""

    digest_after: str | None = None
    """Object id after, as `git-<object format>:<hex>`; None if deleted."""

    sha256_before: str | None = None
    """Of the file's bytes in the project before, in hexadecimal; None where nobody looked."""

    sha256_after: str | None = None
    """Of the file's bytes in the project after, in hexadecimal; None where nobody looked."""

    mode_changed: bool = False
    """True when a file that is there before and after has another mode or file type."""

    @property
    def binary(self) -> bool:
        """True when git counts no lines for this file."""
        return self.lines_added is None


class Changeset(_Value):
    """All files that differ between two commits, in git's order."""

    commit_before: str
    """Full hexadecimal id."""

    commit_after: str
    """Full hexadecimal id."""

    files: tuple[FileChange, ...] = ()

    @property
    def files_changed(self) -> int:
        """How many files differ; a rename is one."""
        return len(self.files)

    @property
    def lines_added(self) -> int:
        """Lines added in all; a binary file counts as 0."""
        return sum(file.lines_added or 0 for file in self.files)

    @property
    def lines_removed(self) -> int:
        """Lines removed in all; a binary file counts as 0."""
        return sum(file.lines_removed or 0 for file in self.files)

    @property
    def files_created(self) -> int:
        """How many files are new."""
        return self._count("created")

    @property
    def files_modified(self) -> int:
        """How many files have other content, mode or type under the same name."""
        return self._count("modified")

    @property
    def files_deleted(self) -> int:
        """How many files are gone."""
        return self._count("deleted")

    @property
    def files_renamed(self) -> int:
        """How many files have another name, with or without other content."""
        return self._count("renamed")

    def _count(self, status: FileStatus) -> int:
        return sum(file.status == status for file in self.files)
