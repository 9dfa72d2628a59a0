"""A command that must succeed before a plan's changes reach the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from minutebook.actors.work.process import WorkProcess
from minutebook.actors.work.spec import describe_command

VALIDATION_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """How a validation command ended."""

    command: tuple[str, ...]

    exit_code: int
    """0 is success, 127 a program that cannot be started, a negative number a signal."""

    seconds: float

    output_tail: str
    """The last 64 KiB of standard output and error."""

    timed_out: bool

    stopped: bool
    """True when it was stopped, by its timeout or by `WorkProcess.stop`."""

    @property
    def ok(self) -> bool:
        """True when the command ended by itself, with 0."""
        return self.exit_code == 0 and not self.stopped


def run_validation(
    argv: Sequence[str],
    cwd: str | os.PathLike[str],
    timeout_s: float = VALIDATION_TIMEOUT_S,
    env: Mapping[str, str] | None = None,
    *,
    plan_id: str = "",
    on_start: Callable[[WorkProcess], None] | None = None,
) -> ValidationResult:
    """Run `argv` in `cwd` and return how it ended; nothing that it started outlives this.

    After `timeout_s` it is killed with its whole group. `on_start` gets the process, so that
    another thread can stop it. Raises `UnimportableWork` for what is no command, and
    `WorkFailed` when `cwd` is missing.
    """
    work = describe_command(argv)
    process = WorkProcess.start(work, sandbox=cwd, plan_id=plan_id, env=env)
    with process:
        if on_start is not None:
            on_start(process)
        result = process.wait(timeout_s=timeout_s)
    output = result.output_tail
    if result.error is not None:
        output += f"{result.error}\n"
    return ValidationResult(
        command=work.argv,
        exit_code=result.exit_code,
        seconds=result.seconds,
        output_tail=output,
        timed_out=result.timed_out,
        stopped=result.stopped,
    )
