"""One apply to a project at a time, in all processes that share a ledger."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from minutebook.actors.file_lock import FileLock
from minutebook.actors.git.command import keeping_open
from minutebook.domain.errors import FileLockError, ProjectError

TURN_S: Final = 3600.0
"""How long an apply waits for others to the same project, in other processes."""


class ProjectLocks:
    """Locks projects by their paths.

    Args:
        directory: where the lock files are made; made itself, with mode 0700, when needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # Who waits in this process need not look at a file again and again.
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def held(self, paths: Sequence[str], *, wait_s: float = TURN_S) -> Iterator[None]:
        """Hold the locks of some projects.

        The git commands of the block hold them too: should this process be killed, whoever
        waits for them waits until those have ended.

        Args:
            paths: of the projects, as their plans have them.
            wait_s: how long to wait for others, for each.

        Raises:
            FileLockError: another apply holds one all the time.
            ProjectError: the files cannot be made.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            msg = f"nothing can be locked in {self._directory}: {error}; make it writable."
            raise ProjectError(msg) from error
        with ExitStack() as stack:
            descriptors = []
            # In order, so that no two wait for each other.
            for path in sorted(set(paths)):
                turn = self._turns[path]
                if not turn.acquire(timeout=wait_s):
                    msg = f"another apply to {path!r} goes on; wait for its end, and try again."
                    raise FileLockError(msg)
                stack.callback(turn.release)
                digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
                file = self._directory / f"apply-{digest[:16]}.lock"
                lock = stack.enter_context(FileLock(file, wait_s=wait_s))
                stack.callback(lock.remove)
                descriptors.append(lock.descriptor)
            stack.enter_context(keeping_open(descriptors))
            yield
