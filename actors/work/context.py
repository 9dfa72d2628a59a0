"""What a plan's callable gets as its one argument, `ctx`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

STEP_NAME_CHARS_MAX = 500
"""A longer step name is cut there."""


class WorkContext:
    """The sandbox, who asked for the plan, and the way to report progress.

    Built in the child process; safe to use from any of its threads.
    """

    __slots__ = ("_is_cancelled", "_report", "binding", "identity", "path", "paths", "plan_id")

    def __init__(
        self,
        *,
        path: Path,
        paths: Mapping[str, Path],
        plan_id: str,
        identity: str | None,
        binding: Mapping[str, str],
        report: Callable[[str, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.path = path
        """The sandbox's work tree, absolute; also the working directory."""

        self.paths = dict(paths)
        """The work tree of each project, by its name in the plan; `path` is the first one's."""

        self.plan_id = plan_id

        self.identity = identity
        """Who asked for the plan."""

        self.binding = dict(binding)
        """The caller's binding: `session_id`, `correlation_id`, ... as far as it was set."""

        self._report = report
        self._is_cancelled = is_cancelled

    @property
    def session_id(self) -> str | None:
        """The caller's session."""
        return self.binding.get("session_id")

    @property
    def correlation_id(self) -> str | None:
        """The request that the plan belongs to."""
        return self.binding.get("correlation_id")

    @property
    def cancelled(self) -> bool:
        """True once the plan is being cancelled: return soon, the process is killed next."""
        return self._is_cancelled()

    def step(self, name: str, total: int | None = None) -> None:
        """Say that the step `name` begins, which ends the one before.

        `total` is how many steps there will be, where that is known. Raises `ValueError` for
        an empty name or a total below 1.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"A step needs a name, not {name!r}; give a short text.")
        if total is not None and (not isinstance(total, int) or total < 1):
            raise ValueError(f"A step's total is {total!r}; give a number from 1 up, or None.")
        self._report(name[:STEP_NAME_CHARS_MAX], total)
