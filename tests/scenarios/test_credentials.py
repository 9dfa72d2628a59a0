"""Credentials: no call that takes one, good or bad, leaves it anywhere that can be read."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pykka import Future
from rich.console import Console
from rich.traceback import Traceback

from minutebook.actors import AuditSystem
from minutebook.actors.appdb import AppDatabase
from minutebook.domain import MinutebookError, bind
from tests.scenarios.stories import WAIT_S, read

FIRST, SECOND, THIRD = "first-of-bob-83aa1", "second-of-bob-19cd2", "third-of-bob-5e0f3"
WRONG = "wrong-one-61f0cc"
BRIEF = "sh-0b1"
LONG = "too-long-aa41" * 100
NOT_UNICODE = "surrogate-\ud800-77aa"
WRONG_TOKEN = "mbk_wrong-token-2f7788"
FOUND_BY = (FIRST, SECOND, THIRD, WRONG, BRIEF, LONG[:13], "-77aa", WRONG_TOKEN)

HERE = str(Path(__file__).parent)


def shown(error: BaseException) -> list[str]:
    """What error reporters show of an error and of those behind it, below this file's frames."""
    texts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        below = seen.__traceback__
        while below is not None and below.tb_frame.f_code.co_filename.startswith(HERE):
            below = below.tb_next
        if below is not None:
            found = traceback.TracebackException(type(seen), seen, below, capture_locals=True)
            texts += found.format(chain=False)
            console = Console(width=200, record=True, quiet=True)
            made = Traceback.extract(type(seen), seen, below, show_locals=True)
            console.print(Traceback(made, show_locals=True, locals_max_string=100_000))
            texts.append(console.export_text())
        seen = seen.__cause__ or seen.__context__
    return texts


class Host:
    """Calls, and keeps everything that it could print of the answers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.refused: list[str] = []
        self.places: set[tuple[object, ...]] = set()

    def try_(self, ask: Callable[[], Future[Any]]) -> Any:
        """Return the answer, or nothing."""
        try:
            answer = ask().get(timeout=WAIT_S)
        except MinutebookError as error:
            self.refused.append(type(error).__name__)
            self.said += [str(error), repr(error)]
            # Showing them takes its time: once for each place that raises.
            last = traceback.extract_tb(error.__traceback__)[-1]
            if (place := (type(error), last.filename, last.lineno, len(str(error)))) in self.places:
                return None
            self.places.add(place)
            self.said += shown(error)
            return None
        self.said += [str(answer), repr(answer), answer_json(answer)]
        return answer


def answer_json(answer: Any) -> str:
    return "" if isinstance(answer, tuple) else str(answer.model_dump_json())


def every_call(system: AuditSystem, host: Host) -> list[str]:
    """Each call that takes a credential, in each way that it can end; returns the tokens."""
    auth, try_ = system.auth, host.try_
    for wrong in (BRIEF, LONG):
        try_(lambda: auth.create_user("bob", wrong))  # noqa: B023 - called at once
    for _ in range(2):
        try_(lambda: auth.create_user("bob", FIRST, roles=["admin"]))
    try_(lambda: auth.create_user("eve", NOT_UNICODE))
    for name in ("bob", "nobody", " "):
        # Called at once, all of them.
        for bad in (WRONG, LONG, NOT_UNICODE):
            try_(lambda: auth.authenticate(name, bad))  # noqa: B023
            try_(lambda: auth.change_password(name, bad, SECOND))  # noqa: B023
        try_(lambda: auth.change_password(name, FIRST, BRIEF))  # noqa: B023
        try_(lambda: auth.reset_password(name, BRIEF))  # noqa: B023
        try_(lambda: auth.reset_password(name, LONG))  # noqa: B023
        try_(lambda: auth.authenticate(name, FIRST, source_address=" "))  # noqa: B023
    try_(lambda: auth.authenticate("bob", SecretStr(FIRST)))
    try_(lambda: auth.change_password("bob", FIRST, SecretStr(SECOND)))
    try_(lambda: auth.reset_password("nobody", THIRD))
    try_(lambda: auth.reset_password("bob", THIRD))
    principal = try_(lambda: auth.authenticate("bob", THIRD))
    try_(lambda: system.sessions.create(actor_name="a", principal=principal))
    try_(lambda: auth.create_token("nobody", label="ci"))
    token = try_(lambda: auth.create_token("bob", label="ci", expires_in=3600))
    assert token is not None
    for ask in (
        lambda: auth.authenticate_token(token.secret),
        lambda: auth.authenticate_token(token.secret.get_secret_value(), on_behalf_of="eve"),
        lambda: auth.authenticate_token(token.secret.get_secret_value(), on_behalf_of=" "),
        lambda: auth.authenticate_token(token.secret.get_secret_value() * 40),
        lambda: auth.authenticate_token(WRONG_TOKEN),
        lambda: auth.list_tokens(),
        lambda: auth.revoke_token(token.token_id),
        lambda: auth.authenticate_token(token.secret),
    ):
        try_(ask)
    with spoiled(system):
        assert try_(lambda: auth.authenticate("bob", THIRD)) is None
        assert try_(lambda: auth.change_password("bob", THIRD, SECOND)) is None
        assert try_(lambda: auth.authenticate_token(token.secret)) is None
        assert try_(lambda: auth.create_token("bob", label="none")) is None
    for _ in range(6):
        try_(lambda: auth.authenticate("bob", WRONG))
    return [token.secret.get_secret_value()]


@contextmanager
def spoiled(system: AuditSystem) -> Iterator[None]:
    """A stored hash is none, and the table of tokens is gone: for errors that nobody expects."""
    database = AppDatabase(system.path.with_name("audit.db.app.db"))
    kept = database.row("SELECT password_hash FROM users WHERE name = 'bob'")
    assert kept is not None
    database.execute("UPDATE users SET password_hash = 'x' WHERE name = 'bob'")
    database.execute("ALTER TABLE tokens RENAME TO kept_tokens")
    yield
    database.execute("ALTER TABLE kept_tokens RENAME TO tokens")
    database.execute(
        "UPDATE users SET password_hash = ? WHERE name = 'bob'", (kept["password_hash"],)
    )
    database.close()


def test_no_credential_is_told_stored_logged_or_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host = Host()
    system = AuditSystem.open(tmp_path / "audit.db")
    with bind(identity="root"):
        tokens = every_call(system, host)
    system.flush(timeout=WAIT_S)

    assert {"AuthenticationFailed", "InvalidCommand", "PermissionDenied"} <= set(host.refused)
    assert {"AppDatabaseError", "UserExists", "UnknownUser"} <= set(host.refused)
    printed = "\n".join(host.said) + caplog.text
    # Frames with locals are among it, and what they show of a secret is its mask.
    assert "password" in printed
    assert "SecretStr('**********')" in printed
    for secret in (*FOUND_BY, *tokens):
        assert secret not in printed, secret
    scanned: set[str] = set()
    journaled = False
    # While the system is open, so that the write-ahead logs and the journal are there.
    for closed in (False, True):
        if closed:
            system.close()
        for path in tmp_path.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            scanned.add(path.name)
            journaled |= path.is_file() and "audit.db.journal.d" in path.parts
            for secret in (*FOUND_BY, *tokens):
                assert secret.encode() not in content, (secret, path)
    assert {"audit.db", "audit.db-wal", "audit.db.app.db", "audit.db.app.db-wal"} <= scanned
    assert journaled
    reasons = {
        entry["payload"]["reason"]
        for entry in read(tmp_path / "audit.db")
        if entry["type"] == "auth.failed"
    }
    assert reasons == {"bad_credential", "unknown_user", "locked", "revoked"}
