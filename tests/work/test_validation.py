"""A validation command is run, timed, bounded and ended with all that it started."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from minutebook.actors.work.process import OUTPUT_BYTES_MAX, WorkProcess
from minutebook.actors.work.validation import run_validation
from minutebook.domain.errors import UnimportableWork, WorkFailed


def test_success_and_failure(sandbox: Path) -> None:
    """The exit code decides; the output is kept."""
    good = run_validation(["sh", "-c", "echo fine; pwd"], sandbox)
    assert (good.ok, good.exit_code, good.timed_out) == (True, 0, False)
    assert good.output_tail == f"fine\n{sandbox.resolve()}\n"
    bad = run_validation(("sh", "-c", "echo wrong >&2; exit 5"), sandbox)
    assert (bad.ok, bad.exit_code, bad.output_tail) == (False, 5, "wrong\n")
    assert bad.command == ("sh", "-c", "echo wrong >&2; exit 5")


def test_the_environment_can_be_added_to(sandbox: Path) -> None:
    """`env` goes on top of the host's."""
    result = run_validation(
        ["sh", "-c", 'echo $EXTRA; test -n "$PATH"'], sandbox, env={"EXTRA": "e"}
    )
    assert (result.ok, result.output_tail) == (True, "e\n")


def test_a_hanging_command_is_killed_with_its_children(
    sandbox: Path, all_dead: Callable[[list[int]], None]
) -> None:
    """At the time limit the group dies, a child that ignores SIGTERM too."""
    script = "trap '' TERM; sleep 600 & echo $$ $! > pids; wait; sleep 600"
    result = run_validation(["sh", "-c", script], sandbox, timeout_s=1.5)
    assert (result.ok, result.timed_out, result.stopped) == (False, True, True)
    all_dead([int(pid) for pid in (sandbox / "pids").read_text().split()])


def test_a_background_process_does_not_hold_it_up(
    sandbox: Path, all_dead: Callable[[list[int]], None]
) -> None:
    """A server left behind is ended, though it holds the output open."""
    result = run_validation(["sh", "-c", "sleep 600 & echo $! > pid; echo up"], sandbox)
    assert (result.ok, result.output_tail) == (True, "up\n")
    all_dead([int((sandbox / "pid").read_text())])


def test_the_output_is_bounded(sandbox: Path) -> None:
    """Of ten megabytes the end stays."""
    code = "print('x' * 10_000_000); print('end')"
    result = run_validation([sys.executable, "-c", code], sandbox)
    assert len(result.output_tail) <= OUTPUT_BYTES_MAX
    assert result.output_tail.endswith("x\nend\n")


def test_a_missing_program_fails_with_its_reason(sandbox: Path) -> None:
    """127, as in a shell."""
    result = run_validation(["no-such-program-x"], sandbox)
    assert (result.ok, result.exit_code) == (False, 127)
    assert "no-such-program-x" in result.output_tail


def test_another_thread_can_stop_it(sandbox: Path) -> None:
    """Cancelling a plan does not wait for its validation."""

    def stop_soon(process: WorkProcess) -> None:
        threading.Thread(target=process.stop, args=(0.1,)).start()

    result = run_validation(["sleep", "600"], sandbox, on_start=stop_soon)
    assert (result.ok, result.stopped, result.timed_out) == (False, True, False)


def test_what_is_no_command_is_refused(sandbox: Path, tmp_path: Path) -> None:
    """A string is not split, a missing directory is an error."""
    with pytest.raises(UnimportableWork):
        run_validation("make test", sandbox)
    with pytest.raises(WorkFailed):
        run_validation(["true"], tmp_path / "nowhere")
