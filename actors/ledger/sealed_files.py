"""Segments: ranges of entries in compressed files that verify on their own.

A segment is a gzip file (RFC 1952) of, one behind the other:

- the line ``minutebook/segment@v1``;
- a line of JSON: ``origin`` of the log; ``first`` and ``end``, the range of indexes, the latter
  exclusive; ``before``, the hashes of the complete subtrees over all entries before the range,
  largest first, in base64; ``checkpoint``, a signed note of exactly ``end`` entries; ``keys``, the
  announcements of the log's keys;
- for each entry of the range: the length of its leaf input (4 bytes, big endian), its leaf hash
  (32 bytes), and the leaf input: 1 byte hash version, 8 bytes ``recorded_at``, the stored bytes.
  The length is 0 where the entry had been pruned before.

The subtrees before it and its own leaves lead to the root that the checkpoint signs: that ties
the range to the log, and shows that what came before was what the log had then.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol

import apsw
import orjson

from minutebook.actors.ledger.reading import LedgerFile
from minutebook.actors.ledger.tombstones import read_tombstones
from minutebook.actors.ledger.tree import StoredNodes
from minutebook.domain.entry import leaf_input
from minutebook.domain.errors import InvalidNote, SegmentRefused
from minutebook.domain.merkle import HASH_BYTES, CompactRange
from minutebook.domain.note import Note, decoded_hash, encoded_hash

FIRST_LINE: Final = b"minutebook/segment@v1\n"

GZIP: Final = b"\x1f\x8b"
"""What a segment begins with, and no ledger does."""

_HEADER_BYTES_MAX: Final = 16 * 1024 * 1024
_LEAF_BYTES_MAX: Final = 64 * 1024 * 1024
_ROWS_A_PAGE: Final = 4096
_LENGTH_BYTES: Final = 4


class Readable(Protocol):
    """What is read of a segment: as of a file."""

    def read(self, count: int, /) -> bytes:
        """Return so many bytes, or all that are left."""
        ...

    def readline(self, count: int, /) -> bytes:
        """Return a line, at most so many bytes."""
        ...


class Header(NamedTuple):
    """What a segment says of itself."""

    origin: str
    """Of the log."""
    first: int
    """Index of its first entry."""
    end: int
    """Index behind its last entry."""
    before: tuple[bytes, ...]
    """Complete subtrees over all entries before it, largest first."""
    checkpoint: Note
    """Of ``end`` entries."""
    keys: tuple[Note, ...]
    """Announcements of the log's keys."""


def write_segment(file: LedgerFile, header: Header, path: Path) -> str:
    """Write a segment, whole or not at all; return its SHA-256 in hexadecimal.

    Args:
        file: the ledger.
        header: with the range; see `header_of`.
        path: where it goes.

    Raises:
        LedgerError: the ledger cannot be read.
        OSError: the file cannot be written.
    """
    with _whole(path) as out:
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as segment:
            segment.write(FIRST_LINE)
            segment.write(orjson.dumps(_as_json(header)) + b"\n")
            for start in range(header.first, header.end, _ROWS_A_PAGE):
                page = (start, min(start + _ROWS_A_PAGE, header.end))
                records = file.run(lambda connection, page=page: _records(connection, *page))  # type: ignore[misc]
                segment.write(b"".join(records))
        out.flush()
    return sha256_of(path)


def copy_segment(source: Path, target: Path) -> str:
    """Copy a segment, whole or not at all; return the SHA-256 of what can be read there.

    Raises:
        OSError: it cannot be read or written.
    """
    with source.open("rb") as data, _whole(target) as out:
        while piece := data.read(1 << 20):
            out.write(piece)
    return sha256_of(target)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; raises OSError."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def header_of(connection: apsw.Connection, origin: str, first: int, end: int) -> Header:
    """Return the header of a range that ends where a checkpoint was signed.

    Raises:
        LedgerError: the tree lacks a part.
        InvalidNote: there is no such checkpoint.
    """
    note = connection.execute(
        "SELECT note FROM signed_notes WHERE kind = 'checkpoint' AND size = ?"
        " ORDER BY number DESC LIMIT 1",
        (end,),
    ).get
    if note is None:
        msg = f"no checkpoint of {end} entries was signed; sign one first."
        raise InvalidNote(msg)
    keys = connection.execute("SELECT note FROM signed_notes WHERE kind = 'key' ORDER BY number")
    return Header(
        origin,
        first,
        end,
        CompactRange.of_nodes(first, StoredNodes(connection)).hashes,
        Note.of_text(note),
        tuple(Note.of_text(row[0]) for row in keys),
    )


def is_segment(path: Path) -> bool:
    """Tell whether a file is compressed, as segments are; false when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(GZIP)) == GZIP
    except OSError:
        return False


def read_segment(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Yield index and leaf input of each entry; ``None`` where it had been pruned before.

    Raises:
        SegmentRefused: it is no segment, or ends too early; `sealed_check` looks for the rest.
    """
    try:
        with gzip.open(path, "rb") as segment:
            header = read_header(segment, path)
            for index in range(header.first, header.end):
                _, data = read_record(segment)
                yield index, data or None
    except (OSError, EOFError, zlib.error) as error:
        msg = f"segment {path}: {error}; take another copy of it."
        raise SegmentRefused(msg) from error


def read_record(segment: Readable) -> tuple[bytes, bytes]:
    """Return the leaf hash and the leaf input of the next entry; the latter is empty for one that
    had been pruned.

    Raises:
        EOFError: there is no next one.
        OSError: it is none, or cannot be read.
    """
    length = int.from_bytes(_exactly(segment, _LENGTH_BYTES), "big")
    leaf = _exactly(segment, HASH_BYTES)
    if length > _LEAF_BYTES_MAX:
        msg = f"an entry of {length} bytes is too large"
        raise OSError(msg)
    return leaf, _exactly(segment, length)


def _exactly(segment: Readable, count: int) -> bytes:
    data = segment.read(count)
    if len(data) < count:
        msg = "it ends too early"
        raise EOFError(msg)
    return data


def _records(connection: apsw.Connection, first: int, last: int) -> list[bytes]:
    connection.execute("BEGIN")
    try:
        rows: list[Any] = connection.execute(
            "SELECT log_index, leaf_hash, recorded_at, body FROM entries"
            " WHERE log_index >= ? AND log_index < ?",
            (first, last),
        ).fetchall()
        stones = read_tombstones(connection, first, last)
    finally:
        connection.execute("COMMIT")
    found: dict[int, tuple[bytes, bytes]] = {
        stone.log_index: (stone.leaf_hash, b"") for stone in stones
    }
    found |= {index: (leaf, leaf_input(at, body)) for index, leaf, at, body in rows}
    missing = next((index for index in range(first, last) if index not in found), None)
    if missing is not None:
        msg = f"entry {missing} is not in the ledger; see what `minutebook verify` says."
        raise SegmentRefused(msg)
    return [
        len(found[index][1]).to_bytes(_LENGTH_BYTES, "big") + b"".join(found[index])
        for index in range(first, last)
    ]


def _as_json(header: Header) -> dict[str, Any]:
    return {
        "origin": header.origin,
        "first": header.first,
        "end": header.end,
        "before": [encoded_hash(digest) for digest in header.before],
        "checkpoint": header.checkpoint.as_text(),
        "keys": [note.as_text() for note in header.keys],
    }


def read_header(segment: Readable, path: Path) -> Header:
    """Return what a segment says of itself; where its entries begin, it is read on.

    Args:
        segment: at its beginning.
        path: for messages.

    Raises:
        SegmentRefused: it is no segment.
        OSError, EOFError, zlib.error: it cannot be read.
    """
    try:
        if segment.readline(len(FIRST_LINE)) != FIRST_LINE:
            msg = "it does not begin as one"
            raise ValueError(msg)
        said = orjson.loads(segment.readline(_HEADER_BYTES_MAX))
        header = Header(
            str(said["origin"]),
            int(said["first"]),
            int(said["end"]),
            tuple(map(decoded_hash, said["before"])),
            Note.of_text(said["checkpoint"]),
            tuple(map(Note.of_text, said["keys"])),
        )
        if not 0 <= header.first < header.end:
            msg = "it has no entries"
            raise ValueError(msg)
        CompactRange.of_bytes(header.first, b"".join(header.before))
    except (ValueError, KeyError, TypeError, InvalidNote) as error:
        msg = f"{path} is no segment: {error}; give a file that `minutebook seal` wrote."
        raise SegmentRefused(msg) from error
    return header


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that is at its path when it is complete and durable, and not before."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
