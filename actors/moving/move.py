"""One project's move as a whole: forth, back, and away with what it needed.

Each of the three can be done again after it was cut off anywhere, in another process too. Who
does it holds the project's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from minutebook.actors.moving.checkout import (
    ensure_movable,
    keep_index,
    locked_index,
    set_checkout,
    unlock_index,
)
from minutebook.actors.moving.files import ensure_before, move_back, move_forth
from minutebook.actors.moving.manifest import Manifest, read_manifest
from minutebook.domain.errors import ProjectError


class Move:
    """Moves a project's files, and a git work tree's index and HEAD.

    Args:
        store: as made by `minutebook.actors.moving.staging.stage`.

    Raises:
        ProjectError: the store is not there, or cannot be read.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        """Where the old and the new files are."""
        # There from before the first file is moved.
        self._begun = store / "begun"
        try:
            self.manifest: Manifest = read_manifest(store)
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"the store {store} of an apply cannot be read: {error}; look at its project."
            raise ProjectError(msg) from error

    def forth(self) -> None:
        """Give the project the merge's result; goes on where an earlier try ended.

        Raises:
            ProjectError: it cannot be; call `back`.
        """
        with _as_project_errors(self.manifest.root):
            if self.manifest.checkout is None:
                if not self._begun.exists():
                    ensure_before(self.manifest)
                    self._begun.touch()
                move_forth(self.store, self.manifest)
                return
            with locked_index(self.manifest.checkout):
                ensure_movable(self.manifest, begun=self._begun.exists())
                if not self._begun.exists():
                    keep_index(self.manifest, self.store)
                    self._begun.touch()
                move_forth(self.store, self.manifest)
                set_checkout(self.manifest, self.store, forth=True)

    def back(self) -> None:
        """Give the project back what it had, whether it was moved, in part, or not at all.

        Raises:
            ProjectError: something was changed meanwhile by somebody else, and left so; all
                the rest is as it was.
        """
        if not self._begun.exists():
            if self.manifest.checkout is not None:
                unlock_index(self.manifest.checkout)
            return
        with _as_project_errors(self.manifest.root):
            if self.manifest.checkout is None:
                left = move_back(self.store, self.manifest)
            else:
                with locked_index(self.manifest.checkout):
                    head = ensure_movable(self.manifest, begun=True)
                    left = move_back(self.store, self.manifest)
                    # The index was replaced after the HEAD was.
                    if head == self.manifest.after:
                        set_checkout(self.manifest, self.store, forth=False)
        if left:
            shown = ", ".join(repr(path) for path in left[:5])
            msg = (
                f"{self.manifest.root!r} has all its files as they were but {shown}"
                f"{f' and {len(left) - 5} more' if len(left) > 5 else ''}, changed by somebody"
                " else meanwhile, or not writable; look at them."
            )
            raise ProjectError(msg)


@contextlib.contextmanager
def _as_project_errors(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"{root!r} cannot be written: {error}; put right what is named, then create a new plan."
        )
        raise ProjectError(msg) from error
