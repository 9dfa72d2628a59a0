"""Ledgers to keep and to forget in, and who does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

from minutebook.actors import AuditSystem
from minutebook.actors.key_file import load_or_create_key
from minutebook.actors.parts import open_clerk, side_file
from minutebook.actors.retention.clerk import Clerk
from minutebook.actors.settings import SettingsGiven, load_settings
from minutebook.domain import AuditEvent, Personal
from minutebook.domain.encoding import Encoder
from minutebook.domain.redaction import Redactor

WAIT_S = 60.0


class Noted(AuditEvent, type="retention_test.noted"):
    """One of many."""

    number: int


class Seen(AuditEvent, type="retention_test.seen"):
    """One of many of another type."""

    number: int


class Moved(AuditEvent, type="retention_test.moved"):
    """Something personal."""

    customer: str
    address: Annotated[str | None, Personal(subject="customer")] = None
    phones: Annotated[tuple[str, ...] | None, Personal()] = None


def fill(path: Path, count: int, **settings: Any) -> None:
    """Tell so many events, half of each type, of five users and four plans; in small batches, so
    that checkpoints come about when they are due."""
    with AuditSystem.open(path, batch_max=50, **settings) as system:
        for number in range(count):
            cls = Seen if number % 2 else Noted
            system.audit.tell(
                cls(number=number, user_identity=f"user {number % 5}", plan_id=f"plan {number % 4}")
            )


def redactor_of(path: Path) -> Redactor:
    return Redactor(lambda: load_or_create_key(side_file(path, ".app.key")))


@contextmanager
def clerk_of(path: Path, **settings: Any) -> Iterator[Clerk]:
    """Somebody who writes in a ledger, besides all systems."""
    encoder = Encoder(redactor_of(path))
    chosen = load_settings(cast(SettingsGiven, settings))
    with open_clerk(path, chosen, encoder, "app/retention") as clerk:
        yield clerk
