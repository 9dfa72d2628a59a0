"""The configuration against a simple model: five dictionaries, one over the other.

Whatever is set, unset, edited by hand, put into the environment or spoilt, and in whatever
order: what holds is what the dictionaries say, and the trail tells how each came to be.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest
import tomlkit
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings

from minutebook.actors import AuditSystem
from minutebook.actors.config_document import leaves, put
from minutebook.domain import bind
from minutebook.domain.errors import ConfigError, InvalidConfig, UnknownConfigKey
from minutebook.domain.redaction import KEY_BYTES, Redactor
from tests.contract.trail import WAIT_S, entries_of

PREFIX: Final = "PROPERTY_SHOP_"


class Table(BaseModel):
    text: str = "default"
    number: int = 1
    pin: SecretStr = SecretStr("default-pin")


class Shop(BaseSettings):
    top: int | None = None
    table: Table = Table()


DEFAULTS: Final = {"table.text": "default", "table.number": 1, "table.pin": "default-pin"}
ORDER: Final = ("override", "environment", "project", "file", "defaults")
KEYS: Final = ("top", *DEFAULTS)
FILES = st.sampled_from(["file", "project"])
WRITABLE = st.sampled_from(["file", "project", "override"])
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# A hidden text is one that nothing else holds by chance.
PINS = st.integers(0, 9).map("hidden-pin-{}".format)
VALUES: Final = {"top": NUMBERS, "table.number": NUMBERS, "table.text": TEXTS, "table.pin": PINS}
SETTINGS = st.sampled_from(KEYS).flatmap(lambda key: st.tuples(st.just(key), VALUES[key]))
CONTENTS = st.fixed_dictionaries({}, optional=VALUES)
UNFIT = st.sampled_from(
    [("top", "many"), ("table.number", "x"), ("table.txet", "typo"), ("new", 1), ("table", 2)]
)


class ConfigMachine(RuleBasedStateMachine):
    """A system with a host's file, a project, an environment and overrides."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.ledger = self.directory / "audit.db"
        self.paths = {
            "file": self.directory / "audit.db.config.toml",
            "project": self.directory / ".minutebook.toml",
        }
        self.held: dict[str, dict[str, Any]] = {layer: {} for layer in ORDER}
        self.held["defaults"] = dict(DEFAULTS)
        self.spoilt: set[str] = set()
        self.open()

    def open(self) -> None:
        self.system = AuditSystem.open(
            self.ledger, config_model=Shop, config_env_prefix=PREFIX, delivery="buffered"
        )
        self.config = self.system.config
        # The first look at a file is what later edits are told from.
        self.config.list(project=self.directory).get(timeout=WAIT_S)

    def where(self, layer: str) -> dict[str, Any]:
        return {"layer": layer, "project": self.directory if layer == "project" else None}

    @rule(layer=WRITABLE, setting=SETTINGS)
    def set(self, layer: str, setting: tuple[str, Any]) -> None:
        key, value = setting
        with bind(identity="alice"):
            future = self.config.set(key, value, **self.where(layer))
        if layer in self.spoilt:
            with pytest.raises(ConfigError):
                future.get(timeout=WAIT_S)
        else:
            assert future.get(timeout=WAIT_S).scope == layer
            self.held[layer][key] = value

    @rule(layer=WRITABLE, setting=UNFIT)
    def set_what_does_not_fit(self, layer: str, setting: tuple[str, Any]) -> None:
        with pytest.raises(ConfigError if layer in self.spoilt else InvalidConfig):
            self.config.set(*setting, **self.where(layer)).get(timeout=WAIT_S)

    @rule(layer=WRITABLE, key=st.sampled_from(KEYS))
    def unset(self, layer: str, key: str) -> None:
        with bind(identity="alice"):
            future = self.config.unset(key, **self.where(layer))
        if layer in self.spoilt:
            with pytest.raises(ConfigError):
                future.get(timeout=WAIT_S)
        elif key not in self.held[layer]:
            with pytest.raises(UnknownConfigKey):
                future.get(timeout=WAIT_S)
        else:
            effective = future.get(timeout=WAIT_S).effective
            del self.held[layer][key]
            origin = self.origin(key, with_project=layer == "project")
            assert (None if effective is None else effective.scope) == origin

    @rule(layer=WRITABLE)
    def delete(self, layer: str) -> None:
        with bind(identity="alice"):
            future = self.config.delete(**self.where(layer))
        if layer in self.spoilt:
            with pytest.raises(ConfigError):
                future.get(timeout=WAIT_S)
        else:
            # A table that has become empty counts.
            assert future.get(timeout=WAIT_S) - len(self.held[layer]) in (0, 1)
            self.held[layer].clear()

    @rule(layer=FILES, content=CONTENTS)
    def edit(self, layer: str, content: dict[str, Any]) -> None:
        nested: dict[str, Any] = {}
        for key, value in content.items():
            put(nested, key, value)
        self.paths[layer].write_text("# by hand\n" + tomlkit.dumps(nested), encoding="utf-8")
        self.held[layer] = dict(content)
        self.spoilt.discard(layer)

    @rule(layer=FILES, text=st.sampled_from(["top = \n", "[table\n", "a = 1\na = 2\n"]))
    def spoil(self, layer: str, text: str) -> None:
        self.paths[layer].write_text(text)
        self.spoilt.add(layer)

    @rule(setting=st.tuples(st.sampled_from(["top", "table.number"]), NUMBERS))
    def export(self, setting: tuple[str, int]) -> None:
        key, value = setting
        os.environ[variable(key)] = str(value)
        self.held["environment"][key] = value

    @rule(key=st.sampled_from(KEYS))
    def unexport(self, key: str) -> None:
        os.environ.pop(variable(key), None)
        self.held["environment"].pop(key, None)

    @precondition(lambda self: not self.spoilt)
    @rule()
    def restart(self) -> None:
        self.system.close()
        self.held["override"].clear()
        self.open()

    @invariant()
    def what_holds_is_what_the_dictionaries_say(self) -> None:
        for with_project in (False, True):
            project = self.directory if with_project else None
            listed = self.config.list(project=project).get(timeout=WAIT_S)
            found = {setting.key: (plain(setting.value), setting.scope) for setting in listed}
            expected = {
                key: (self.held[origin][key], origin)
                for key in KEYS
                if (origin := self.origin(key, with_project=with_project)) is not None
            }
            assert found == expected
            typed = self.config.typed(project=project).get(timeout=WAIT_S)
            assert typed.top == expected.get("top", (None,))[0]
            assert typed.table.pin.get_secret_value() == expected["table.pin"][0]
            assert "hidden" not in repr(listed) + repr(typed)
        problem = self.system.health().config_problem or ""
        for layer, path in self.paths.items():
            assert (str(path) in problem) == (layer in self.spoilt)

    def origin(self, key: str, *, with_project: bool) -> str | None:
        layers = [layer for layer in ORDER if with_project or layer != "project"]
        return next((layer for layer in layers if key in self.held[layer]), None)

    def teardown(self) -> None:
        try:
            self.system.close()
            self.check_the_trail()
        finally:
            for key in KEYS:
                os.environ.pop(variable(key), None)
            shutil.rmtree(self.directory)

    def check_the_trail(self) -> None:
        key_file = self.directory / "audit.db.app.key"
        redactor = Redactor(key_file.read_bytes() if key_file.exists() else bytes(KEY_BYTES))
        told: dict[str, dict[str, Any]] = defaultdict(dict)
        names = {"file": "file", str(self.paths["project"]): "project", "override": "override"}
        for entry in entries_of(self.ledger):
            assert b"hidden" not in entry.body
            if entry.type == "audit.opened":
                told["override"].clear()
            elif entry.type == "entity.deleted":
                gone = told[names[entry.payload["entity_id"]]]
                assert sorted(gone) == sorted({*entry.payload["removed"]} - {"table"})
                gone.clear()
            elif entry.type == "config.changed":
                payload = entry.payload
                held = told[payload["scope"]]
                assert held.pop(payload["key"], None) == payload["old_value"]
                if payload["new_value"] is not None:
                    held[payload["key"]] = payload["new_value"]
                by_hand = payload["cause"] == "edited_outside"
                assert entry.user_identity == (None if by_hand else "alice")
        for layer in ("file", "project", "override"):
            assert told[layer] == {
                key: redactor.mask(value) if key == "table.pin" else value
                for key, value in self.held[layer].items()
            }
        for layer, path in self.paths.items():
            if layer not in self.spoilt and path.exists():
                values = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
                flat = {key: value for key, value in leaves(values) if value != {}}
                assert flat == self.held[layer]


def variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", "__")


def plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


_SLOW_TO_START = [HealthCheck.too_slow, HealthCheck.data_too_large]


class TestConfigLayers(ConfigMachine.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(
        max_examples=6, stateful_step_count=16, deadline=None, suppress_health_check=_SLOW_TO_START
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestConfigLayersAtLength(ConfigMachine.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=_SLOW_TO_START,
    )
