"""The journal: what was told, in this process's page cache until it is in the ledger.

A record is copied into a mapped file. The kernel keeps the file's pages whatever becomes of
the process, so a told event survives ``kill -9``, and the copy takes a tenth of the time of a
``write``, which would also give the interpreter's lock away on every call.

One journal belongs to one producer, and is held by an exclusive ``flock`` on its owner file
for as long as the process lives; see `minutebook.actors.ledger.recovery` for what is left by
one that died.
"""

from __future__ import annotations

import mmap
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from zlib_ng.zlib_ng import crc32

from minutebook.actors.ledger.chain import Chain
from minutebook.actors.ledger.flag import Flag
from minutebook.actors.ledger.gil import HAS_GIL
from minutebook.actors.ledger.owner import OWNER_SUFFIX, Owner
from minutebook.actors.ledger.segments import (
    END,
    RECORD_HEADER,
    RECORDS_FROM,
    Segment,
    header_packer,
)
from minutebook.actors.ledger.steps import GiveWay, in_steps
from minutebook.actors.ledger.taking import TAKEN_BYTES_MAX, Cursor
from minutebook.domain.encoding import finish, with_producer
from minutebook.domain.errors import AuditBacklogFull, AuditClosed, JournalError

SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""Size of a segment, unless events may be larger than a quarter of it.

One in 7,000 callers begins one, which takes 0.1 to 0.5 ms: the file gets its name.
"""

_TAKEN_AT_ONCE: Final = 64

Overflow = Literal["block", "reject"]
"""What becomes of a caller when the backlog is full."""

_State = tuple[mmap.mmap, int, int]
_Asked = tuple[Any, bytes]

_HEADER_SIZE: Final = RECORD_HEADER.size
_pack_header = RECORD_HEADER.pack


class Journal:
    """A producer's events on their way to the ledger.

    Any thread may append; one thread takes, and says when what it took is committed.

    Appending takes no lock. How far the journal is written is one tuple, `_state`. A record is
    computed from it, and then stored along with the tuple's successor if the tuple is still
    the same; else it is computed again. The test and the stores are one line of Python without
    a call, a loop or an allocation, within which CPython neither changes threads, nor runs
    signal handlers, the garbage collector or a debugger's trace function. Without a global
    interpreter lock there is a lock around it.

    Args:
        directory: where the files are; made when missing.
        producer: 32 hexadecimal digits; numbers count from 0.
        event_bytes_max: largest body.
        backlog_max: most events that are told and not committed.
        backlog_bytes_max: most bytes of segments that are not committed.
        overflow: at either limit, ``block`` waits and ``reject`` does not.
        block_timeout_s: how long it waits.

    Raises:
        JournalError: the files cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        producer: str,
        *,
        event_bytes_max: int,
        backlog_max: int = 100_000,
        backlog_bytes_max: int = 256 * 1024 * 1024,
        overflow: Overflow = "block",
        block_timeout_s: float = 5.0,
    ) -> None:
        self.directory = directory
        self.producer = producer
        self._waiting = False
        self._attention = False
        size = max(SEGMENT_BYTES, 4 * event_bytes_max)
        self._limit = self._segment_limit = size - len(END)
        self._record_bytes_max = self._segment_limit - RECORDS_FROM - _HEADER_SIZE
        self._backlog_max = backlog_max
        self._hurry_from = (backlog_max + 1) // 2
        self._full_at = self._hurry_from
        self._overflow = overflow
        self._block_timeout_s = block_timeout_s
        # For whoever makes room. Reentrant: a signal handler may, in the middle of its thread.
        self._lock = threading.RLock()
        self._replies: dict[int, _Asked] = {}
        self._closed: str | None = None
        # One for each caller that waits for room: none can miss what another one cleared.
        self._blocked: list[Flag] = []
        self._beginning = False
        self._late: deque[tuple[bytes, int]] = deque()
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self._owner = Owner(directory / f"{producer}{OWNER_SUFFIX}")
            try:
                self._chain = Chain(directory, producer, size=size, bytes_max=backlog_bytes_max)
            except BaseException:
                self._owner.let_go()
                raise
        except OSError as error:
            raise _failed(directory, error) from error
        # The mapped file, the end of its records, the next number.
        self._state: _State = (self._chain.last.map, RECORDS_FROM, 0)
        self._cursor = Cursor(self._chain.last)
        self.refused = 0
        """How many events were not taken because there was no room."""
        self.taken_seq = 0
        """All before this number was taken."""
        self.committed_seq = 0
        """All before this number is in the ledger."""
        self.hurry: Callable[[], None] = _nobody
        """Called when room becomes scarce, by who needs it: have the rest taken at once."""
        self._append = self.appender(b"")
        if not HAS_GIL:
            self.append_asked = _locked(  # type: ignore[method-assign]
                self._lock, self.append_asked
            )

    # -- any thread -----------------------------------------------------------

    def append(self, draft: bytes) -> bool:
        """Record an event: when this returns, it survives the process.

        Args:
            draft: a draft, or a head; see `minutebook.domain.encoding`.

        Returns:
            Whether the thread that takes has to be woken.

        Raises:
            AuditClosed: the journal is closed; nothing was taken.
            AuditBacklogFull: too much is not committed, for too long; nothing was taken.
            JournalError: the disk has no room for another segment, or the event is larger than
                one; nothing was taken.
        """
        return self._append(draft)

    def appender(self, preface: bytes) -> Callable[[bytes], bool]:
        """Return an `append` for drafts that begin alike, which is given what comes behind.

        Args:
            preface: what stands in front of it.
        """
        preface_crc, preface_size = crc32(preface), len(preface)
        overhead = _HEADER_SIZE + preface_size
        pack = header_packer(preface)

        def append(flat: bytes) -> bool:
            crc = crc32(flat, preface_crc)
            size = len(flat)
            while True:
                state = self._state
                mapped, position, seq = state
                end = position + overhead + size
                if end > self._limit or seq >= self._full_at:
                    self._append_slowly(preface + flat, crc, None)
                    break
                record = pack(preface_size + size, crc, seq, seq, preface) + flat
                place, written = slice(position, end), (mapped, end, seq + 1)
                # fmt: off
                if self._state is state: mapped[place] = record; self._state = written; break  # noqa: E701, E702
                # fmt: on
            return self._attention and self._attend()

        return append if HAS_GIL else _locked(self._lock, append)

    def append_asked(self, head: bytes, reply: Any) -> None:
        """Record an event for which a reply is kept until it is taken; raises as `append`."""
        self._append_slowly(head, crc32(head), (reply, head))
        self._attend()

    def _append_slowly(self, draft: bytes, crc: int, asked: _Asked | None) -> None:
        """Append where room may have to be made, or waited for."""
        with self._lock:
            if self._write(draft, crc, asked):
                return
        self.hurry()
        wait_s = self._block_timeout_s if self._overflow == "block" else 0.0
        deadline = time.monotonic() + wait_s
        room = Flag()
        self._blocked.append(room)
        try:
            while True:
                room.clear()
                with self._lock:
                    if self._write(draft, crc, asked):
                        return
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                room.wait(left)
        finally:
            self._blocked.remove(room)
        msg = (
            f"{self.backlog:,} events wait for the ledger, and waiting {wait_s} s has made no"
            " room; the event was not taken: look at health(), and tell it again."
        )
        self.refused += 1
        raise AuditBacklogFull(msg)

    def append_own(self, head: bytes, seq: int) -> bool:
        """Record an event of who takes, who may do so when the journal is closed, too.

        Returns:
            Whether it got that number; false also when there is no room, and nothing was taken.

        Raises:
            JournalError: as `append`.
        """
        with self._lock:
            return self._write(head, crc32(head), None, own_seq=seq)

    def _write(
        self, draft: bytes, crc: int, asked: _Asked | None, *, own_seq: int | None = None
    ) -> bool:
        """Write a record; ``False`` when there is no room for it. The lock is held."""
        size, replies = len(draft), self._replies
        while True:
            state = self._state
            mapped, position, seq = state
            if own_seq is not None:
                if seq != own_seq:
                    return False
            elif self._closed is not None:
                raise AuditClosed(self._closed)
            elif seq >= self._full_at and not self._has_room(seq):
                return False
            end = position + _HEADER_SIZE + size
            if end > self._segment_limit:
                if size > self._record_bytes_max:
                    raise _too_large(size, self._record_bytes_max)
                if self._beginning:
                    self._put_off(draft, crc, asked)
                    return True
                if not self._begin_following(state):
                    return False
                continue
            record = _pack_header(size, crc, seq, seq) + draft
            place, written = slice(position, end), (mapped, end, seq + 1)
            if asked is not None:
                # fmt: off
                if self._state is state: mapped[place] = record; replies[seq] = asked; self._state = written; return True  # noqa: E501, E701, E702
                # fmt: on
                continue
            # fmt: off
            if self._state is state: mapped[place] = record; self._state = written; return True  # noqa: E701, E702
            # fmt: on

    def _has_room(self, seq: int) -> bool:
        """Tell whether the backlog has room for a number, the one in the middle of it or later."""
        full_at = self.committed_seq + self._backlog_max
        if seq >= full_at:
            return False
        self._full_at = full_at
        self.hurry()
        return True

    def _begin_following(self, state: _State) -> bool:
        if self._chain.is_full:
            return False
        # A signal handler that begins one for the same number would take the name of this one's
        # file, or this one its: none does from here to the end, and none has done so before.
        self._beginning = True
        try:
            if self._state is state:
                self._lengthen(state)
        except OSError as error:
            raise _failed(self.directory, error) from error
        finally:
            self._beginning = False
        return True

    def _lengthen(self, state: _State) -> None:
        _, position, seq = state
        chain, last = self._chain, self._chain.last
        following = chain.begin(seq)
        begun, count, won = (following.map, RECORDS_FROM, seq), chain.begun + 1, False
        # fmt: off
        if self._state is state: last.end = position; last.following = chain.last = following; chain.begun = count; self._state = begun; won = True  # noqa: E501, E701, E702
        # fmt: on
        if not won:
            # Meanwhile an event was told that was short enough for what was left of the last.
            chain.give_back(following)
        elif chain.is_half_full:
            self.hurry()

    def _put_off(self, draft: bytes, crc: int, asked: _Asked | None) -> None:
        """Take an event of a signal handler that came while its thread was making a segment.

        That thread writes it next. Making another segment here would take so long that the
        next signal could come within it, and so on.
        """
        if asked is not None:
            msg = (
                "a signal handler asks while its thread is making room in the journal, and would"
                " wait for itself; the event was not taken: tell it, or ask again later."
            )
            raise AuditBacklogFull(msg)
        self._late.append((draft, crc))
        self._attention = True

    def _attend(self) -> bool:
        """Write what was put off; tell whether the thread that takes is to be woken."""
        # In this order: what another thread sets in between is seen here, or next time.
        self._attention = False
        waiting, self._waiting = self._waiting, False
        if self._late:
            self._attention = True
            with self._lock:
                self._write_late()
        return waiting

    def _write_late(self) -> None:
        while not self._beginning:
            try:
                draft, crc = self._late.popleft()
            except IndexError:
                self._attention = self._waiting
                return
            written = False
            try:
                written = self._write(draft, crc, None)
            except (AuditClosed, JournalError):
                # It concerns the late event, and not whoever happens to write it.
                return
            finally:
                if not written:
                    self._late.appendleft((draft, crc))
            if not written:
                return

    @property
    def waiting(self) -> bool:
        """Set by who takes, before it sleeps: the next append is to wake it."""
        return self._waiting

    @waiting.setter
    def waiting(self, value: bool) -> None:
        self._waiting = value
        if value:
            self._attention = True

    @property
    def backlog(self) -> int:
        """How many events are told and not committed."""
        return self._state[2] - self.committed_seq + len(self._late)

    @property
    def next_seq(self) -> int:
        """How many events were told."""
        return self._state[2]

    def is_held(self) -> bool:
        """Tell whether the calling thread, which a signal has interrupted, holds the lock."""
        # What threading.Condition asks of it, too.
        return bool(self._lock._is_owned())  # type: ignore[attr-defined]

    def close(self, why: str) -> None:
        """Refuse further events; each one that was not refused is counted in `next_seq`."""
        with self._lock:
            self._write_late()
            if self._closed is None:
                self._closed = why
            self._invalidate()
        self._wake_blocked()

    def _invalidate(self) -> None:
        """Have every append that is under way begin again, and find the journal closed."""
        self._limit = 0
        while True:
            state = self._state
            same = (state[0], state[1], state[2])
            # fmt: off
            if self._state is state: self._state = same; return  # noqa: E701, E702
            # fmt: on

    def _wake_blocked(self) -> None:
        for room in tuple(self._blocked):
            room.set()

    def pending_replies(self) -> list[Any]:
        """Return the replies that nobody will answer, and forget them."""
        replies, self._replies = self._replies, {}
        return [reply for reply, _ in replies.values()]

    def in_place(self) -> bool:
        """Tell whether who recovers would find it, were this process to die now."""
        return self._owner.in_place()

    def leave(self, why: str) -> None:
        """Refuse everything, and close what belongs to the parent: in a forked child."""
        self._lock = threading.RLock()
        self._closed = why
        self._invalidate()
        self._chain.leave()
        self._owner.let_go()

    # -- the one thread that takes --------------------------------------------

    @property
    def untaken(self) -> int:
        """How many events there are to take."""
        return self._state[2] - self.taken_seq

    def take(
        self, count: int, give_way: GiveWay | None = None
    ) -> tuple[list[bytes], dict[int, Any]]:
        """Return the next bodies, at most so many, in order, and the replies by place.

        They are fewer when they have more than `TAKEN_BYTES_MAX`.

        Args:
            give_way: called between steps, see `minutebook.actors.ledger.steps`.
        """
        first = self.taken_seq
        until = min(first + count, self._state[2])
        bodies: list[bytes] = []
        size, seq = 0, first
        while seq < until and size < TAKEN_BYTES_MAX:
            following = min(seq + _TAKEN_AT_ONCE, until)
            bodies += in_steps(self._body, range(seq, following), give_way)
            size += sum(map(len, bodies[seq - first :]))
            seq = following
        self.taken_seq = seq
        count = seq - first
        if not self._replies:
            return bodies, {}
        return bodies, {
            place: self._replies.pop(first + place)[0]
            for place in range(count)
            if first + place in self._replies
        }

    def _body(self, seq: int) -> bytes:
        return with_producer(finish(self._cursor.read()), self.producer, seq)

    def release(self) -> None:
        """Forget what was taken: it is committed. Its segments are used again."""
        # Off a segment that may be freed now.
        self._cursor.advance()
        self._release(self._cursor.segment)

    def release_to(self, seq: int) -> list[tuple[int, Any, bytes]]:
        """Forget what another process took and committed: all before a number.

        Returns:
            Number, reply and head of each event of them for which somebody waits.
        """
        asked = [
            (asked_seq, *self._replies.pop(asked_seq))
            for asked_seq in (range(self.taken_seq, seq) if self._replies else ())
            if asked_seq in self._replies
        ]
        self.taken_seq = seq
        self._release(None)
        return asked

    def _release(self, until: Segment | None) -> None:
        self.committed_seq = self.taken_seq
        self._full_at = self.committed_seq + self._hurry_from
        self._chain.shorten(self.committed_seq, until)
        # Not waited for: a signal handler may hold it while it waits for this very release.
        if self._late and self._lock.acquire(blocking=False):
            try:
                self._write_late()
            finally:
                self._lock.release()
        self._wake_blocked()

    def prepare(self) -> None:
        """Have room before it is needed, so that no caller has to wait for it.

        Nothing is done for a program that tells little: it keeps the little memory it has.
        """
        self._chain.prepare(self._state[1])

    def end(self, *, keep: bool) -> None:
        """Let go of the journal.

        Args:
            keep: leave the files, for they hold what is not committed; else delete them.
        """
        try:
            self._chain.remove_spares()
            if not keep:
                for segment in self._chain:
                    segment.remove()
                # Last: what has no owner file, nobody finds.
                self._owner.remove()
        finally:
            self._owner.let_go()


def _locked(lock: threading.RLock, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with lock:
            return method(*arguments)

    return call


def _nobody() -> None:
    """Nobody takes."""


def _too_large(size: int, size_max: int) -> JournalError:
    return JournalError(
        f"an event of {size:,} bytes is over the {size_max:,} that a segment of the journal has"
        " room for; store the bulk elsewhere, or raise event_bytes_max."
    )


def _failed(directory: Path, error: OSError) -> JournalError:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return JournalError(
            f"journal {directory}: a file is where the journal's directory is to be; move it away."
        )
    return JournalError(
        f"journal {directory}: {error.strerror or error}; make room on the disk, or make the"
        " directory writable."
    )
