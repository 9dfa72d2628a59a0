"""Settings of a system: keyword over environment, and errors that say where a value came from."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from minutebook.actors import AuditSystem
from minutebook.actors.settings import Settings, SettingsGiven, load_settings
from minutebook.domain.errors import AuthenticationFailed, SettingsError
from tests.contract.trail import WAIT_S, Counted, entries_of


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MINUTEBOOK_{name.upper()}", raising=False)


KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
"""The one that everybody knows, from Go's documentation of signed notes."""

FROM_ENVIRONMENT: list[tuple[str, str, object]] = [
    ("service", "shop", "shop"),
    ("delivery", "buffered", "buffered"),
    ("overflow", "reject", "reject"),
    ("block_timeout", "0", 0.0),
    ("backlog_max", "12", 12),
    ("backlog_bytes_max", "16777216", 16_777_216),
    ("fail_closed", "true", True),
    ("writer", "process", "process"),
    ("batch_max", "7", 7),
    ("event_bytes_max", "70000", 70_000),
    ("busy_timeout", "0.25", 0.25),
    ("close_timeout", "9", 9.0),
    ("exit_timeout", "0", 0.0),
    ("allow_network_file_system", "true", True),
    ("checkpoint_every", "100", 100),
    ("checkpoint_interval", "0.5", 0.5),
    ("checkpoints_path", "/mnt/log", Path("/mnt/log")),
    ("signing_key_path", "/etc/shop.key", Path("/etc/shop.key")),
    ("signing_key", KEY, SecretStr(KEY)),
    ("config_path", "/etc/shop.toml", Path("/etc/shop.toml")),
    ("config_env_prefix", "SHOP_", "SHOP_"),
    ("sandbox_directory", "boxes", Path("boxes")),
    ("cancel_deadline", "2.5", 2.5),
    ("sandbox_bytes_max", "1000000", 1_000_000),
    ("sandbox_files_max", "1000", 1000),
    ("lockout_attempts", "3", 3),
    ("lockout_base", "0.5", 0.5),
    ("lockout_cap", "60", 60.0),
    ("session_lifetime", "86400", 86_400.0),
    ("session_idle", "900", 900.0),
    ("retention_days", "90", 90.0),
    ("retention_count", "1000000", 1_000_000),
    ("retention_types", '{"plan.*": 30}', {"plan.*": 30.0}),
    ("retention_interval", "60", 60.0),
    ("archive_directory", "/mnt/archive", Path("/mnt/archive")),
    ("archive_before_prune", "true", True),
]


def test_every_setting_is_tried_below() -> None:
    assert [name for name, _, _ in FROM_ENVIRONMENT] == list(Settings.model_fields)


@pytest.mark.parametrize(("name", "text", "value"), FROM_ENVIRONMENT)
def test_each_setting_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"MINUTEBOOK_{name.upper()}", text)
    settings = load_settings({})
    assert getattr(settings, name) == value
    assert settings == Settings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "text", "value"), FROM_ENVIRONMENT)
def test_a_keyword_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    default: Any = Settings.model_fields[name].default
    monkeypatch.setenv(f"MINUTEBOOK_{name.upper()}", text)
    assert load_settings({name: default}) == Settings()  # type: ignore[misc]


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"MINUTEBOOK_{name.upper()}", "")
    assert load_settings({}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DELIVERY", "pigeon"),
        ("OVERFLOW", "drop"),
        ("BACKLOG_MAX", "0"),
        ("BACKLOG_BYTES_MAX", "1024"),
        ("BATCH_MAX", "many"),
        ("BATCH_MAX", "0"),
        ("BATCH_MAX", "10001"),
        ("BUSY_TIMEOUT", "-1"),
        ("CLOSE_TIMEOUT", "0"),
        ("EXIT_TIMEOUT", "nan"),
        ("EVENT_BYTES_MAX", "10"),
        ("SERVICE", "x" * 201),
    ],
)
def test_a_bad_variable_is_named_and_nothing_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"MINUTEBOOK_{name}", text)
    with pytest.raises(SettingsError, match=f"MINUTEBOOK_{name}: .*Correct them") as error:
        AuditSystem.open(tmp_path / "audit.db")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_max", "many"),
        ("batch_max", 0),
        ("busy_timeout", None),
        ("close_timeout", float("inf")),
        ("service", ""),
        ("config_path", 7),
    ],
)
def test_a_bad_keyword_is_named_even_beside_a_good_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setenv("MINUTEBOOK_BATCH_MAX", "5")
    with pytest.raises(SettingsError, match=rf"settings: {name}: "):
        AuditSystem.open(tmp_path / "audit.db", **{name: value})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["batchmax", "BATCH_MAX", "_env_prefix", "_env_file", "path_"])
def test_an_unknown_keyword_is_refused_and_the_known_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"no setting '{name}'.*batch_max"):
        AuditSystem.open(tmp_path / "audit.db", **{name: "x"})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_variable_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MINUTEBOOK_BACTH_MAX", "7")
    with caplog.at_level(logging.WARNING):
        assert load_settings({}) == Settings()
    assert "MINUTEBOOK_BACTH_MAX" in caplog.text


def test_the_settings_reach_the_trail(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, service="shop", event_bytes_max=65_536) as system:
        system.audit.ask(Counted(who="x", number=0)).get(timeout=WAIT_S)
        with pytest.raises(ValueError, match="over the limit of 65,536"):
            system.audit.tell(Counted(who="x", number=0, note="n" * 70_000))
    assert [entry.source for entry in entries_of(path)] == ["shop/audit", "shop", "shop/audit"]


def test_the_settings_reach_the_services(tmp_path: Path) -> None:
    """A user is locked by the rules that were set, and a session ends within its limits."""
    settings: SettingsGiven = {
        "lockout_attempts": 1,
        "lockout_base": 900,
        "lockout_cap": 7,
        "session_lifetime": 60,
        "session_idle": 5,
    }
    with AuditSystem.open(tmp_path / "a.db", **settings) as one:
        one.auth.create_user("alice", "long enough").get(timeout=WAIT_S)
        with pytest.raises(AuthenticationFailed):
            one.auth.authenticate("alice", "wrong").get(timeout=WAIT_S)
        user = one.auth.get_user("alice").get(timeout=WAIT_S)
        session = one.sessions.create(actor_name="a").get(timeout=WAIT_S)
    (failed,) = (e for e in entries_of(tmp_path / "a.db") if e.type == "auth.failed")
    assert user.lock_ends_at is not None
    seconds = (user.lock_ends_at - failed.occurred_time).total_seconds()
    assert 0 < seconds <= 7
    assert session.expires_at == session.created_at + timedelta(seconds=60)
    assert session.idle_limit_s == 5
