"""Requests to the service actors: frozen, checked, and silent about what is secret."""

import math
import pickle
from typing import Any

import pytest
from pydantic import SecretStr

from minutebook.domain import InvalidCommand, Phase
from minutebook.domain import commands as module
from minutebook.domain.commands import (
    ApplyPlan,
    AuthenticatePassword,
    AuthenticateToken,
    BeginPhase,
    Command,
    CreatePlan,
    CreateSession,
    CreateUser,
    ListPlans,
    SetConfig,
)

SECRET = "hunter2-do-not-show-me"


def commands() -> list[type[Command]]:
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Command) and thing is not Command
    ]


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (CreateSession, {}, "actor_name: Field required"),
        (CreateSession, {"actor_name": ""}, "actor_name: give a text of 1 to 4"),
        (CreateSession, {"actor_name": " \t\n"}, "actor_name: give a text of 1 to 4"),
        (CreateSession, {"actor_name": "x" * 4097}, "actor_name: give a text"),
        (CreateSession, {"actor_name": 7}, "actor_name: Input should be a valid string"),
        (CreateSession, {"actor_name": None}, "actor_name: Input should be a valid string"),
        (CreateSession, {"actor_name": "a", "colour": SECRET}, "colour: Extra inputs are not"),
        (CreateSession, {"actor_name": "a", "client": ""}, "client: give a text"),
        (CreateUser, {"name": "a", "password": "short"}, "password: Value should have at least 8"),
        (CreateUser, {"name": "a", "password": SECRET * 100}, "password: Value should have at"),
        (CreateUser, {"name": "a", "password": [SECRET]}, "password: Input should be a valid"),
        (CreateUser, {"name": [SECRET], "password": SECRET}, "name: Input should be a valid"),
        (AuthenticatePassword, {"name": "", "password": SECRET}, "name: "),
        (AuthenticateToken, {"secret": SECRET * 100}, "secret: Value should have at most 1000"),
        (SetConfig, {"key": "a..b", "value": SECRET}, "key: String should match pattern"),
        (SetConfig, {"key": "a.b\n", "value": SECRET}, "key: String should match pattern"),
        (SetConfig, {"key": "", "value": SECRET}, "key: String should match pattern"),
        (SetConfig, {"key": "a" * 201, "value": SECRET}, "key: String should have at most 200"),
        (SetConfig, {"key": "\ud800", "value": SECRET}, "key: Input should be a valid string"),
        (SetConfig, {"key": "a"}, "value: Field required"),
        (BeginPhase, {"plan_id": "p", "phase": "dancing"}, "phase: Input should be 'action', "),
        (ListPlans, {"phase": 3}, "phase: Input should be "),
        (ApplyPlan, {"plan_id": "p", "validation_timeout_s": 0}, "should be greater than 0"),
        (ApplyPlan, {"plan_id": "p", "validation_timeout_s": math.nan}, "should be a finite"),
        (ApplyPlan, {"plan_id": "p", "validation_timeout_s": math.inf}, "should be a finite"),
        (ApplyPlan, {"plan_id": "p", "validations": ["make"]}, "validations.0: Input should be a"),
    ],
)
def test_a_wrong_argument_is_named_with_what_to_do_and_without_its_value(
    command: type[Command], arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidCommand) as caught:
        command(**arguments)

    message = str(caught.value)
    assert message.startswith(f"{command.__name__}: ")
    assert words in message
    assert message.endswith("Correct the call; nothing was done.")
    assert SECRET not in f"{message} {caught.value!r} {caught.value.__cause__}"


@pytest.mark.parametrize("command", commands())
def test_every_command_is_frozen_strict_and_documented(command: type[Command]) -> None:
    assert command.model_config.get("frozen") is True
    assert command.__doc__
    unknown: dict[str, Any] = {"no_such_argument": 1}
    with pytest.raises(InvalidCommand, match="no_such_argument: Extra inputs are not permitted"):
        command(**unknown)


def test_a_command_is_a_value() -> None:
    command = CreatePlan(action="tidy up", projects=("/tmp/\udc80",))

    assert command == pickle.loads(pickle.dumps(command))
    assert command.projects == ("/tmp/\udc80",)
    with pytest.raises(ValueError, match="frozen"):
        command.action = "else"
    assert CreateSession(actor_name="x" * 4096).client is None
    assert ListPlans(phase=Phase.APPLY).phase is Phase.APPLY


def test_a_command_shows_no_secret() -> None:
    user = CreateUser(name="alice", password=SecretStr(SECRET))

    assert user.password.get_secret_value() == SECRET
    assert SECRET not in f"{user!r} {user}"


@pytest.mark.parametrize("key", ["a", "a.b-c_d.E9", "a" * 200])
def test_a_key_is_words_joined_by_dots(key: str) -> None:
    assert SetConfig(key=key, value=None).key == key
