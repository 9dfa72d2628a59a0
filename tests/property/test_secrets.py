"""The text of a secret is nowhere in the stored bytes, however deep and however it is held."""

import base64
from collections.abc import Callable
from dataclasses import make_dataclass
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Secret, SecretBytes, SecretStr, create_model

from minutebook.domain.surrogates import escape
from tests.unit.stored import Anything, body_of, payload_of

# Nothing of this can be in an envelope, a name or a fingerprint by chance.
SECRETS = st.text('QWZ#~"\\é€\U0001f511\x10\x07\ud800\udcff', min_size=5, max_size=20)
NAMES = st.sampled_from(
    [
        "password",
        "apiKey",
        "X-Auth-Token",
        "db.credentials",
        "CLIENT_SECRET",
        "tokens",
        "dbPassword",
    ]
)
FIELDS = st.sampled_from(["password", "apiKey", "client_secret", "tokens"])

Wrap = Callable[[Any], Any]


def _under_a_name(name: str) -> list[Wrap]:
    return [
        lambda value: {name: value},
        lambda value: {name: [value, 1]},
        lambda value: {name: {"user": "u", "what": value}},
        lambda value: {name: (value,)},
    ]


def _as_a_field(name: str) -> list[Wrap]:
    fields: dict[str, Any] = {name: (Any, ...)}
    return [
        lambda value: make_dataclass("Data", [name])(value),
        lambda value: create_model("Model", **fields)(**{name: value}),
    ]


def _secret_bytes(text: str) -> SecretBytes:
    return SecretBytes(text.encode("utf-8", "surrogatepass"))


MASKING = st.one_of(
    NAMES.flatmap(lambda name: st.sampled_from(_under_a_name(name))),
    FIELDS.flatmap(lambda name: st.sampled_from(_as_a_field(name))),
    st.sampled_from([SecretStr, _secret_bytes, Secret]),
)
AROUND: st.SearchStrategy[Wrap] = st.sampled_from(
    [
        lambda value: [value],
        lambda value: (1, value),
        lambda value: {"a": value},
        lambda value: {"list": [{"b": value}]},
        lambda value: create_model("Around", inner=(Any, ...))(inner=value),
    ]
)


@given(SECRETS, MASKING, st.lists(AROUND, max_size=5))
def test_a_secret_is_nowhere_in_the_bytes(secret: str, mask: Wrap, around: list[Wrap]) -> None:
    value = mask(secret)
    for wrap in around:
        value = wrap(value)
    body = body_of(Anything(value=value))

    assert b"[secret hmac-sha256:" in body
    raw = secret.encode("utf-8", "surrogatepass")
    for shape in (raw, orjson.dumps(escape(secret))[1:-1], base64.b64encode(raw)):
        assert shape not in body


@given(SECRETS, SECRETS, NAMES)
def test_fingerprints_are_equal_exactly_for_equal_secrets(one: str, other: str, name: str) -> None:
    def stored(secret: str) -> Any:
        return payload_of(Anything(value={name: [secret], "typed": SecretStr(secret)}))

    assert stored(one) == stored(one)
    assert (stored(one) == stored(other)) is (one == other)
