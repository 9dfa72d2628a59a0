"""How far the work is, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PROGRESS_LINE_BYTES_MAX = 64 * 1024
"""A longer line in the progress pipe is not ours and is dropped."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that has begun."""

    number: int
    """Counted from 1."""

    name: str

    total: int | None
    """How many steps there will be, if the work said so."""


@dataclass(frozen=True, slots=True)
class WorkResult:
    """How the work ended."""

    exit_code: int
    """0 is success; a negative number is the signal that ended it."""

    steps_started: int

    steps_done: int
    """A step is done when the next begins, and the last when the work succeeds."""

    last_step: str | None
    """The step that began last."""

    last_completed_step: str | None

    total: int | None
    """How many steps the work announced."""

    output_tail: str
    """The last 64 KiB of standard output and error, as UTF-8; other bytes are replaced."""

    error: str | None
    """What the work raised, or why it could not be started."""

    stopped: bool
    """True when `stop` was called before it ended."""

    timed_out: bool

    seconds: float

    @property
    def ok(self) -> bool:
        """True when the work ended by itself, with 0."""
        return self.exit_code == 0 and not self.stopped


class Progress:
    """The child's reports, taken from the bytes of its progress pipe."""

    def __init__(
        self,
        on_step: Callable[[Step], None] | None = None,
        on_note: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> None:
        self._on_step = on_step
        self._on_note = on_note
        self._rest = b""
        self.count = 0
        self.name: str | None = None
        self.name_before: str | None = None
        self.total: int | None = None
        self.error: str | None = None
        self.exit_code: int | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes, which may end inside a line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > PROGRESS_LINE_BYTES_MAX:
            self._rest = b"x"  # what follows makes no JSON of it
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # the work wrote into a descriptor that is not its own
            if isinstance(message, dict):
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        name, total = message.get("step"), message.get("total")
        if isinstance(name, str):
            self.count += 1
            self.name_before, self.name = self.name, name
            self.total = total if isinstance(total, int) else self.total
            if self._on_step is not None:
                self._on_step(Step(number=self.count, name=name, total=self.total))
        note, fields = message.get("note"), message.get("fields")
        if isinstance(note, str) and isinstance(fields, dict) and self._on_note is not None:
            self._on_note(note, fields)
        if isinstance(message.get("error"), str):
            self.error = message["error"]
        if isinstance(message.get("ended"), int):
            self.exit_code = message["ended"]
