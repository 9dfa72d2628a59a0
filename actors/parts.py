"""How the parts of a system are made from its settings: at `open`, and in a forked child."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.teller import Teller
from minutebook.domain.encoding import Encoder

if TYPE_CHECKING:
    from minutebook.actors.ledger.journal import Journal
    from minutebook.actors.recording import Trail
    from minutebook.actors.retention.clerk import Clerk
    from minutebook.actors.retention.policy import Policy
    from minutebook.actors.settings import Settings


def side_file(path: Path, suffix: str) -> Path:
    """Return one of the files beside a ledger."""
    return path.with_name(path.name + suffix)


def open_ledger(path: str | os.PathLike[str], settings: Settings, encoder: Encoder) -> SqliteLedger:
    """Open the ledger; raises `LedgerError`."""
    # Imported when a ledger is opened: a host's start-up need not wait for it.
    from minutebook.actors.ledger.signing import new_signing

    return SqliteLedger(
        path,
        encoder,
        busy_timeout_s=settings.busy_timeout,
        allow_network_file_system=settings.allow_network_file_system,
        signing=lambda resolved: new_signing(resolved, describe_signing(resolved, settings)),
    )


def describe_signing(path: Path, settings: Settings) -> dict[str, Any]:
    """Return how checkpoints are signed, as JSON carries it to a writer's process.

    Args:
        path: the ledger's file.
    """
    from minutebook.actors.ledger.signing import KEY_SUFFIX, SIDE_LOG_SUFFIX

    secret = settings.signing_key
    return {
        "key_path": str(settings.signing_key_path or side_file(path, KEY_SUFFIX)),
        "key": None if secret is None else secret.get_secret_value(),
        "side_path": str(settings.checkpoints_path or side_file(path, SIDE_LOG_SUFFIX)),
        "every": settings.checkpoint_every,
    }


@contextmanager
def open_clerk(path: Path, settings: Settings, encoder: Encoder, source: str) -> Iterator[Clerk]:
    """Open the ledger for a while, to enter events with what they tell; raises `LedgerError`.

    Args:
        path: the ledger's file.
        source: the envelope's ``source`` of what is entered.
    """
    from minutebook.actors.retention.clerk import Clerk

    ledger = open_ledger(path, settings, encoder)
    try:
        yield Clerk(ledger, encoder, source)
    finally:
        ledger.close()


def policy_of(settings: Settings) -> Policy:
    """Return what the settings say of retention."""
    from minutebook.actors.retention.policy import Policy

    return Policy(
        settings.retention_days,
        settings.retention_count,
        settings.retention_types,
        settings.archive_directory,
        settings.archive_before_prune,
    )


def new_journal(path: Path, settings: Settings, producer: str) -> Journal:
    """Begin a producer's journal; raises `JournalError`.

    Args:
        path: the ledger's file.
    """
    # Imported when a system is opened: a host's start-up need not wait for it.
    from minutebook.actors.ledger.journal import Journal

    return Journal(
        side_file(path, ".journal.d"),
        producer,
        event_bytes_max=settings.event_bytes_max,
        backlog_max=settings.backlog_max,
        backlog_bytes_max=settings.backlog_bytes_max,
        overflow=settings.overflow,
        block_timeout_s=settings.block_timeout,
    )


def new_trail(path: Path, producer: str, encoder: Encoder, teller: Teller) -> Trail:
    """Return what the services' outboxes need to know of a system.

    Args:
        path: the ledger's file.
    """
    from minutebook.actors.ledger.owner import is_gone
    from minutebook.actors.ledger.reader import LedgerReader
    from minutebook.actors.recording import Trail

    def recorded(event_ids: Sequence[str]) -> set[str]:
        with LedgerReader(path) as reader:
            return reader.known(event_ids)

    journals = side_file(path, ".journal.d")
    return Trail(producer, encoder, teller, lambda other: is_gone(journals, other), recorded)


def describe_to_writer(path: Path, settings: Settings, producer: str) -> dict[str, Any]:
    """Return what a writer in a process of its own is to know.

    Args:
        path: the ledger's file.
    """
    return {
        "ledger": str(path),
        "journals": str(side_file(path, ".journal.d")),
        "key_path": str(side_file(path, ".app.key")),
        "producer": producer,
        "service": settings.service,
        "batch_max": settings.batch_max,
        # So that a small backlog is not full of what is committed.
        "unreported_max": settings.backlog_max // 8,
        "busy_timeout_s": settings.busy_timeout,
        "event_bytes_max": settings.event_bytes_max,
        "allow_network_file_system": settings.allow_network_file_system,
        "signing": describe_signing(path, settings),
    }
