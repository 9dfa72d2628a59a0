"""ConfigActor: one TOML file, written whole; every change is told, secrets masked."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr
from pykka import Future

from minutebook.actors.config import Config
from minutebook.domain.context import bind
from minutebook.domain.errors import ConfigError, InvalidCommand, UnknownConfigKey
from tests.actors.stage import WAIT_S, Stage

Call = Callable[[], Future[Any]]


def on_disk(stage: Stage) -> dict[str, Any]:
    return tomllib.loads(stage.config_path.read_text())


def test_a_change_is_told_with_old_and_new_value(stage: Stage, config: Config) -> None:
    with bind(identity="alice"):
        config.set("model.name", "small").get(timeout=WAIT_S)
        setting = config.set("model.name", "large").get(timeout=WAIT_S)
        config.unset("model.name").get(timeout=WAIT_S)

    file = str(stage.config_path)
    assert setting.model_dump() == {
        "key": "model.name",
        "value": "large",
        "secret": False,
        "scope": "file",
        "origin": {"layer": "file", "file": file, "line": 2, "variable": None},
    }
    told = [entry.payload for entry in stage.entries("config.changed")]
    always = {"key": "model.name", "scope": "file", "file": file}
    assert told == [
        {**always, "old_value": None, "new_value": "small", "cause": "set"},
        {**always, "old_value": "small", "new_value": "large", "cause": "set"},
        {**always, "old_value": "large", "new_value": None, "cause": "unset"},
    ]
    assert {entry.user_identity for entry in stage.entries()} == {"alice"}
    assert {entry.source for entry in stage.entries()} == {"shop/config"}


MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("text", "text"),
        ("", ""),
        ('quotes " and \\ and\nlines\t\x00\x7f', 'quotes " and \\ and\nlines\t\x00\x7f'),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
        (12, 12),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        (True, True),
        (False, False),
        ([1, 2, 3], [1, 2, 3]),
        ([], []),
        ([[1], ["a"]], [[1], ["a"]]),
        ({"a": 1, "b": {"c": [True]}}, {"a": 1, "b": {"c": [True]}}),
        ({}, {}),
        ([{"name": "a"}, {"name": "b"}], [{"name": "a"}, {"name": "b"}]),
        (MOMENT, "2026-01-02T03:04:05.000678Z"),
        (MOMENT.replace(tzinfo=None), "2026-01-02T03:04:05.000678"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4, 5), "03:04:05"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_what_toml_holds_is_stored_read_back_and_told(
    stage: Stage, config: Config, value: Any, recorded: Any
) -> None:
    config.set("a.b", value).get(timeout=WAIT_S)
    assert on_disk(stage) == {"a": {"b": value}}
    assert config.get("a.b").get(timeout=WAIT_S).value == value
    assert stage.only("config.changed").payload["new_value"] == recorded
    config.set("a.b", "other").get(timeout=WAIT_S)
    assert stage.entries()[1].payload["old_value"] == recorded


def test_not_a_number_is_told_as_text(stage: Stage, config: Config) -> None:
    config.set("a", math.nan).get(timeout=WAIT_S)
    assert stage.only("config.changed").payload["new_value"] == "nan"


@pytest.mark.parametrize(
    "value",
    [
        None,
        object(),
        {1, 2},
        b"bytes",
        [1, None],
        {"a": None},
        {"a": [{"b": object()}]},
        {1: "a"},
        2**70,
        [2**63],
        "lone \ud800 surrogate",
        {"a": "\udce9"},
        {"\udce9": 1},
    ],
)
def test_what_toml_does_not_hold_is_refused_and_nothing_is_changed(
    stage: Stage, config: Config, value: Any
) -> None:
    config.set("kept", 1).get(timeout=WAIT_S)
    before = stage.config_path.read_bytes()
    with pytest.raises(InvalidCommand, match=r"^config a\.b") as raised:
        config.set("a.b", value, secret=True).get(timeout=WAIT_S)
    assert str(raised.value).endswith(".")
    assert stage.config_path.read_bytes() == before
    assert len(stage.entries()) == 1
    assert config.set("a.b", "plain").get(timeout=WAIT_S).secret is False


def test_a_long_value_is_stored_whole_and_told_shortened(stage: Stage, config: Config) -> None:
    value = "x" * 300_000 + "end"
    config.set("a", value).get(timeout=WAIT_S)
    config.set("a", {f"k{n}": "y" * 1_000 for n in range(400)}).get(timeout=WAIT_S)
    config.unset("a").get(timeout=WAIT_S)

    first, second, third = (entry.payload for entry in stage.entries("config.changed"))
    assert first["new_value"].startswith("xxx")
    digest = hashlib.sha256(f'"{value}"'.encode()).hexdigest()
    assert first["new_value"].endswith(f"end [300,005 bytes, sha256:{digest}]")
    assert second["old_value"] == first["new_value"]
    assert third["old_value"] == second["new_value"]


def test_a_change_in_the_middle_of_a_long_value_is_visible(stage: Stage, config: Config) -> None:
    """What is shortened carries its digest: two values that differ read differently."""
    config.set("a", "x" * 150_000).get(timeout=WAIT_S)
    config.set("a", "x" * 75_000 + "y" + "x" * 74_999).get(timeout=WAIT_S)
    _, change = (entry.payload for entry in stage.entries("config.changed"))
    assert change["old_value"] != change["new_value"]


@pytest.mark.parametrize("key", ["", ".", "a..b", "a b", "a.", "caf\u00e9", "x" * 201, None])
def test_a_key_that_is_none_is_refused_at_the_call(config: Config, key: Any) -> None:
    calls: tuple[Call, ...] = (
        lambda: config.get(key),
        lambda: config.set(key, 1),
        lambda: config.unset(key),
    )
    for call in calls:
        with pytest.raises(InvalidCommand, match="Config: key: "):
            call()


def test_an_unknown_key_is_refused(stage: Stage, config: Config) -> None:
    config.set("a.b", 1).get(timeout=WAIT_S)
    for key in ("x", "a.x", "x.y.z"):
        with pytest.raises(UnknownConfigKey, match=rf"no key '{key}'; list\(\) names"):
            config.get(key).get(timeout=WAIT_S)
        with pytest.raises(UnknownConfigKey, match=rf"config {key}: the layer file has no such"):
            config.unset(key).get(timeout=WAIT_S)
    assert len(stage.entries()) == 1


def test_a_key_below_a_value_is_refused(stage: Stage, config: Config) -> None:
    config.set("a.b", 1).get(timeout=WAIT_S)
    before = stage.config_path.read_bytes()
    calls: tuple[Call, ...] = (
        lambda: config.set("a.b.c", 2),
        lambda: config.get("a.b.c.d"),
    )
    for call in calls:
        with pytest.raises(InvalidCommand, match=r"a\.b is a value, not a table; unset a\.b first"):
            call().get(timeout=WAIT_S)
    assert stage.config_path.read_bytes() == before


def test_settings_are_listed_leaf_by_leaf_in_the_files_order(stage: Stage, config: Config) -> None:
    stage.config_path.write_text('z = 1\n[b]\ny = [1]\n[b.c]\nx = "t"\n[a]\n')
    listed = config.list().get(timeout=WAIT_S)
    assert [(s.key, s.value) for s in listed] == [("z", 1), ("b.y", [1]), ("b.c.x", "t"), ("a", {})]


def test_comments_order_line_ends_and_edits_by_hand_are_kept(stage: Stage, config: Config) -> None:
    text = b"# Ours\r\nz = 1  # last\r\n\r\n[model]\r\n# name it\r\nname = 'a'\r\n"
    stage.config_path.write_bytes(text)
    config.set("model.name", "b").get(timeout=WAIT_S)
    changed = stage.config_path.read_bytes()
    assert changed.replace(b'"b"', b"'a'") == text
    stage.config_path.write_bytes(changed.replace(b"z = 1", b"z = 2"))
    assert config.get("z").get(timeout=WAIT_S).value == 2
    config.set("z", 3).get(timeout=WAIT_S)
    assert stage.entries()[-1].payload["old_value"] == 2
    assert b"# Ours" in stage.config_path.read_bytes()


@pytest.mark.parametrize(
    "start",
    [
        "",
        "[a]\nx = 1\n",
        "[a]\nx = 1\n\n[[list]]\nn = 1\n",
        "a.x = 1\nb = 2\n",
        "a = {x = 1}\n[b]\n[b.c]\nd = 1\n",
        "[a.b]\nx = 1\n[c]\n[a.d]\ny = 1\n",
    ],
)
def test_any_file_stays_whole_whatever_is_set_and_unset(
    stage: Stage, config: Config, start: str
) -> None:
    stage.config_path.write_text(start)
    expected = tomllib.loads(start)
    keys = ["top", "a.new", "a.x", "b2.c.d", "a.e.f", "top2"]
    for number, key in enumerate(keys):
        config.set(key, number).get(timeout=WAIT_S)
        *parents, name = key.split(".")
        table = expected
        for parent in parents:
            table = table.setdefault(parent, {})
        table[name] = number
        assert on_disk(stage) == expected, key
    for key in keys:
        config.unset(key).get(timeout=WAIT_S)
        *parents, name = key.split(".")
        table = expected
        for parent in parents:
            table = table[parent]
        del table[name]
        assert on_disk(stage) == expected, key


def test_a_damaged_file_is_one_clear_error_and_left_alone(stage: Stage, config: Config) -> None:
    for content in (b"a = [1\n", b"\xff\xfe", b"a = 1\na = 2\n"):
        stage.config_path.write_bytes(content)
        calls: tuple[Call, ...] = (
            lambda: config.get("a"),
            config.list,
            lambda: config.set("b", 1),
            lambda: config.unset("a"),
            config.delete,
        )
        for call in calls:
            with pytest.raises(ConfigError, match=r"config file .*config\.toml cannot be read: "):
                call().get(timeout=WAIT_S)
        assert stage.config_path.read_bytes() == content
    assert stage.types() == []


def test_a_file_that_cannot_be_written_is_an_error_and_told_as_nothing(
    stage: Stage, config: Config
) -> None:
    stage.config_path.symlink_to(stage.directory / "no" / "such" / "directory.toml")
    with pytest.raises(ConfigError, match="cannot be written"):
        config.set("a", 1).get(timeout=WAIT_S)
    assert stage.types() == []


def test_the_file_is_private_also_when_it_was_not(stage: Stage, config: Config) -> None:
    config.set("a", 1).get(timeout=WAIT_S)
    assert stat.S_IMODE(stage.config_path.stat().st_mode) == 0o600
    stage.config_path.chmod(0o644)
    config.set("a", 2).get(timeout=WAIT_S)
    assert stat.S_IMODE(stage.config_path.stat().st_mode) == 0o600
    assert list(stage.directory.glob("config*")) == [stage.config_path]


def test_a_link_stays_a_link(stage: Stage, config: Config) -> None:
    target = stage.directory / "elsewhere.toml"
    target.write_text("a = 1\n")
    stage.config_path.symlink_to(target)
    config.set("a", 2).get(timeout=WAIT_S)
    assert stage.config_path.is_symlink()
    assert tomllib.loads(target.read_text()) == {"a": 2}


def test_the_whole_file_is_deleted_and_the_trail_lists_its_keys(
    stage: Stage, config: Config
) -> None:
    config.set("a.b", 1).get(timeout=WAIT_S)
    config.set("c", SecretStr("hidden-text")).get(timeout=WAIT_S)
    with bind(identity="alice"):
        assert config.delete().get(timeout=WAIT_S) == 2
    entry = stage.only("entity.deleted")
    assert entry.payload == {
        "entity_type": "config_scope",
        "entity_id": "file",
        "removed": ["c", "a.b"],
    }
    assert entry.user_identity == "alice"
    assert not stage.config_path.exists()
    assert config.list().get(timeout=WAIT_S) == ()


def test_changes_by_two_systems_of_one_host_are_all_kept(stage: Stage) -> None:
    configs = [stage.config(), stage.config()]

    def fill(number: int) -> None:
        for key in range(25):
            configs[number].set(f"system{number}.key{key}", key).get(timeout=WAIT_S)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(2)))
    assert on_disk(stage) == {f"system{n}": {f"key{k}": k for k in range(25)} for n in range(2)}


WRITER = """
import sys
from pathlib import Path

from tests.actors.stage import Stage

stage = Stage(Path(sys.argv[1]))
config = stage.config()
number = 0
while True:
    number += 1
    config.set("filler", str(number) * 2_000).get()
    if number == 1:
        print("ready", flush=True)
"""


def test_a_reader_never_meets_half_a_file_also_after_a_kill(stage: Stage) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(stage.directory)],
            env=environment,
            stdout=subprocess.PIPE,
        )
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            seen = set()
            for _ in range(3_000):
                filler = on_disk(stage)["filler"]
                assert len(filler) % 2_000 == 0
                seen.add(filler)
                if len(seen) > 20:
                    break
            writer.send_signal(signal.SIGKILL)
        assert len(seen) > 1
        assert len(on_disk(stage)["filler"]) >= 2_000
    assert stage.config().set("filler", "end").get(timeout=WAIT_S).value == "end"


def test_the_config_is_found_again_after_a_restart(stage: Stage, config: Config) -> None:
    config.set("a.b", [1, 2]).get(timeout=WAIT_S)
    stage.stop_services()
    assert stage.config().get("a.b").get(timeout=WAIT_S).value == [1, 2]
