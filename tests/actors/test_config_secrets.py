"""ConfigActor: a secret is in the file and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Secret, SecretStr

from minutebook.actors.config import Config
from tests.actors.stage import WAIT_S, Stage

HIDDEN = "hidden-text-1234"


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("provider.api_key", HIDDEN, None),
        ("provider.apiKey", [HIDDEN], None),
        ("db.password.value", HIDDEN, None),
        ("db.password", {"value": HIDDEN}, None),
        ("plain", SecretStr(HIDDEN), None),
        ("plain", Secret({"x": HIDDEN}), None),
        ("plain", HIDDEN, True),
        ("plain", {"x": [HIDDEN]}, True),
        ("provider", {"name": "n", "api_key": HIDDEN}, None),
        ("provider", {"deep": [{"token": HIDDEN}]}, None),
        ("provider", {"deep": {"x": SecretStr(HIDDEN)}}, None),
        ("provider", [SecretStr(HIDDEN)], None),
    ],
)
def test_a_secret_is_in_the_file_and_nowhere_else(
    stage: Stage,
    config: Config,
    caplog: pytest.LogCaptureFixture,
    key: str,
    value: Any,
    secret: bool | None,
) -> None:
    caplog.set_level(0)
    shown = [config.set(key, value, secret=secret).get(timeout=WAIT_S)]
    shown.append(config.get(key).get(timeout=WAIT_S))
    shown.extend(config.list().get(timeout=WAIT_S))
    assert HIDDEN in stage.config_path.read_text()
    shown.append(config.set(key, "replaced-text").get(timeout=WAIT_S))
    shown.append(config.unset(key).get(timeout=WAIT_S))

    for setting in shown:
        assert HIDDEN not in repr(setting) + str(setting) + setting.model_dump_json()
    stored = b"".join(entry.body for entry in stage.entries())
    assert HIDDEN.encode() not in stored
    assert stored.count(b"[secret hmac-sha256:") >= 2
    assert HIDDEN not in caplog.text
    stage.stop_services()
    for path in stage.directory.glob("app.db*"):
        assert HIDDEN.encode() not in path.read_bytes()


def test_what_was_said_to_be_secret_stays_so(stage: Stage, config: Config) -> None:
    config.set("a.b", HIDDEN, secret=True).get(timeout=WAIT_S)
    config.set("a.b", "second-hidden").get(timeout=WAIT_S)
    config.unset("a.b").get(timeout=WAIT_S)
    stage.stop_services()
    config = stage.config()
    config.set("a", {"b": "third-hidden", "c": 1}).get(timeout=WAIT_S)
    found = config.get("a").get(timeout=WAIT_S)
    config.set("a", "a plain value").get(timeout=WAIT_S)

    stored = b"".join(entry.body for entry in stage.entries())
    assert b"hidden" not in stored
    assert "hidden" not in repr(found)
    assert found.value["b"].get_secret_value() == "third-hidden"
    assert found.value["c"] == 1
    assert stage.entries()[-1].payload["old_value"]["c"] == 1
    assert stage.entries()[-1].payload["new_value"] == "a plain value"


def test_a_value_that_becomes_secret_is_masked_before_and_after(
    stage: Stage, config: Config
) -> None:
    stage.config_path.write_text(f'a = "{HIDDEN}"\n')
    config.set("a", "second-hidden", secret=True).get(timeout=WAIT_S)
    assert b"hidden" not in stage.only("config.changed").body


def test_what_was_said_to_be_no_secret_is_told_as_it_is(stage: Stage, config: Config) -> None:
    config.set("author.token", HIDDEN).get(timeout=WAIT_S)
    setting = config.set("author.token", "no secret at all", secret=False).get(timeout=WAIT_S)
    assert (setting.value, setting.secret) == ("no secret at all", False)
    last = stage.entries()[-1].payload
    assert last["new_value"] == "no secret at all"
    assert last["old_value"] == stage.redactor.mask(HIDDEN)


def test_equal_secrets_have_equal_fingerprints(stage: Stage, config: Config) -> None:
    for key, value in (("a.token", "same"), ("b.token", "same"), ("c.token", "other")):
        config.set(key, value).get(timeout=WAIT_S)
    a, b, c = (entry.payload["new_value"] for entry in stage.entries())
    assert a == b != c
    assert a == stage.redactor.mask("same")


def test_a_number_of_tokens_is_no_secret(stage: Stage, config: Config) -> None:
    config.set("model.max_tokens", 512).get(timeout=WAIT_S)
    assert stage.only("config.changed").payload["new_value"] == 512
