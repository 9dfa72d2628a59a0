"""The real program in a process of its own, its output a pipe or a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.event import AuditEvent
from minutebook.domain.events import (
    AuthFailed,
    ConfigChanged,
    FileStatus,
    PlanApplyCompleted,
    SessionCreated,
    ValidationOutcome,
)
from minutebook.domain.redaction import KEY_BYTES, Redactor

COMMAND = [sys.executable, "-m", "minutebook.actors.cli"]
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
PLAN = "0199abcd-ef01-7000-8000-00000000a001"
HOSTILE = 'eve\n\x1b[31mroot\x1b]0;owned\x07 \x9b1m \u202egnp [bold]x[/] "q",\t\x7f'
"""An identity that would end a line, colour, retitle and reorder a terminal."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Terminal = Callable[..., str]
Append = Callable[[Path, list[AuditEvent]], None]


def _append(path: Path, events: list[AuditEvent]) -> None:
    encoder = Encoder(Redactor(b"k" * KEY_BYTES))
    ledger = SqliteLedger(path, encoder)
    ledger.append(
        [
            with_producer(encoder.encode_head(event), "0a" * 16, number)
            for number, event in enumerate(events)
        ]
    )
    ledger.close()


@pytest.fixture
def append() -> Append:
    """Appends events to the ledger at a path, and closes it."""
    return _append


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Six entries of different kinds, an hour between one and the next."""
    hour = timedelta(hours=1)
    alice: dict[str, Any] = {
        "user_identity": "alice@example.com",
        "session_id": "s-1",
        "correlation_id": "req-1",
    }
    path = tmp_path / "audit.db"
    _append(
        path,
        [
            SessionCreated(actor_name="local/reviewer", occurred_at=START, **alice),
            AuthFailed(
                method="password",
                principal="bob",
                reason="locked",
                attempts=3,
                occurred_at=START + hour,
            ),
            ConfigChanged(
                key="greeting",
                new_value="Grüße, 日本語 and [red]no markup[/]",
                scope="file",
                occurred_at=START + 2 * hour,
                **alice,
            ),
            PlanApplyCompleted(
                commit_before="a" * 40,
                commit_after="b" * 40,
                files_changed=2,
                lines_added=13,
                lines_removed=1,
                files_created=1,
                files_modified=1,
                files_deleted=0,
                files_renamed=0,
                files=(
                    FileStatus(
                        path="src/app.py",
                        change="modified",
                        lines_added=13,
                        lines_removed=1,
                        project_name="shop",
                    ),
                    FileStatus(
                        path="logo.png",
                        change="created",
                        lines_added=None,
                        lines_removed=None,
                        project_name="shop",
                    ),
                ),
                conflicts=(),
                validations=(
                    ValidationOutcome(
                        command=("make", "test"), passed=True, exit_code=0, seconds=1.5
                    ),
                ),
                duration_s=0.25,
                plan_id=PLAN,
                project_names=("shop", "site"),
                occurred_at=START + 3 * hour,
                **alice,
            ),
            ConfigChanged(
                key="motd",
                old_value=HOSTILE,
                new_value={"\udcff name": [HOSTILE, ["12", 12, None, True, ""]]},
                scope="file",
                user_identity=HOSTILE,
                occurred_at=START + 4 * hour,
            ),
            SessionCreated(
                actor_name="x",
                outcome="denied",
                outcome_reason="too many",
                occurred_at=START + 5 * hour,
            ),
        ],
    )
    return path


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what would change the output."""
    ours = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "PYTHONUTF8", "LC_ALL", "LANG"}
    plain = {name: value for name, value in os.environ.items() if name not in ours}
    return {**plain, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **changes}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the program with its output in a pipe, as text with line ends as they are."""

    def run_program(*arguments: str | Path, **changes: str) -> "subprocess.CompletedProcess[str]":
        ran = subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment(**changes),
            capture_output=True,
            timeout=60,
        )
        return subprocess.CompletedProcess(
            ran.args, ran.returncode, ran.stdout.decode("utf-8"), ran.stderr.decode("utf-8")
        )

    return run_program


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Runs the program in a terminal of so many columns; returns what it wrote there."""

    def run_in_terminal(columns: int, *arguments: str | Path, **changes: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment(**changes),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            written += piece
        os.close(ours)
        assert process.wait(timeout=60) == 0
        return written.decode("utf-8").replace("\r\n", "\n")

    return run_in_terminal
