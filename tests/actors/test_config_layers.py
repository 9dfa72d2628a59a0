"""ConfigActor: layers, where each value comes from, and the types of the host's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from minutebook.actors import AuditSystem
from minutebook.actors.config import Config
from minutebook.actors.config_options import ConfigOptions
from minutebook.domain.context import bind
from minutebook.domain.errors import (
    ConfigError,
    InvalidCommand,
    InvalidConfig,
    SettingsError,
    UnknownConfigKey,
)
from minutebook.domain.state import State
from tests.actors.stage import WAIT_S, Stage


class Model(BaseModel):
    """A part of the host's settings; it says nothing of what else there may be."""

    name: str = "small"
    max_tokens: int = Field(default=100, ge=1)


class Server(BaseModel):
    host: str
    token: SecretStr = SecretStr("")


class Shop(BaseSettings):
    """What a host would write."""

    model: Model = Model()
    mode: Literal["dry", "wet"] = "dry"
    data: Path = Path("data")
    limits: dict[str, int] = {}
    pin: SecretStr | None = None
    servers: list[Server] = []
    low: int = 0
    high: int = 10

    @field_validator("mode", mode="before")
    @classmethod
    def _lowered(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _in_order(self) -> Shop:
        if self.low > self.high:
            msg = "low is above high"
            raise ValueError(msg)
        return self


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


@pytest.fixture
def shop(stage: Stage) -> Config:
    return stage.config(ConfigOptions(Shop, "SHOP_"))


def test_each_layer_goes_before_the_one_below_and_says_where_it_stands(
    stage: Stage, shop: Config, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key through all five layers, up and down again."""
    file, own = stage.config_path, project / ".minutebook.toml"
    in_project = {"layer": "project", "project": project}

    def look() -> tuple[Any, str]:
        setting = shop.get("model.max_tokens", project=project).get(timeout=WAIT_S)
        assert setting.scope == setting.origin.layer
        return setting.value, str(setting.origin)

    assert look() == (100, "defaults")
    stage.config_path.write_text("# Ours\n[model]\n\nname = '''a\nb'''\nmax_tokens = 200\n")
    assert look() == (200, f"file {file}:6")
    with bind(identity="alice"):
        shop.set("model.max_tokens", 300, **in_project).get(timeout=WAIT_S)  # type: ignore[arg-type]
    assert look() == (300, f"project {own}:2")
    monkeypatch.setenv("SHOP_MODEL__MAX_TOKENS", "400")
    assert look() == (400, "environment SHOP_MODEL__MAX_TOKENS")
    shop.set("model.max_tokens", 500, layer="override").get(timeout=WAIT_S)
    assert look() == (500, "override")
    # Who names no project does not get what holds in one, and others are not touched.
    assert shop.get("model.name").get(timeout=WAIT_S).value == "a\nb"

    explained = shop.explain("model.max_tokens", project=project).get(timeout=WAIT_S)
    assert (explained.value, explained.origin.layer, explained.problems) == (500, "override", ())  # type: ignore[union-attr]
    assert [(said.value, str(said.origin)) for said in explained.layers] == [
        (500, "override"),
        ("400", "environment SHOP_MODEL__MAX_TOKENS"),
        (300, f"project {own}:2"),
        (200, f"file {file}:6"),
        (100, "defaults"),
    ]

    gone = shop.unset("model.max_tokens", layer="override").get(timeout=WAIT_S)
    with pytest.raises(UnknownConfigKey, match="the layer override has no such key; explain"):
        shop.unset("model.max_tokens", layer="override").get(timeout=WAIT_S)
    assert (gone.value, gone.scope) == (500, "override")
    assert gone.effective is not None
    assert (gone.effective.value, gone.effective.scope) == (400, "environment")
    monkeypatch.delenv("SHOP_MODEL__MAX_TOKENS")
    gone = shop.unset("model.max_tokens", **in_project).get(timeout=WAIT_S)  # type: ignore[arg-type]
    assert gone.effective is not None
    assert str(gone.effective.origin) == f"file {file}:6"
    assert shop.unset("model.max_tokens").get(timeout=WAIT_S).effective == shop.get(
        "model.max_tokens"
    ).get(timeout=WAIT_S)
    assert look() == (100, "defaults")
    assert "# Ours" in file.read_text()

    told = [
        (e.payload["scope"], e.payload["cause"], e.payload["old_value"], e.payload["new_value"])
        for e in stage.entries("config.changed")
        if e.payload["key"] == "model.max_tokens"
    ]
    assert told == [
        ("file", "edited_outside", None, 200),
        ("project", "set", None, 300),
        ("override", "set", None, 500),
        ("override", "unset", 500, None),
        ("project", "unset", 300, None),
        ("file", "unset", 200, None),
    ]


def test_values_are_what_the_model_makes_of_them(
    stage: Stage, shop: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.config_path.write_text('data = "here"\nmode = "WET"\n[limits]\na = "1"\n')
    monkeypatch.setenv("SHOP_LIMITS", '{"b": "2"}')
    monkeypatch.setenv("SHOP_SERVERS", '[{"host": "h", "token": "hidden-token"}]')
    typed = shop.typed().get(timeout=WAIT_S)
    assert type(typed) is Shop
    assert (typed.mode, typed.data, typed.limits) == ("wet", Path("here"), {"a": 1, "b": 2})
    assert typed.servers[0].token.get_secret_value() == "hidden-token"
    listed = {s.key: s.value for s in shop.list().get(timeout=WAIT_S)}
    assert listed["limits.a"] == 1
    assert listed["limits.b"] == 2
    assert listed["data"] == Path("here")
    assert listed["model.max_tokens"] == 100
    assert "hidden" not in repr(listed)
    assert shop.get("model").get(timeout=WAIT_S).value == {"name": "small", "max_tokens": 100}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.max_tokens", "many", r"model\.max_tokens .*valid integer.*\(int\)"),
        ("model.max_tokens", 0, r"model\.max_tokens .*greater than or equal to 1"),
        ("mode", "damp", r"mode .*'dry' or 'wet'"),
        ("model.nmae", "x", r"model\.nmae .*Shop has no such key \(did you mean model\.name\?\)"),
        ("modle", {"name": "x"}, r"modle .*no such key"),
        ("model", {"nmae": "x"}, r"model\.nmae .*no such key"),
        ("model", 1, r"model .*valid dictionary or instance of Model"),
        ("limits.a", "x", r"limits\.a .*valid integer"),
        ("pin", 7, r"pin .*has no valid value; Shop expects SecretStr \| None"),
        ("servers", [{"token": "t"}], r"servers\.0\.host .*Shop requires it \(str\)"),
        ("servers", [{"host": "h", "token": 7}], r"servers\.0\.token .*Shop expects SecretStr"),
        ("low", 11, r"all together.*: Value error, low is above high"),
    ],
)
def test_what_does_not_fit_is_refused_in_every_layer_and_nothing_is_changed(
    stage: Stage, shop: Config, project: Path, key: str, value: Any, message: str
) -> None:
    before = stage.config_path.write_text("mode = 'wet'\n")
    for where in ({}, {"layer": "project", "project": project}, {"layer": "override"}):
        with pytest.raises(InvalidConfig, match=message) as raised:
            shop.set(key, value, **where).get(timeout=WAIT_S)
        assert str(raised.value).endswith("Nothing was changed.")
        if "together" not in message:
            assert f"in the layer {where.get('layer', 'file')})" in str(raised.value)
    assert stage.config_path.stat().st_size == before
    assert not (project / ".minutebook.toml").exists()
    assert stage.types() == []
    assert shop.typed().get(timeout=WAIT_S) == Shop(mode="wet")


def test_a_variable_that_does_not_fit_is_named_and_harms_no_other_key(
    stage: Stage, shop: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SHOP_MODEL__MAX_TOKENS", "many")
    monkeypatch.setenv("SHOP_LIMITS", "{")
    monkeypatch.setenv("shop_mode", "wet")
    monkeypatch.setenv("SHOP_MDOE", "wet")
    monkeypatch.setenv("SHOP_DATA", "")
    with pytest.raises(InvalidConfig, match=r"\(environment SHOP_MODEL__MAX_TOKENS\): .*integer"):
        shop.get("model.max_tokens").get(timeout=WAIT_S)
    with pytest.raises(InvalidConfig, match=r"limits.*SHOP_LIMITS is no JSON"):
        shop.get("limits").get(timeout=WAIT_S)
    with pytest.raises(InvalidConfig, match=r"max_tokens.*limits|limits.*max_tokens"):
        shop.typed().get(timeout=WAIT_S)
    mode = shop.get("mode").get(timeout=WAIT_S)
    assert (mode.value, mode.origin.variable) == ("wet", "shop_mode")
    assert shop.get("data").get(timeout=WAIT_S).scope == "defaults"
    assert caplog.text.count("SHOP_MDOE sets nothing") == 1
    # It is the variable's fault: the file can be changed, and a higher layer puts it right.
    shop.set("model.max_tokens", 5).get(timeout=WAIT_S)
    shop.set("model.max_tokens", 6, layer="override").get(timeout=WAIT_S)
    assert shop.get("model.max_tokens").get(timeout=WAIT_S).value == 6


def test_without_a_model_variables_are_texts_under_dotted_keys(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_A__B", "1")
    monkeypatch.setenv("SHOP_A__B__C", "2")
    monkeypatch.setenv("OTHER_D", "3")
    config = stage.config(ConfigOptions(env_prefix="SHOP_"))
    (setting,) = config.list().get(timeout=WAIT_S)
    assert (setting.key, setting.value, setting.origin.variable) == ("a.b", "1", "SHOP_A__B")
    with pytest.raises(ConfigError, match="no types: open the system with config_model="):
        config.typed().get(timeout=WAIT_S)
    assert stage.config().list().get(timeout=WAIT_S) == ()


class Required(BaseModel):
    """Settings without which nothing works; all may be given one after the other."""

    url: str
    db: Server


def test_what_is_required_may_come_later_and_is_named_until_then(stage: Stage) -> None:
    config = stage.config(ConfigOptions(Required))
    with pytest.raises(InvalidConfig, match=r"url: Required requires it \(str\), and no layer"):
        config.typed().get(timeout=WAIT_S)
    with pytest.raises(UnknownConfigKey, match="no key 'url'"):
        config.get("url").get(timeout=WAIT_S)
    assert "requires it" in config.explain("url").get(timeout=WAIT_S).problems[0]
    config.set("db.token", "hidden-token").get(timeout=WAIT_S)
    assert config.get("db.token").get(timeout=WAIT_S).value.get_secret_value() == "hidden-token"
    config.set("url", "u").get(timeout=WAIT_S)
    config.set("db.host", "h").get(timeout=WAIT_S)
    assert config.typed().get(timeout=WAIT_S).db.host == "h"
    config.unset("url").get(timeout=WAIT_S)
    with pytest.raises(InvalidConfig, match="url: Required requires it"):
        config.typed().get(timeout=WAIT_S)


HIDDEN = "hidden-text-1234"


def test_a_field_typed_as_secret_is_one_in_every_layer_whatever_is_said(
    stage: Stage,
    shop: Config,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    monkeypatch.setenv("SHOP_PIN", f"{HIDDEN}-environment")
    (project / ".minutebook.toml").write_text(f'pin = "{HIDDEN}-project"\n')
    said: list[Any] = []
    for where in ({}, {"layer": "override"}, {"layer": "project", "project": project}):
        said += [
            shop.set("pin", value, secret=False, **where).get(timeout=WAIT_S)
            for value in (f"{HIDDEN}-1", f"{HIDDEN}-2")
        ]
        said.append(shop.explain("pin", project=project).get(timeout=WAIT_S))
        said.append(shop.get("pin", project=project).get(timeout=WAIT_S))
        said.append(shop.list(project=project).get(timeout=WAIT_S))
    explained = said[-3]
    assert explained.secret is True
    assert [value.value for value in explained.layers][1:] == [
        stage.redactor.mask(f"{HIDDEN}-{end}") for end in ("environment", "2", "2")
    ]
    said += [
        shop.unset("pin", **where).get(timeout=WAIT_S)
        for where in ({}, {"layer": "override"}, {"layer": "project", "project": project})
    ]
    assert HIDDEN not in repr(said)
    assert HIDDEN not in "".join(each.model_dump_json() for each in said if isinstance(each, State))
    stored = b"".join(entry.body for entry in stage.entries())
    assert HIDDEN.encode() not in stored
    assert HIDDEN not in caplog.text
    stage.stop_services()
    for path in stage.directory.glob("app.db*"):
        assert HIDDEN.encode() not in path.read_bytes()


def test_an_override_is_this_processs_and_leaves_with_it(tmp_path: Path) -> None:
    with (
        AuditSystem.open(tmp_path / "audit.db") as one,
        AuditSystem.open(tmp_path / "audit.db") as other,
    ):
        one.config.set("a.b", 1, layer="override").get(timeout=WAIT_S)
        one.config.set("a.c", 2, layer="override").get(timeout=WAIT_S)
        with pytest.raises(UnknownConfigKey):
            other.config.get("a.b").get(timeout=WAIT_S)
        with pytest.raises(InvalidCommand, match=r"a\.b is a value"):
            one.config.set("a.b.c", 1, layer="override").get(timeout=WAIT_S)
        with pytest.raises(UnknownConfigKey):
            one.config.unset("a.x", layer="override").get(timeout=WAIT_S)
        assert one.config.delete(layer="override").get(timeout=WAIT_S) == 2
        assert one.config.list().get(timeout=WAIT_S) == ()


def test_a_project_that_is_none_is_refused(stage: Stage, config: Config, project: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither the directory of a project nor a \.toml file"):
        config.get("a", project=project / "missing" / "x.toml").get(timeout=WAIT_S)
    with pytest.raises(ConfigError, match="neither the directory"):
        config.set("a", 1, layer="project", project=project / "x").get(timeout=WAIT_S)
    for wrong in ({"layer": "project"}, {"project": project}):
        with pytest.raises(InvalidCommand, match=r"^SetConfig: give a project for the la"):
            config.set("a", 1, **wrong)
    config.set("a", 1, layer="project", project=project / "x.toml").get(timeout=WAIT_S)
    assert (project / "x.toml").read_text() == "a = 1\n"
    path = str(project / "x.toml")
    assert config.delete(layer="project", project=path).get(timeout=WAIT_S) == 1
    assert stage.only("entity.deleted").payload["entity_id"] == path


def test_what_is_no_model_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    for wrong in (Shop(), dict, "Shop"):
        with pytest.raises(SettingsError, match="config_model is the class itself"):
            AuditSystem.open(tmp_path / "audit.db", config_model=wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_model_reaches_the_system_with_its_own_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small(BaseSettings, env_prefix="SMALL_"):
        size: int = 1

    monkeypatch.setenv("SMALL_SIZE", "3")
    with AuditSystem.open(tmp_path / "audit.db", config_model=Small) as system:
        assert system.config.typed().get(timeout=WAIT_S).size == 3
    monkeypatch.setenv("LARGE_SIZE", "4")
    with AuditSystem.open(
        tmp_path / "audit.db", config_model=Small, config_env_prefix="LARGE_"
    ) as system:
        assert system.config.get("size").get(timeout=WAIT_S).value == 4
