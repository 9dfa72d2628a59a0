"""Settings of a system from a TOML file: below keywords and environment, errors with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.settings import Settings, load_settings
from minutebook.domain.errors import SettingsError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*Settings.model_fields, "settings_file"):
        monkeypatch.delenv(f"MINUTEBOOK_{name.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir()
    return directory / "minutebook.toml"


def test_keywords_go_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text('service = "file"\nbatch_max = 1\nbusy_timeout = 2\nfail_closed = true\n')
    monkeypatch.setenv("MINUTEBOOK_SETTINGS_FILE", str(file))
    monkeypatch.setenv("MINUTEBOOK_SERVICE", "environment")
    monkeypatch.setenv("MINUTEBOOK_BATCH_MAX", "2")
    monkeypatch.setenv("MINUTEBOOK_FAIL_CLOSED", "")
    assert load_settings({"service": "keyword"}) == Settings(
        service="keyword", batch_max=2, busy_timeout=2.0, fail_closed=True
    )
    other = file.with_name("other.toml")
    other.write_text("batch_max = 3\nbusy_timeout = 3\n")
    settings = load_settings({}, other)
    assert (settings.service, settings.batch_max, settings.busy_timeout) == ("environment", 2, 3.0)
    assert settings.fail_closed is False
    assert caplog.text == ""


def test_of_a_pyproject_the_table_of_minutebook_counts(file: Path) -> None:
    pyproject = file.with_name("pyproject.toml")
    pyproject.write_text('[project]\nname = "x"\n[tool.minutebook]\nservice = "shop"\n')
    assert load_settings({}, str(pyproject)) == Settings(service="shop")
    pyproject.write_text('[project]\nname = "x"\n')
    assert load_settings({}, pyproject) == Settings()
    pyproject.write_text("[tool.minutebook]\n\n[tool.minutebook.more]\na = 1\n")
    with pytest.raises(SettingsError, match=r"no setting 'more' at .*pyproject\.toml:3: more"):
        load_settings({}, pyproject)
    for wrong in ("tool = 1\n", "[tool]\nminutebook = 1\n"):
        pyproject.write_text(wrong)
        with pytest.raises(SettingsError, match=r"\[tool\.minutebook\] is no table"):
            load_settings({}, pyproject)


def test_paths_in_a_file_are_seen_from_its_directory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('config_path = "shop.toml"\nsandbox_directory = "/boxes"\n')
    monkeypatch.chdir(file.parent.parent)
    settings = load_settings({}, "etc/minutebook.toml")
    assert settings.config_path == file.parent / "shop.toml"
    assert settings.sandbox_directory == Path("/boxes")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# ours\n\nbatch_max = 'many'\n", r"minutebook\.toml:3: batch_max: .*valid integer"),
        ("service = 'x'\nbatch_max = 0\n", r"minutebook\.toml:2: batch_max: .*greater than"),
        ("\nbacth_max = 1\n", r"no setting 'bacth_max' at .*minutebook\.toml:2: .*batch_max"),
        ("batch_max = \n", r"minutebook\.toml cannot be read: .*line 1"),
        (b"\xff", r"minutebook\.toml cannot be read: "),
        (None, r"there is no file .*minutebook\.toml; correct its path"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line_and_nothing_is_opened(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes | None, message: str
) -> None:
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    ledger = file.parent.parent / "ledger" / "audit.db"
    ledger.parent.mkdir()
    with pytest.raises(SettingsError, match=message) as raised:
        AuditSystem.open(ledger, settings_file=file)
    assert str(raised.value).endswith("nothing was opened.")
    monkeypatch.setenv("MINUTEBOOK_SETTINGS_FILE", str(file))
    with pytest.raises(SettingsError, match=message):
        AuditSystem.open(ledger)
    assert list(ledger.parent.iterdir()) == []


def test_an_error_is_blamed_on_who_has_the_last_word(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("batch_max = 'many'\n")
    monkeypatch.setenv("MINUTEBOOK_BATCH_MAX", "more")
    with pytest.raises(SettingsError, match=r"settings: MINUTEBOOK_BATCH_MAX: "):
        load_settings({}, file)
    with pytest.raises(SettingsError, match=r"settings: batch_max: "):
        load_settings({"batch_max": "most"}, file)  # type: ignore[typeddict-item]
    monkeypatch.setenv("MINUTEBOOK_BATCH_MAX", "7")
    assert load_settings({}, file).batch_max == 7


def test_the_file_reaches_the_system(file: Path, tmp_path: Path) -> None:
    file.write_text('service = "shop"\nconfig_path = "shop.toml"\n')
    with AuditSystem.open(tmp_path / "audit.db", settings_file=file) as system:
        setting = system.config.set("a", 1).get(timeout=60)
    assert setting.origin.file == str(file.parent / "shop.toml")
