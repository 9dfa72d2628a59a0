"""Settings and fixtures that all tests share."""

import os
import signal

import pytest
from hypothesis import settings

from minutebook.domain.encoding import Encoder
from minutebook.domain.redaction import KEY_BYTES, Redactor

# No deadline: a shared machine is at times slow, and that is no failure of the example.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell ignores some signals for what it starts in the background, and so would every process
# that a test starts, and then sends one of them.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(b"k" * KEY_BYTES)


@pytest.fixture
def encoder(redactor: Redactor) -> Encoder:
    return Encoder(redactor)
