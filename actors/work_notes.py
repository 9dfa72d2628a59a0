"""What a plan's work notes on its way: decisions, tools and checkpoints, on to the actors."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from pydantic import SecretStr
from pykka import Future

from minutebook.actors.base import ASK_TIMEOUT_S, Ask
from minutebook.domain.commands import Command, NoteCheckpoint, RecordDecision, RecordTool
from minutebook.domain.errors import WorkFailed

PENDING_MAX: Final = 100
"""Most notes that are asked for and not answered, before the work has to wait."""


class WorkNotes:
    """Hands on what one work notes, in its order, and forgets no error.

    Args:
        plan_id: whose work.
        ask_plans, ask_sandboxes: the actors that record it.
    """

    def __init__(self, plan_id: str, ask_plans: Ask, ask_sandboxes: Ask) -> None:
        self._plan_id = plan_id
        self._ask_plans = ask_plans
        self._ask_sandboxes = ask_sandboxes
        self._pending: deque[Future[Any]] = deque()

    def take(self, kind: str, fields: dict[str, Any]) -> None:
        """Have a note recorded.

        Raises:
            MinutebookError: it, or an earlier one, cannot be recorded.
        """
        try:
            command = self._command(kind, {**fields, "plan_id": self._plan_id})
        except (KeyError, TypeError) as error:
            msg = f"the work noted a {kind!r} that is none: {error}; use the methods of its ctx."
            raise WorkFailed(msg) from error
        # In their order, although two actors take them: a decision comes after its checkpoint.
        if isinstance(command, NoteCheckpoint):
            self.wait()
            self._ask_sandboxes(command).get(timeout=ASK_TIMEOUT_S)
            return
        self._pending.append(self._ask_plans(command))
        if len(self._pending) > PENDING_MAX:
            self._pending.popleft().get(timeout=ASK_TIMEOUT_S)

    def wait(self) -> None:
        """Return when all is recorded.

        Raises:
            MinutebookError: something cannot be.
        """
        while self._pending:
            self._pending.popleft().get(timeout=ASK_TIMEOUT_S)

    def _command(self, kind: str, fields: dict[str, Any]) -> Command:
        if kind == "decision":
            return RecordDecision(**{**fields, "alternatives": tuple(fields["alternatives"])})
        if kind == "tool":
            return RecordTool(**{**fields, "arguments": SecretStr(fields["arguments"])})
        if kind == "checkpoint":
            return NoteCheckpoint(**fields)
        raise KeyError(kind)
