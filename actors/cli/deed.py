"""What the commands have in common that do something to a ledger: as whom, and with what."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from minutebook.actors.key_file import load_or_create_key
from minutebook.actors.ledger.opening import resolve_ledger_path
from minutebook.domain.context import bind
from minutebook.domain.encoding import Encoder
from minutebook.domain.errors import InvalidQuery, LedgerMissing
from minutebook.domain.redaction import Redactor

if TYPE_CHECKING:
    from minutebook.actors.retention.clerk import Clerk
    from minutebook.actors.settings import Settings

Ledger = Annotated[str, typer.Argument(metavar="LEDGER", help="The ledger file.")]
"""The first argument of each."""

Identity = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who acts; the user of this machine when not given."),
]
"""As whom it is recorded."""

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdwy])", re.ASCII)
_DAYS: Final = {"m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0, "y": 365.0}


class Deed(NamedTuple):
    """What such a command works with."""

    clerk: Clerk
    """Enters what is told."""
    settings: Settings
    """As a system would have them that is opened here: from the environment, and its file."""
    redactor: Redactor
    """Makes fingerprints."""


@contextmanager
def doing(ledger: str, identity: str | None) -> Iterator[Deed]:
    """Open a ledger that is there, with an identity bound, for a block.

    Raises:
        LedgerError: of the kind that fits.
        SettingsError: a setting is wrong.
    """
    # They bring along half of the system; who reads a ledger does not wait for that.
    from minutebook.actors.parts import open_clerk, side_file
    from minutebook.actors.settings import load_settings

    path = resolve_ledger_path(ledger)
    if not path.exists():
        msg = f"there is no ledger at {path}; check the path."
        raise LedgerMissing(msg)
    settings = load_settings({})
    redactor = Redactor(lambda: load_or_create_key(side_file(path, ".app.key")))
    encoder = Encoder(redactor, service=settings.service, bytes_max=settings.event_bytes_max)
    source = f"{settings.service}/retention"
    with (
        bind(identity=getpass.getuser() if identity is None else identity),
        open_clerk(path, settings, encoder, source) as clerk,
    ):
        yield Deed(clerk, settings, redactor)


def days_of(text: str) -> float:
    """Return the days that a span says, such as ``90d``, ``12h`` or ``2y``; a year has 365.

    Raises:
        InvalidQuery: it says none.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        msg = f"{text!r:.80} is no span of time; give 30m, 12h, 90d, 6w or 2y."
        raise InvalidQuery(msg)
    return float(found[1]) * _DAYS[found[2]]


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else many}"


def absolute(name: str) -> Path:
    """Return a path that stays right in other directories."""
    return Path(name).expanduser().absolute()
