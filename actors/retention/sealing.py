"""Sealing ranges of entries into segments, and taking those to an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import apsw

from minutebook.actors.file_lock import FileLock
from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.sealed_check import verify_segment
from minutebook.actors.ledger.sealed_files import (
    Header,
    copy_segment,
    header_of,
    write_segment,
)
from minutebook.actors.ledger.signing import CHECKPOINTED
from minutebook.actors.retention.clerk import Clerk
from minutebook.actors.retention.covered import archived_ranges, is_covered, sealed_until
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.entry import Record
from minutebook.domain.errors import ArchiveFailed
from minutebook.domain.events.retention import AuditArchived, AuditSealed
from minutebook.domain.note import encoded_hash
from minutebook.domain.pruning import PRUNED
from minutebook.domain.state.retention import Segment

SEGMENTS_SUFFIX: Final = ".segments"
"""Behind the ledger's name: the directory of its segments."""

SEGMENT_SUFFIX: Final = ".segment"
"""Behind a segment's name."""

ENTRIES_A_SEGMENT: Final = 65_536
"""Most entries of a segment, if the log has signed often enough."""

# These alone are no reason for another segment: each would bring the next one.
_FOLLOWING: Final = ("audit.sealed", "audit.archived", PRUNED, CHECKPOINTED)
_BUSY_TIMEOUT_S: Final = 5.0
_WAIT_S: Final = 60.0


def segments_directory(ledger: Path) -> Path:
    """Return where a ledger's segments are."""
    return ledger.with_name(ledger.name + SEGMENTS_SUFFIX)


def seal(clerk: Clerk, *, entries_max: int = ENTRIES_A_SEGMENT) -> tuple[Segment, ...]:
    """Write all that is in no segment yet to segments, up to a checkpoint that is signed now.

    Args:
        clerk: tells ``audit.sealed`` for each; its ledger signs.
        entries_max: of a segment, where checkpoints allow it.

    Raises:
        LedgerError: the ledger cannot be read or written.
        ArchiveFailed: a segment cannot be written; those before it are told.
    """
    path = clerk.ledger.path
    directory = segments_directory(path)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        with FileLock(directory / ".lock", wait_s=_WAIT_S):
            clerk.ledger.checkpoint()
            file = LedgerFile(path, busy_timeout_s=_BUSY_TIMEOUT_S)
            try:
                return tuple(_seal_all(clerk, file, directory, entries_max))
            finally:
                file.close()
    except OSError as error:
        msg = f"segments in {directory}: {error}; make room, and the directory writable."
        raise ArchiveFailed(msg) from error


def _seal_all(clerk: Clerk, file: LedgerFile, directory: Path, entries_max: int) -> list[Segment]:
    with clerk.turn() as connection:
        origin = clerk.ledger.signing.origin(connection)
    sealed = []
    for first, end in file.run(lambda connection: _ranges(connection, entries_max)):
        header: Header = file.run(
            lambda connection, first=first, end=end: header_of(connection, origin, first, end)  # type: ignore[misc]
        )
        path = directory / f"{first:012d}-{end - 1:012d}{SEGMENT_SUFFIX}"
        sha256 = write_segment(file, header, path)
        report = verify_segment(path)
        if report.findings:
            msg = (
                f"segment {path} does not verify ({report.findings[0].detail}); see what"
                " `minutebook verify` says of the ledger."
            )
            raise ArchiveFailed(msg)
        checkpoint = Checkpoint.of_text(header.checkpoint.text)
        clerk.enter(
            AuditSealed(
                source=clerk.source,
                first_index=first,
                last_index=end - 1,
                file_name=path.name,
                size_bytes=path.stat().st_size,
                sha256=sha256,
                tree_size=checkpoint.size,
                root_hash=encoded_hash(checkpoint.root),
            )
        )
        sealed.append(Segment(path=str(path), first_index=first, last_index=end - 1, sha256=sha256))
    return sealed


def _ranges(connection: apsw.Connection, entries_max: int) -> list[tuple[int, int]]:
    """Return the ranges that are to be sealed, each up to a checkpoint."""
    first = sealed_until(connection)
    sizes = [
        int(row[0])
        for row in connection.execute(
            "SELECT size FROM signed_notes WHERE kind = 'checkpoint' AND size > ? ORDER BY size",
            (first,),
        )
    ]
    if not sizes:
        return []
    anything = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM entries WHERE log_index >= ? AND log_index < ?"
        f" AND type NOT IN ({', '.join('?' * len(_FOLLOWING))}))",
        (first, sizes[-1], *_FOLLOWING),
    ).get
    ranges: list[tuple[int, int]] = []
    while anything and sizes:
        end = max((size for size in sizes if size <= first + entries_max), default=sizes[0])
        ranges.append((first, end))
        sizes = [size for size in sizes if size > end]
        first = end
    return ranges


def archive(
    clerk: Clerk, target: Path, *, entries_max: int = ENTRIES_A_SEGMENT
) -> tuple[Segment, ...]:
    """Seal, and copy each segment that is in no archive yet; each copy is read and verified.

    Args:
        clerk: tells ``audit.sealed`` and ``audit.archived``; its ledger signs.
        target: the archive's directory.
        entries_max: of a segment, where checkpoints allow it.

    Raises:
        LedgerError: the ledger cannot be read or written.
        ArchiveFailed: a segment is missing, cannot be copied, or its copy is not what it should
            be; those before it are told.
    """
    seal(clerk, entries_max=entries_max)
    directory = segments_directory(clerk.ledger.path)
    with FileLock(directory / ".lock", wait_s=_WAIT_S):
        file = LedgerFile(clerk.ledger.path, busy_timeout_s=_BUSY_TIMEOUT_S)
        try:
            waiting = file.run(_unarchived)
        finally:
            file.close()
        archived = []
        for segment in waiting:
            source = directory / segment.path
            copy = _archived_copy(
                source, target / f"{clerk.ledger.path.name}.{source.name}", segment
            )
            clerk.enter(
                AuditArchived(
                    source=clerk.source,
                    first_index=segment.first_index,
                    last_index=segment.last_index,
                    path=str(copy),
                    sha256=segment.sha256,
                )
            )
            archived.append(
                segment.model_copy(update={"path": str(source), "archived_to": str(copy)})
            )
    return tuple(archived)


def _unarchived(connection: apsw.Connection) -> list[Segment]:
    ranges = archived_ranges(connection)
    segments = []
    rows = connection.execute(
        "SELECT body FROM entries WHERE type = 'audit.sealed' ORDER BY log_index"
    )
    for (body,) in rows:
        said = Record.payload_of(body)
        if not is_covered(ranges, said["first_index"]):
            segments.append(
                Segment(
                    path=said["file_name"],
                    first_index=said["first_index"],
                    last_index=said["last_index"],
                    sha256=said["sha256"],
                )
            )
    return segments


def _archived_copy(source: Path, target: Path, segment: Segment) -> Path:
    try:
        target = target.absolute()
        # Not its parents: what is to be mounted there may be missing.
        target.parent.mkdir(exist_ok=True)
        if copy_segment(source, target) == segment.sha256 and not verify_segment(target).findings:
            return target
    except OSError as error:
        msg = f"archiving {source.name} to {target.parent}: {error}; correct that, and try again."
        raise ArchiveFailed(msg) from error
    msg = f"{source} is not what was sealed; put it back from a backup, and archive again."
    raise ArchiveFailed(msg)
