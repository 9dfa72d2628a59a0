"""Secrets: once told to a service, they are found nowhere but where they must be."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pykka import Future

from minutebook.actors import AuditSystem
from minutebook.domain import MinutebookError, bind
from tests.scenarios.stories import WAIT_S, read

NAMED = "named-secret-0f3a9c"
TYPED = "typed-secret-7be21d"
MARKED = "marked-secret-c41e77"
NESTED = "nested-secret-5d90aa"
LISTED = "listed-secret-e8b3f2"
IN_CONFIG = (NAMED, TYPED, MARKED, NESTED, LISTED)

PASSWORD = "password-9a7d3b21"
WRONG = "wrong-password-61f0cc"
WRONG_TOKEN = "mbk_wrong-token-2f7788"
TOO_LONG = "long-password-aa41" * 80
SHORT = "sh0rt-p"
NOT_UNICODE = "surrogate-\ud800-password-77aa"


def attempt(said: list[str], asked: Any) -> Any:
    """Answer, with everything that a host could print of it noted."""
    try:
        future: Future[Any] = asked()
        answer = future.get(timeout=WAIT_S)
    except MinutebookError as error:
        said.extend((str(error), repr(error), *traceback.format_exception(error)))
        return None
    said.extend((str(answer), repr(answer)))
    return answer


def test_no_secret_is_told_stored_logged_or_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    tokens: list[str] = []
    ledger = tmp_path / "audit.db"
    system = AuditSystem.open(ledger)
    auth, config = system.auth, system.config
    with bind(identity="alice"):
        for _ in range(2):
            attempt(said, lambda: config.set("provider.api_key", NAMED))
            attempt(said, lambda: config.set("plain.typed", SecretStr(TYPED)))
            attempt(said, lambda: config.set("plain.marked", MARKED, secret=True))
            attempt(said, lambda: config.set("db", {"name": "n", "auth": {"password": NESTED}}))
            attempt(said, lambda: config.set("servers", [{"host": "h", "token": LISTED}]))
            for key in ("provider", "plain", "plain.marked", "db", "db.auth.password", "servers"):
                attempt(said, lambda key=key: config.get(key))
            attempt(said, config.list)
            attempt(said, lambda: config.set("plain.marked.below", MARKED))
            attempt(said, lambda: config.set("provider.api_key", [NAMED, None]))
        attempt(said, lambda: config.unset("db"))
        attempt(said, lambda: config.unset("servers"))
        attempt(said, lambda: auth.create_user("alice", PASSWORD))
        attempt(said, lambda: auth.create_user("alice", PASSWORD))
        attempt(said, lambda: auth.create_user("bob", SHORT))
        attempt(said, lambda: auth.create_user("bob", TOO_LONG))
        for name in ("alice", "nobody"):
            for wrong in (WRONG, TOO_LONG, NOT_UNICODE):
                attempt(said, lambda name=name, wrong=wrong: auth.authenticate(name, wrong))
        attempt(said, lambda: auth.authenticate("alice", PASSWORD))
        for label in ("ci", "laptop"):
            token = attempt(said, lambda label=label: auth.create_token("alice", label=label))
            tokens.append(token.secret.get_secret_value())
        attempt(said, lambda: auth.authenticate_token(tokens[0]))
        attempt(said, lambda: auth.authenticate_token(WRONG_TOKEN))
        attempt(said, lambda: auth.delete_user("alice"))
    system.flush(timeout=WAIT_S)

    secrets = [*IN_CONFIG, PASSWORD, WRONG, WRONG_TOKEN, TOO_LONG[:18], SHORT, *tokens]
    printed = "\n".join(said) + caplog.text
    assert len(said) > 80
    for secret in (*secrets, "password-77aa"):
        assert secret not in printed, secret
    # While the system is open, so that the write-ahead logs are there; and after it.
    for closed in (False, True):
        if closed:
            system.close()
        files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        if not closed:
            assert "audit.db-wal" in files
            assert "audit.db.app.db-wal" in files
        config_file = files.pop("audit.db.config.toml")
        for name, content in files.items():
            for secret in (*secrets, "password-77aa"):
                assert secret.encode() not in content, (secret, name)
        for secret in secrets:
            assert (secret.encode() in config_file) == (secret in {NAMED, TYPED, MARKED}), secret
    assert (tmp_path / "audit.db.config.toml").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.db.app.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit.db.app.db").stat().st_mode & 0o777 == 0o600
    entries = read(ledger)
    assert sum(entry["type"] == "config.changed" for entry in entries) == 12
    assert sum(entry["type"] == "auth.failed" for entry in entries) == 5
