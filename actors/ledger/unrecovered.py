"""Journals of processes that died, with events that are not in the ledger yet; only looks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from minutebook.actors.ledger.held import hold, let_go
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.actors.ledger.segments import SEGMENT_SUFFIX, scan
from minutebook.domain.encoding import finish, with_producer
from minutebook.domain.entry import Record
from minutebook.domain.finding import Finding
from minutebook.domain.gap import substitute_id

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_IDS_AT_ONCE = 500


def unrecovered_journals(
    directory: Path, known: Callable[[Sequence[str]], set[str]]
) -> Iterator[Finding]:
    """Yield a finding for each journal that nobody owns and that holds what the ledger lacks.

    Args:
        directory: the journals.
        known: returns which of some ids the ledger has.

    Raises:
        OSError: a journal cannot be read.
    """
    if not directory.is_dir():
        return
    for owner in sorted(directory.glob(f"*{OWNER_SUFFIX}")):
        producer = owner.name.removesuffix(OWNER_SUFFIX)
        if not _is_owned(owner):
            missing = sum(1 for _ in _missing(directory, producer, known))
            if missing:
                detail = (
                    f"the journal of producer {producer} has {missing} events that are not in the"
                    " ledger; opening the ledger with AuditSystem.open commits them."
                )
                yield Finding("unrecovered_journal", None, detail)


def _is_owned(owner: Path) -> bool:
    if fcntl is None:
        return True
    try:
        descriptor = os.open(owner, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    hold(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        let_go(descriptor)
    return False


def _missing(
    directory: Path, producer: str, known: Callable[[Sequence[str]], set[str]]
) -> Iterator[str]:
    wanted: list[tuple[str, str]] = []
    for path in sorted(directory.glob(f"{producer}-*{SEGMENT_SUFFIX}")):
        first_seq = int(path.stem.rpartition("-")[2])
        for seq, draft in scan(path.read_bytes(), producer, first_seq).records:
            record = Record.of(with_producer(finish(draft), producer, seq))
            wanted.append((record.id, substitute_id(producer, seq)))
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        pairs = wanted[start : start + _IDS_AT_ONCE]
        there = known([each for pair in pairs for each in pair])
        yield from (told for told, stand_in in pairs if not {told, stand_in} & there)
