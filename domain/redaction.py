"""Masking of secrets: they never reach the stored bytes, a keyed fingerprint does.

A value is secret by its type (pydantic's ``SecretStr``, ``SecretBytes``, ``Secret``) or by the name
that it goes by (``password``, ``api_key``, ``github.token``). What is stored instead is
the text ``[secret hmac-sha256:<16 hex digits>]``: with one key, equal secrets have equal
fingerprints, so that an auditor sees *that* a credential changed, or that two places share
one, and cannot try guesses without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any

from minutebook.domain.errors import SettingsError

KEY_BYTES = 32
"""Length of a fingerprint key."""

_FINGERPRINT_HEX_DIGITS = 16

# A segment (between dots) that ends in one of these words. "tokens" stands apart: LLM
# settings count tokens, so a number under such a name is a count (`is_secret`).
_SECRET_SEGMENT = re.compile(
    r"((^|_)("
    r"passcodes?|pwd|secrets?|tokens?|credentials?|cookies?|authorization|bearer"
    r"|(api|access|secret|private|signing|encryption|master|client|account|license|session|ssh)"
    r"_?keys?|connection_?string|dsn)"
    # Those that are written in one with what is before them, too: PGPASSWORD, authtoken.
    r"|pass(word|wd|phrase)s?|(access|auth|refresh|session)tokens?"
    r")(_(hash|value|text|plain|old|new|pem)|_?\d+)?$",
    re.ASCII,
)
# In a text: a name and what is between it and its value; and the value.
_NAMED = re.compile(r"""(?<![\w.-])([A-Za-z_][\w.-]*)["']?\s*[=:]\s*["']?""", re.ASCII)
_VALUE = re.compile(r"""[^\s"',;&]+""")
_SCHEME = re.compile(r"(?P<before>\b(?:bearer|basic)\s+)(?P<value>[\w.~+/=-]{8,})", re.IGNORECASE)
_MASKED = frozenset({"[secret", "bearer", "basic"})
_IN_URL = re.compile(r"(?P<before>://[^/\s:@]*:)(?P<value>[^/\s@]+)(?=@)")

_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_secret_type(value: object) -> bool:
    """Tell whether a value is one of pydantic's secrets, or made like one.

    By its method: ``SecretStr``, ``SecretBytes`` and ``Secret`` have no public base of their own.
    """
    return hasattr(type(value), "get_secret_value")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether values that go by this name are taken for secrets.

    Judges each dotted segment by its last words, in snake_case, kebab-case or camelCase:
    ``db.password``, ``apiKey`` and ``X-Auth-Token`` are secret, ``password_policy`` and
    ``token_count`` are not.
    """
    return any(
        _SECRET_SEGMENT.search(_CAMEL_HUMP.sub("_", segment).lower().replace("-", "_"))
        for segment in name.split(".")
    )


def is_secret(name: str, value: object) -> bool:
    """Tell whether a value under a name is to be masked.

    Nothing, truth values and empty texts are no secrets; nor is a number under a name
    that ends in "tokens", which counts them.
    """
    if is_secret_type(value):
        return True
    if value is None or isinstance(value, bool) or value == "" or not is_secret_name(name):
        return False
    return not (isinstance(value, int | float) and name.lower().endswith("tokens"))


class Redactor:
    """Masks secret values, with fingerprints under one key.

    Args:
        key: 32 random bytes, kept by the host beside its app database, never in a ledger; or
            what returns them, called when the first secret comes.
    """

    def __init__(self, key: bytes | Callable[[], bytes]) -> None:
        self._source = key

    @cached_property
    def _key(self) -> bytes:
        key = self._source() if callable(self._source) else self._source
        if len(key) != KEY_BYTES:
            msg = f"a fingerprint key has {KEY_BYTES} bytes, not {len(key)}; make a new one."
            raise SettingsError(msg)
        return key

    def __repr__(self) -> str:
        return "Redactor(key=[secret])"

    def fingerprint(self, value: str) -> bytes:
        """Return the whole HMAC-SHA-256 over a text's UTF-8."""
        return hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()

    def mask(self, value: Any) -> str:
        """Return the text that stands for a secret: ``[secret hmac-sha256:<digits>]``.

        The fingerprint is the first 64 bits of HMAC-SHA-256 over the value's UTF-8 text
        (RFC 2104, truncated as its section 5 allows).
        """
        if is_secret_type(value):
            value = value.get_secret_value()
        if not isinstance(value, bytes):
            value = str(value).encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, value, hashlib.sha256).hexdigest()
        return f"[secret hmac-sha256:{digest[:_FINGERPRINT_HEX_DIGITS]}]"

    def mask_text(self, text: str) -> str:
        """Return a text, such as what a program printed, with its secrets masked.

        Known by what stands before them: ``password=...``, ``"apiKey": "..."``,
        ``Authorization: Bearer ...``, ``https://user:...@host``.
        """
        text = _IN_URL.sub(self._masked, text)
        text = _SCHEME.sub(self._masked, text)
        parts, end = [], 0
        for named in _NAMED.finditer(text):
            # The name first: to look for each value would take long in a text of many.
            if named.start() < end or not is_secret_name(named[1]):
                continue
            value = _VALUE.match(text, named.end())
            if value is None or _is_no_secret(named[1], value[0]):
                continue
            parts += [text[end : value.start()], self.mask(value[0])]
            end = value.end()
        return "".join((*parts, text[end:]))

    def mask_command(self, command: Sequence[str]) -> tuple[str, ...]:
        """Return a command line with its secrets masked, ``--password ...`` among them."""
        masked = []
        option = ""
        for part in command:
            if is_secret(option.lstrip("-"), part) and not part.startswith("-"):
                masked.append(self.mask(part))
            else:
                masked.append(self.mask_text(part))
            option = part if part.startswith("-") and "=" not in part else ""
        return tuple(masked)

    def _masked(self, match: re.Match[str]) -> str:
        return match["before"] + self.mask(match["value"])


def _is_no_secret(name: str, value: str) -> bool:
    # What is masked already, and a scheme whose credential is, are left; so is a count.
    return value.lower() in _MASKED or (value.isdigit() and name.lower().endswith("tokens"))
