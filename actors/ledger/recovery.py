"""Committing what processes that died had told: their journals, adopted."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from minutebook.actors.ledger.held import hold, let_go
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.actors.ledger.port import Ledger
from minutebook.actors.ledger.segments import SEGMENT_SUFFIX, Damage, Scan, is_torn, scan
from minutebook.domain.encoding import Encoder, finish, with_producer
from minutebook.domain.entry import Receipt, Record
from minutebook.domain.errors import DuplicateEvent, JournalError, LedgerError
from minutebook.domain.gap import described, missing, substitute

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger("minutebook.audit")

BATCH_MAX: Final = 512

LOCK_NAME: Final = "recovery.lock"
"""Held by whoever recovers: who opens then waits until all of it is committed."""

_OWNER: Final = re.compile(f"[0-9a-f]{{32}}{re.escape(OWNER_SUFFIX)}")

DAMAGED_SUFFIX: Final = ".damaged"
"""Behind the name of a segment that is kept aside because a part of it cannot be read."""


@dataclass
class Recovered:
    """What was found of one producer."""

    producer: str
    """Who had told it."""
    found: int = 0
    """Records that are as they were written."""
    committed: int = 0
    """How many of them were not in the ledger yet, and are now."""
    damage: list[Damage] = field(default_factory=list)
    """Stretches that could not be read; their segments are kept aside."""
    kept: list[str] = field(default_factory=list)
    """Names of those segments."""
    torn: bool = False
    """Whether the owner died while it wrote the last record, whose tell had not returned."""


def recover(directory: Path, ledger: Ledger, encoder: Encoder) -> list[Recovered]:
    """Commit what is in the journals of dead owners, each event once, and delete them.

    A live owner's journal is left alone; one that another process recovers at the moment is
    waited for. What is in the ledger already is recognised by its bytes, so a recovery that is
    cut off is simply done again. An ``audit.gap`` takes the place of records that cannot be
    read, or cannot be stored.

    Raises:
        LedgerError: the ledger cannot be written; the journals stay.
        JournalError: a journal cannot be read; it stays, and the others were recovered.
    """
    results = []
    unreadable: OSError | None = None
    with _alone(directory, wait=True) as alone:
        for owner in _owners(directory) if alone else ():
            try:
                with _adopted(owner) as free:
                    if free:
                        results.append(_recover_one(directory, owner.stem, ledger, encoder))
                        owner.unlink(missing_ok=True)
            except OSError as error:
                unreadable = error
    if unreadable is not None:
        raise _unreadable(directory, unreadable) from unreadable
    return [result for result in results if result.found or result.damage or result.torn]


def has_orphans(directory: Path) -> bool:
    """Tell whether there is a journal whose owner has died, and that nobody recovers."""
    with _alone(directory, wait=False) as alone:
        for owner in _owners(directory) if alone else ():
            with _adopted(owner) as free:
                if free:
                    return True
    return False


def _unreadable(directory: Path, error: OSError) -> JournalError:
    return JournalError(
        f"journal {directory}: {error}; make it readable, or move it away: it may hold events"
        " that are not in the ledger."
    )


def _owners(directory: Path) -> list[Path]:
    try:
        owners = _matching(directory, _OWNER)
    except OSError as error:
        raise _unreadable(directory, error) from error
    return owners


def _matching(directory: Path, pattern: re.Pattern[str]) -> list[Path]:
    # Not Path.glob, which takes a directory that cannot be read for an empty one, and what is
    # in an empty one is taken for recovered.
    return sorted(path for path in directory.iterdir() if pattern.fullmatch(path.name))


@contextlib.contextmanager
def _alone(directory: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of those who recover here; false when there is nothing, or another does."""
    if fcntl is None or not directory.is_dir():
        yield False
        return
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"journal {directory}: {error.strerror}; make the directory and its files writable."
        raise JournalError(msg) from error
    hold(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            msg = f"journal {directory}: {error.strerror}; put it on a file system that can lock."
            raise JournalError(msg) from error
        yield True
    finally:
        let_go(descriptor)


@contextlib.contextmanager
def _adopted(owner: Path) -> Iterator[bool]:
    assert fcntl is not None, "nothing is recovered without locks"
    try:
        descriptor = os.open(owner, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    hold(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # Another one may have adopted, and deleted, it between the two steps.
        yield os.fstat(descriptor).st_nlink > 0
    finally:
        let_go(descriptor)


def _recover_one(directory: Path, producer: str, ledger: Ledger, encoder: Encoder) -> Recovered:
    result = Recovered(producer)
    segments = _matching(directory, re.compile(rf"{producer}-\d{{16}}{re.escape(SEGMENT_SUFFIX)}"))
    for path, following in itertools.zip_longest(segments, segments[1:]):
        data = path.read_bytes()
        found = scan(data, producer, _first_seq(path))
        goes_on_at = None if following is None else _first_seq(following)
        damage = _settled(found, _first_seq(path), goes_on_at)
        if _ends_torn(damage, data, goes_on_at):
            result.torn = True
            damage.pop()
        bodies = {seq: with_producer(finish(draft), producer, seq) for seq, draft in found.records}
        for first_seq, lost, _ in damage:
            if lost:
                written_at_ns = path.stat().st_mtime_ns
                bodies[first_seq] = missing(producer, first_seq, lost, written_at_ns, encoder)
        in_order = [bodies[seq] for seq in sorted(bodies)]
        for start in range(0, len(in_order), BATCH_MAX):
            result.committed += _commit(ledger, in_order[start : start + BATCH_MAX], encoder)
        result.found += len(found.records)
        if damage:
            result.damage += damage
            result.kept.append(_keep_aside(path))
    for path in _matching(directory, re.compile(f"{producer}[-.].*")):
        if not path.name.endswith((OWNER_SUFFIX, DAMAGED_SUFFIX)):
            path.unlink(missing_ok=True)
    return result


def _first_seq(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _settled(found: Scan, first_seq: int, following: int | None) -> list[Damage]:
    """Return the damage of a segment, given where the following one goes on."""
    damage = list(found.damage)
    if following is None:
        return damage
    last = damage.pop() if damage and damage[-1].is_open_end else None
    expected = found.records[-1][0] + 1 if found.records else first_seq
    if following > expected or last is not None:
        offset = found.end if last is None else last.offset
        damage.append(Damage(expected, max(0, following - expected), offset))
    return damage


def _ends_torn(damage: list[Damage], data: bytes, goes_on_at: int | None) -> bool:
    if goes_on_at is not None or not damage:
        return False
    return damage[-1].is_open_end and is_torn(data, damage[-1].offset)


def _commit(ledger: Ledger, bodies: list[bytes], encoder: Encoder) -> int:
    before = ledger.next_index()
    outcomes = _append(ledger, bodies, encoder)
    new = {
        outcome.log_index
        for outcome in outcomes
        if isinstance(outcome, Receipt) and outcome.log_index >= before
    }
    refused = sum(isinstance(outcome, DuplicateEvent) for outcome in outcomes)
    return len(new) + refused


def _append(
    ledger: Ledger, bodies: list[bytes], encoder: Encoder
) -> list[Receipt | DuplicateEvent]:
    try:
        return ledger.append(bodies)
    except LedgerError:
        raise
    # One event that cannot be stored must not keep all others out for ever.
    except Exception as error:
        if len(bodies) > 1:
            return [outcome for body in bodies for outcome in _append(ledger, [body], encoder)]
        logger.exception("a journaled event could not be stored")
        gap = substitute(Record.of(bodies[0]), encoder, cause="unstorable", detail=described(error))
        return ledger.append([gap.body])


def _keep_aside(path: Path) -> str:
    kept = path.with_name(path.name + DAMAGED_SUFFIX)
    path.rename(kept)
    return kept.name
