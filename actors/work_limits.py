"""How large a plan's sandboxes may become."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from minutebook.actors.sandbox_commits import size_of
from minutebook.domain.errors import PlanConstrained
from minutebook.domain.state import Sandbox

LOOK_S: Final = 1.0
"""How long work may go on before its sandboxes are looked at again."""

LOOK_SHARE: Final = 20
"""How much longer than the last look that is, where looking takes its time."""


class Looking:
    """Looks at sandboxes while work goes on, now and then.

    Args:
        check: raises when a limit is broken.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._next = time.monotonic() + LOOK_S

    def look(self) -> None:
        """Look, unless it is too early; raises what ``check`` raises."""
        began = time.monotonic()
        if began < self._next:
            return
        self._check()
        ended = time.monotonic()
        self._next = ended + max(LOOK_S, LOOK_SHARE * (ended - began))


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Limits for all sandboxes of a plan together; what git ignores counts too."""

    bytes_max: int | None = None
    """Most bytes of files; None for any."""

    files_max: int | None = None
    """Most files and links; None for any."""

    def check(self, plan_id: str, sandboxes: Sequence[Sandbox]) -> None:
        """Look at the sandboxes, unless there is no limit.

        Raises:
            PlanConstrained: they are larger.
        """
        if self.bytes_max is None and self.files_max is None:
            return
        sizes = [size_of(sandbox) for sandbox in sandboxes]
        held_bytes, held_files = (sum(column) for column in zip(*sizes, strict=True))
        over = []
        if self.bytes_max is not None and held_bytes > self.bytes_max:
            over.append(f"{held_bytes} bytes, where {self.bytes_max} are the limit")
        if self.files_max is not None and held_files > self.files_max:
            over.append(f"{held_files} files, where {self.files_max} are the limit")
        if over:
            msg = (
                f"the sandbox of plan {plan_id} has {' and '.join(over)}; let its work write less,"
                " or give execute() a higher limit."
            )
            raise PlanConstrained(msg)
