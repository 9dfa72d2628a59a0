"""Secrets: known by type or by name, masked, and comparable by fingerprint only."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from minutebook.domain import AuditEvent, InvalidEvent
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import SettingsError
from minutebook.domain.redaction import Redactor, is_secret, is_secret_name
from tests.unit.stored import MASKED, REDACTOR, Anything, body_of, payload_of

SECRET = "hunter2-do-not-show-me"

SECRET_NAMES = [
    "password",
    "Password",
    "PASSWORD",
    "PGPASSWORD",
    "DBPassword",
    "db_password",
    "dbPassword",
    "db-password",
    "db.password",
    "password.of.db",
    "password_hash",
    "password_old",
    "newPassword",
    "password2",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "secrets",
    "client_secret",
    "clientSecret",
    "token",
    "tokens",
    "access_token",
    "accesstoken",
    "authtoken",
    "github.token",
    "X-Auth-Token",
    "URLToken",
    "AWSSecret",
    "tokenHash",
    "api_key",
    "apikey",
    "apiKey",
    "APIKey",
    "userAPIKey",
    "x-api-key",
    "private_key",
    "privateKeyPem",
    "signing_key",
    "ssh_key",
    "credential",
    "credentials",
    "cookie",
    "Cookies",
    "Authorization",
    "Proxy-Authorization",
    "bearer",
    "connection_string",
    "connectionString",
    "dsn",
]
FALSE_FRIENDS = [
    "token_count",
    "tokenCount",
    "token-count",
    "password_policy",
    "passwordPolicy",
    "password_length_min",
    "secretary",
    "tokenizer",
    "passwordless",
    "passport",
    "passed",
    "compass",
    "key",
    "keys",
    "monkey",
    "keyboard",
    "public_key_id",
    "cookie_banner",
    "secret_santa",
    "dsnap",
    "author",
    "authorized",
    "",
    ".",
]


class Login(AuditEvent, type="redaction.login"):
    user: str
    password: str
    apiKey: str = ""  # noqa: N815
    typed: SecretStr | SecretBytes | Secret[int] | None = None
    max_tokens: int | None = None
    token_count: int = 0
    password_policy: str = "strict"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_under_a_secret_name_are_masked_wherever_they_are(name: str) -> None:
    class Model(BaseModel):
        model_config = {"extra": "allow"}

    assert is_secret_name(name)
    for value in (
        {name: SECRET},
        {"deep": [{"er": ({name: SECRET},)}]},
        {name: SECRET.encode()},
        {name: [SECRET]},
        {name: {"of": {"whatever": SECRET}}},
        Model(**{name: SECRET}),
    ):
        body = body_of(Anything(value=value))
        assert SECRET.encode() not in body
        assert len(re.findall(MASKED.encode(), body)) == 1


@pytest.mark.parametrize("name", FALSE_FRIENDS)
def test_a_false_friend_is_stored_as_it_is(name: str) -> None:
    assert not is_secret_name(name)
    assert payload_of(Anything(value={name: "shown"})) == {"value": {name: "shown"}}


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("max_tokens", 4096, False),
        ("maxTokens", 0.5, False),
        ("max_tokens", "sk-1", True),
        ("max_tokens", ["sk-1"], True),
        ("token", 123456, True),
        ("pwd", 0, True),
        ("password", None, False),
        ("password", "", False),
        ("secret", True, False),
        ("secret", False, False),
        ("shown", SecretStr(""), True),
        ("shown", SecretBytes(b"x"), True),
        ("shown", Secret(3), True),
        ("shown", "x", False),
    ],
)
def test_nothing_truth_and_counts_are_no_secrets(name: str, value: Any, masked: bool) -> None:
    assert is_secret(name, value) is masked
    stored = payload_of(Anything(value={name: value}))["value"][name]
    assert bool(re.fullmatch(MASKED, str(stored))) is masked
    if not masked:
        assert stored == value


def test_an_events_own_fields_are_masked_by_name_and_by_type() -> None:
    event = Login(user="alice", password=SECRET, apiKey=SECRET, typed=SecretStr(SECRET))
    payload = payload_of(event.model_copy(update={"max_tokens": 4096, "token_count": 3}))

    assert SECRET.encode() not in body_of(event)
    assert re.fullmatch(MASKED, payload["password"])
    assert payload["apiKey"] == payload["typed"] == payload["password"]
    assert (payload["user"], payload["password_policy"]) == ("alice", "strict")
    assert (payload["max_tokens"], payload["token_count"]) == (4096, 3)


def test_equal_secrets_have_equal_fingerprints_under_one_key_only() -> None:
    other = Encoder(Redactor(b"o" * 32))

    def fingerprint(value: Any, encoder: Encoder | None = None) -> str:
        event = Anything(value={"password": value})
        stored = payload_of(event) if encoder is None else payload_of(event, encoder)
        return str(stored["value"]["password"])

    assert fingerprint("a") == fingerprint(SecretStr("a")) == fingerprint(SecretBytes(b"a"))
    assert fingerprint("a") == fingerprint(b"a") == fingerprint(Secret("a"))
    assert fingerprint("a") != fingerprint("b")
    assert fingerprint("a") != fingerprint("a", other)
    assert fingerprint("\udc80") != fingerprint("\udc81")


@pytest.mark.parametrize(
    "make",
    [
        lambda text: {"user": SecretStr(text)},
        lambda text: [SecretBytes(text.encode())],
        lambda text: Secret({"a": SecretStr(text)}),
        lambda text: {"x", "y", "z", text},
    ],
)
def test_containers_of_secrets_have_fingerprints_of_what_they_hold(
    make: Callable[[str], Any],
) -> None:
    one, same, other = (
        payload_of(Anything(value={"credentials": make(text)})) for text in ("a", "a", "b")
    )

    assert one == same
    assert one != other


def test_the_order_of_a_secret_mapping_does_not_matter() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert payload_of(Anything(value={"secrets": one})) == payload_of(
        Anything(value={"secrets": other})
    )


def test_the_fingerprint_is_the_head_of_an_hmac_sha_256() -> None:
    # printf hunter2 | openssl dgst -sha256 -mac HMAC -macopt hexkey:6b6b...
    assert REDACTOR.mask("hunter2") == "[secret hmac-sha256:f6c2ff60161a7959]"


def test_a_redactor_shows_no_key_and_reads_it_once_when_it_is_needed() -> None:
    reads = []

    def read() -> bytes:
        reads.append(1)
        return b"q" * 32

    lazy = Redactor(read)
    assert not reads
    assert lazy.mask("a") == lazy.mask("a") == Redactor(b"q" * 32).mask("a")
    assert reads == [1]
    assert repr(lazy) == str(lazy) == f"{lazy}" == "Redactor(key=[secret])"


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33])
def test_a_key_has_32_bytes(key: bytes) -> None:
    with pytest.raises(SettingsError, match=r"has 32 bytes, not \d+; make a new one\.$"):
        Redactor(key).mask("a")


def test_no_message_shows_a_secret() -> None:
    class Odd:
        def __repr__(self) -> str:
            return SECRET

        __str__ = __repr__

    for value in ({"password": Odd()}, {"a": Odd()}, Odd(), {Odd(): 1}, {"password": [Odd()]}):
        with pytest.raises(InvalidEvent) as caught:
            body_of(Anything(value=value))
        assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        ("password=hunter2 user=bob", "hunter2", "user=bob"),
        ('{"apiKey": "abc123", "name": "n"}', "abc123", '"name": "n"'),
        ("Authorization: Bearer abc.def-123", "abc.def-123", "Authorization"),
        ("clone https://bob:s3cr3t@host/x.git", "s3cr3t", "@host/x.git"),
        ("error: password=hunter2", "hunter2", "error: password="),
        ("GITHUB_TOKEN: ghp_0123", "ghp_0123", "GITHUB_TOKEN: "),
    ],
)
def test_secrets_in_a_text_are_masked(text: str, secret: str, kept: str) -> None:
    """What a program printed is masked by what stands before the value, and nothing else is."""
    masked = REDACTOR.mask_text(text)
    assert secret not in masked
    assert kept in masked
    assert masked.count("[secret hmac-sha256:") == 1


def test_a_text_and_a_command_without_secrets_stay_as_they_are() -> None:
    text = "3 tests passed: tokens=12 ok, password_policy=strict\nhttps://host/a:b@c"
    assert REDACTOR.mask_text(text) == text
    masked = REDACTOR.mask_command(["curl", "--password", "hunter2", "--user", "bob", "x"])
    assert masked[3:] == ("--user", "bob", "x")
    assert masked[2].startswith("[secret")
    assert REDACTOR.mask_command(["make", "test"]) == ("make", "test")
