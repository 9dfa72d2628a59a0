"""How large a plan's sandboxes may become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from minutebook.actors.sandbox_commits import size_of
from minutebook.domain.errors import PlanConstrained
from minutebook.domain.state import Sandbox


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
