"""ConfigActor: what others do to its files is told once, as nobody's, and never harms."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from minutebook.actors import AuditSystem
from minutebook.actors.base import CatchUp
from minutebook.actors.config import Config
from minutebook.actors.config_options import ConfigOptions
from minutebook.actors.reply import Reply
from minutebook.domain.context import bind
from minutebook.domain.errors import ConfigError, InvalidConfig
from tests.actors.project import eventually
from tests.actors.stage import WAIT_S, Stage
from tests.contract.trail import entries_of

HIDDEN = "hidden-text-1234"


class Shop(BaseModel):
    port: int = 80
    name: str = "n"
    pin: SecretStr = SecretStr("")


def look(config: Config) -> None:
    """What the system has each ConfigActor do every few seconds."""
    reply: Reply[None] = Reply()
    config._inbox.deliver(CatchUp(reply))
    reply.get(timeout=WAIT_S)


def told(stage: Stage) -> list[tuple[str, Any, Any, str]]:
    return [
        (e.payload["key"], e.payload["old_value"], e.payload["new_value"], e.payload["cause"])
        for e in stage.entries("config.changed")
    ]


def test_an_edit_is_told_by_whoever_looks_and_is_nobodys(stage: Stage, config: Config) -> None:
    with bind(identity="alice", session_id="s", correlation_id="c"):
        config.set("a", 1).get(timeout=WAIT_S)
        stage.config_path.write_text("# by hand\na = 2\n[t]\nb = [1]\nc = 'x'\n")
        assert config.get("a").get(timeout=WAIT_S).value == 2
        config.get("a").get(timeout=WAIT_S)
        stage.config_path.write_text("a = 2\n[t]\nb = [1, 2]\n")
        config.set("a", 3).get(timeout=WAIT_S)
    assert told(stage) == [
        ("a", None, 1, "set"),
        ("a", 1, 2, "edited_outside"),
        ("t.b", None, [1], "edited_outside"),
        ("t.c", None, "x", "edited_outside"),
        ("t.b", [1], [1, 2], "edited_outside"),
        ("t.c", "x", None, "edited_outside"),
        ("a", 2, 3, "set"),
    ]
    for entry in stage.entries():
        edited = entry.payload["cause"] == "edited_outside"
        who = (entry.user_identity, entry.session_id, entry.correlation_id)
        assert who == ((None, None, None) if edited else ("alice", "s", "c"))
        assert entry.source == "shop/config"
        assert entry.payload["file"] == str(stage.config_path)


def test_an_edit_is_found_without_anybody_asking(
    stage: Stage, config: Config, tmp_path: Path
) -> None:
    own = tmp_path / ".minutebook.toml"
    config.list(project=tmp_path).get(timeout=WAIT_S)
    stage.config_path.write_text("a = true\n")
    own.write_text("a = 1.0\n")
    look(config)
    own.write_text("a = 1\n")
    look(config)
    look(config)
    own.unlink()
    stage.config_path.unlink()
    look(config)
    # JSON knows no difference between 1 and 1.0; the file does.
    assert told(stage) == [
        ("a", None, True, "edited_outside"),
        ("a", None, 1.0, "edited_outside"),
        ("a", 1.0, 1, "edited_outside"),
        ("a", True, None, "edited_outside"),
        ("a", 1, None, "edited_outside"),
    ]
    scopes = [entry.payload["scope"] for entry in stage.entries()]
    assert scopes == ["file", "project", "project", "file", "project"]
    assert stage.entries()[1].payload["file"] == str(own)


def test_what_was_there_before_the_first_look_is_no_edit(stage: Stage) -> None:
    stage.config_path.write_text("a = 1\n")
    config = stage.config()
    look(config)
    assert config.get("a").get(timeout=WAIT_S).value == 1
    assert stage.types() == []
    stage.stop_services()
    # Nobody was there to see it: it is told by the next that comes.
    stage.config_path.write_text("a = 2\n")
    look(stage.config())
    assert told(stage) == [("a", 1, 2, "edited_outside")]


def test_an_edit_is_told_once_by_several_that_look_at_the_same_time(stage: Stage) -> None:
    configs = [stage.config() for _ in range(4)]
    configs[0].set("a.n", 0).get(timeout=WAIT_S)
    with ThreadPoolExecutor(4) as pool:
        for number in range(1, 16):
            stage.config_path.write_text(f"[a]\nn = {number}\n")
            list(pool.map(lambda config: config.get("a.n").get(timeout=WAIT_S), configs))
    changes = told(stage)
    assert changes[0] == ("a.n", None, 0, "set")
    assert changes[1:] == [("a.n", n - 1, n, "edited_outside") for n in range(1, 16)]


def test_an_edit_of_a_secret_is_masked_and_kept_masked(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    config = stage.config(ConfigOptions(Shop))
    look(config)
    for number in (1, 2):
        stage.config_path.write_text(f'pin = "{HIDDEN}{number}"\nport = {number}\n')
        look(config)
    mask = stage.redactor.mask
    assert told(stage) == [
        ("pin", None, mask(f"{HIDDEN}1"), "edited_outside"),
        ("port", None, 1, "edited_outside"),
        ("pin", mask(f"{HIDDEN}1"), mask(f"{HIDDEN}2"), "edited_outside"),
        ("port", 1, 2, "edited_outside"),
    ]
    stage.config_path.write_text(f'pin = "{HIDDEN}3"\nport = "{HIDDEN}"\n')
    look(config)
    stage.config_path.write_text(f'pin = [ "{HIDDEN}4" \n')
    look(config)
    assert "last good values" in caplog.text
    assert HIDDEN not in caplog.text
    stage.stop_services()
    for path in stage.directory.glob("app.db*"):
        assert HIDDEN.encode() not in path.read_bytes()


def test_a_value_becomes_secret_and_its_old_record_with_it(stage: Stage) -> None:
    """What was recorded in clear is masked when the key is secret by the time that it changes."""
    stage.config_path.write_text(f'pin = "{HIDDEN}"\n[[servers]]\ntoken = "{HIDDEN}"\n')
    look(stage.config())
    stage.stop_services()
    stage.config_path.write_text('pin = "next-hidden"\n[[servers]]\ntoken = "next-hidden"\n')

    class Typed(BaseModel, extra="allow"):
        pin: SecretStr

    look(stage.config(ConfigOptions(Typed)))
    (pin, servers) = told(stage)
    assert pin[1:3] == (stage.redactor.mask(HIDDEN), stage.redactor.mask("next-hidden"))
    assert stage.redactor.mask(HIDDEN) in str(servers[1])
    assert b"idden" not in b"".join(entry.body for entry in stage.entries())


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("port = [1\n", r"config file .*config\.toml cannot be read: "),
        ("port = 'x'\n", r"port \(file .*config\.toml:1\): .*valid integer"),
        ("name = 'y'\n# typo\nprot = 1\n", r"prot \(file .*:3\): .*did you mean port"),
        ("a = " + "[" * 5000, "cannot be read"),
        ("a" + ".a" * 500 + " = 1\n", "nests deeper than"),
    ],
)
def test_an_edit_that_cannot_be_used_is_said_loudly_and_the_last_good_values_stay(
    stage: Stage, caplog: pytest.LogCaptureFixture, bad: str, why: str
) -> None:
    problems: list[str | None] = []
    config = stage.config(ConfigOptions(Shop, note_problem=problems.append))
    config.set("port", 1).get(timeout=WAIT_S)
    good = stage.config_path.read_text()
    stage.config_path.write_text(bad)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            look(config)
            assert config.get("port").get(timeout=WAIT_S).value == 1
            assert config.typed().get(timeout=WAIT_S).name == "n"
    (problem,) = problems
    assert problem is not None
    with pytest.raises(ConfigError, match=why) as raised:
        raise ConfigError(problem)
    assert str(raised.value).endswith("last good values are used.")
    assert caplog.text.count("Until then its last good values are used.") == 1
    assert problem in config.explain("port").get(timeout=WAIT_S).problems
    # Another change would be made on top of what nobody can use.
    with pytest.raises(ConfigError):
        config.set("name", "z").get(timeout=WAIT_S)
    assert stage.config_path.read_text() == bad
    assert told(stage) == [("port", None, 1, "set")]

    stage.config_path.write_text(good + "name = 'y'\n")
    look(config)
    assert told(stage)[1:] == [("name", None, "y", "edited_outside")]
    assert problems == [problem, None]
    assert "can be used again" in caplog.text


def test_a_wrong_value_is_the_files_that_has_it_also_where_a_variable_holds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems: list[str | None] = []
    monkeypatch.setenv("SHOP_PORT", "8080")
    config = stage.config(ConfigOptions(Shop, "SHOP_", note_problem=problems.append))
    config.set("name", "a").get(timeout=WAIT_S)
    stage.config_path.write_text("name = 'b'\nport = 'none'\n")
    assert config.get("port").get(timeout=WAIT_S).value == 8080
    assert [str(problem).partition(":2): ")[0] for problem in problems] == [
        f"config port (file {stage.config_path}"
    ]


def test_an_edit_that_is_taken_back_is_none(stage: Stage) -> None:
    problems: list[str | None] = []
    config = stage.config(ConfigOptions(note_problem=problems.append))
    config.set("a", 1).get(timeout=WAIT_S)
    good = stage.config_path.read_bytes()
    for bad in (b"\xff", b"a = \n"):
        stage.config_path.write_bytes(bad)
        look(config)
        stage.config_path.write_bytes(good)
        look(config)
    assert [problem is None for problem in problems] == [False, True, False, True]
    assert len(stage.entries()) == 1


def test_a_wrong_value_that_was_there_first_harms_itself_only_and_can_be_set_right(
    stage: Stage,
) -> None:
    stage.config_path.write_text("# Ours\nport = 'x'\nname = 'y'\n")
    problems: list[str | None] = []
    config = stage.config(ConfigOptions(Shop, note_problem=problems.append))
    look(config)
    assert config.get("name").get(timeout=WAIT_S).value == "y"
    for call in (lambda: config.get("port"), config.list, config.typed):
        with pytest.raises(InvalidConfig, match=r"port \(file .*:2\): .*valid integer"):
            call().get(timeout=WAIT_S)
    # What else is changed changes nothing about that.
    stage.config_path.write_text("# Ours\nport = 'x'\nname = 'z'\n")
    assert config.get("name").get(timeout=WAIT_S).value == "z"
    config.set("name", "y").get(timeout=WAIT_S)
    assert config.get("name").get(timeout=WAIT_S).value == "y"
    assert len(problems) == 1
    config.set("port", 2).get(timeout=WAIT_S)
    assert config.typed().get(timeout=WAIT_S) == Shop(port=2, name="y")
    assert problems[-1] is None
    assert told(stage) == [
        ("name", "y", "z", "edited_outside"),
        ("name", "z", "y", "set"),
        ("port", "x", 2, "set"),
    ]


def test_a_wrong_edit_can_be_set_right_and_both_are_told(stage: Stage) -> None:
    config = stage.config(ConfigOptions(Shop))
    config.set("port", 1).get(timeout=WAIT_S)
    stage.config_path.write_text("port = 'x'\n")
    assert config.get("port").get(timeout=WAIT_S).value == 1
    config.set("port", 2).get(timeout=WAIT_S)
    assert config.get("port").get(timeout=WAIT_S).value == 2
    assert told(stage)[1:] == [("port", 1, "x", "edited_outside"), ("port", "x", 2, "set")]


def test_an_open_system_finds_an_edit_by_itself_and_its_health_tells_of_a_bad_one(
    tmp_path: Path,
) -> None:
    path, file = tmp_path / "audit.db", tmp_path / "audit.db.config.toml"
    with AuditSystem.open(path, config_model=Shop) as system:
        file.write_text("port = \n")
        eventually(lambda: system.health().config_problem is not None)
        assert "audit.db.config.toml" in str(system.health().config_problem)
        assert system.health().status == "ok"
        file.write_text("port = 8081\n")
        assert system.config.get("port").get(timeout=WAIT_S).value == 8081
        assert system.health().config_problem is None
    edits = [entry for entry in entries_of(path) if entry.type == "config.changed"]
    assert [entry.payload["new_value"] for entry in edits] == [8081]
    assert [entry.user_identity for entry in edits] == [None]
