"""The journal: what was told, in this process's page cache until it is in the ledger.

A record is copied into a mapped file. The kernel keeps the file's pages whatever becomes of
the process, so a told event survives ``kill -9``, and the copy takes a tenth of the time of a
``write``, which would also give the interpreter's lock away on every call.

One journal belongs to one producer, and is held by an exclusive ``flock`` on its owner file
for as long as the process lives; see `minutebook.actors.ledger.recovery` for what is left by
one that died.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final, Literal

from minutebook.actors.ledger.owner import OWNER_SUFFIX, Owner
from minutebook.actors.ledger.segments import END, RECORD_HEADER, RECORDS_FROM, Segment, checksum
from minutebook.actors.ledger.spares import Spares
from minutebook.domain.errors import AuditBacklogFull, AuditClosed, JournalError

SEGMENT_BYTES: Final = 1024 * 1024
"""Size of a segment, unless events may be larger than a quarter of it."""

Overflow = Literal["block", "reject"]
"""What becomes of a caller when the backlog is full."""


class Journal:
    """A producer's events on their way to the ledger.

    Any thread may append; one thread takes, and says when what it took is committed.

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
        self.waiting = False
        """Set by who takes, before it sleeps: the next append is to wake it."""
        self._tail = b',"producer":"%b","producer_seq":' % producer.encode("ascii")
        self._size = max(SEGMENT_BYTES, 4 * event_bytes_max)
        self._limit = self._size - len(END)
        self._body_bytes_max = self._limit - RECORDS_FROM - RECORD_HEADER.size
        self._backlog_max = backlog_max
        self._segments_max = max(2, backlog_bytes_max // self._size)
        self._overflow = overflow
        self._block_timeout_s = block_timeout_s
        # Reentrant: a signal handler may tell an event while its thread is telling one.
        self._lock = threading.RLock()
        self._replies: dict[int, Any] = {}
        self._closed: str | None = None
        # One for each caller that waits for room: none can miss what another one cleared.
        self._blocked: list[threading.Event] = []
        self._spares = Spares(directory, producer, self._size)
        self._beginning = False
        self._late: deque[bytes] = deque()
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self._owner = Owner(directory / f"{producer}{OWNER_SUFFIX}")
            try:
                first = self._spares.begin(0, populate=True)
            except BaseException:
                self._owner.let_go()
                raise
        except OSError as error:
            raise _failed(directory, error) from error
        # The segments are a chain, from the oldest that is not committed to that of `_state`.
        self._oldest = first
        self._begun, self._freed = 1, 0
        # How far it is written: segment, end of its records, next number. Replaced as a whole,
        # so that any thread may read it, and a plain tuple, which costs a quarter of a named one.
        self._state: tuple[Segment, int, int] = (first, RECORDS_FROM, 0)
        self._current = first
        self._read_from = RECORDS_FROM
        self.taken_seq = 0
        """All before this number was taken."""
        self.committed_seq = 0
        """All before this number is in the ledger."""
        self._full_at = backlog_max

    # -- any thread -----------------------------------------------------------

    def append(self, head: bytes, reply: object = None) -> bool:
        """Record an event: when this returns, it survives the process.

        Args:
            head: its stored bytes up to the producer's fields.
            reply: what `take` is to hand out beside it.

        Returns:
            Whether the thread that takes has to be woken.

        Raises:
            AuditClosed: the journal is closed; nothing was taken.
            AuditBacklogFull: too much is not committed, for too long; nothing was taken.
            JournalError: the disk has no room for another segment, or the event is larger than
                one; nothing was taken.
        """
        with self._lock:
            fits = self._write(head, reply)
            if self._late:
                self._write_late()
        if not fits:
            self._wait_and_write(head, reply)
        if self.waiting:
            self.waiting = False
            return True
        return False

    def _write(self, head: bytes, reply: object) -> bool:
        """Write a record; ``False`` when there is no room for it.

        The lock keeps other threads out, but not a signal handler that tells an event of its
        own in the middle of this, in the same thread. CPython runs handlers after calls and
        at loops, not between plain stores: so all is computed first, and then, if nobody has
        been here meanwhile, stored in one go; else it is computed again.
        """
        while True:
            state = self._state
            segment, position, seq = state
            if self._closed is not None:
                raise AuditClosed(self._closed)
            if seq >= self._full_at:
                return False
            body = b"%b%b%d}" % (head, self._tail, seq)
            start = position + RECORD_HEADER.size
            end = start + len(body)
            if end > self._limit:
                if len(body) > self._body_bytes_max:
                    raise _too_large(len(body), self._body_bytes_max)
                if self._beginning:
                    self._put_off(head, reply)
                    return True
                if not self._begin_following(state):
                    return False
                continue
            header = RECORD_HEADER.pack(len(body), checksum(body, seq), seq)
            body += END
            behind = end + len(END)
            written = (segment, end, seq + 1)
            mapped, replies = segment.map, self._replies
            if self._state is state:
                if reply is not None:
                    replies[seq] = reply
                mapped[start:behind] = body
                mapped[position:start] = header
                self._state = written
                return True

    def _wait_and_write(self, head: bytes, reply: object) -> None:
        wait_s = self._block_timeout_s if self._overflow == "block" else 0.0
        deadline = time.monotonic() + wait_s
        room = threading.Event()
        self._blocked.append(room)
        try:
            while True:
                room.clear()
                with self._lock:
                    if self._write(head, reply):
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
        raise AuditBacklogFull(msg)

    def _begin_following(self, state: tuple[Segment, int, int]) -> bool:
        if self._begun - self._freed >= self._segments_max:
            return False
        segment, position, seq = state
        self._beginning = True
        try:
            following = self._spares.begin(seq)
        except OSError as error:
            raise _failed(self.directory, error) from error
        finally:
            self._beginning = False
        begun = (following, RECORDS_FROM, seq)
        if self._state is state:
            segment.end = position
            segment.following = following
            self._begun += 1
            self._state = begun
        else:
            # A signal handler's event was short enough for what was left of the segment.
            self._spares.put_back(following)
        return True

    def _write_late(self) -> None:
        while not self._beginning:
            try:
                head = self._late.popleft()
            except IndexError:
                return
            written = False
            try:
                written = self._write(head, None)
            except (AuditClosed, JournalError):
                # It concerns the late event, and not whoever happens to write it.
                return
            finally:
                if not written:
                    self._late.appendleft(head)
            if not written:
                return

    def _put_off(self, head: bytes, reply: object) -> None:
        """Take an event of a signal handler that came while its thread was making a segment.

        That thread writes it next. Making another segment here would take so long that the
        next signal could come within it, and so on.
        """
        if reply is not None:
            msg = (
                "a signal handler asks while its thread is making room in the journal, and would"
                " wait for itself; the event was not taken: tell it, or ask again later."
            )
            raise AuditBacklogFull(msg)
        self._late.append(head)

    @property
    def backlog(self) -> int:
        """How many events are told and not committed."""
        return self._state[2] - self.committed_seq + len(self._late)

    @property
    def next_seq(self) -> int:
        """How many events were told."""
        return self._state[2]

    def close(self, why: str) -> None:
        """Refuse further events."""
        with self._lock:
            self._write_late()
            if self._closed is None:
                self._closed = why
        self._wake_blocked()

    def _wake_blocked(self) -> None:
        for room in tuple(self._blocked):
            room.set()

    def pending_replies(self) -> list[Any]:
        """Return the replies that nobody will answer, and forget them."""
        replies, self._replies = self._replies, {}
        return list(replies.values())

    def in_place(self) -> bool:
        """Tell whether who recovers would find it, were this process to die now."""
        return self._owner.in_place()

    def leave(self, why: str) -> None:
        """Refuse everything and let go of the owner's lock: in a forked child."""
        self._lock = threading.RLock()
        self._closed = why
        self._owner.let_go()

    # -- the one thread that takes --------------------------------------------

    def has_untaken(self) -> bool:
        """Tell whether there is something to take."""
        return self._state[2] > self.taken_seq

    def take(self, count: int) -> tuple[list[bytes], dict[int, Any]]:
        """Return the next bodies, at most so many, in order, and the replies by place."""
        last, last_end, next_seq = self._state
        bodies: list[bytes] = []
        segment, first = self._current, self.taken_seq
        while len(bodies) < count and self.taken_seq < next_seq:
            end = last_end if segment is last else segment.end
            if self._read_from >= end:
                assert segment.following is not None
                segment = segment.following
                self._current, self._read_from = segment, RECORDS_FROM
                continue
            size, _, _ = RECORD_HEADER.unpack_from(segment.map, self._read_from)
            start = self._read_from + RECORD_HEADER.size
            bodies.append(segment.map[start : start + size])
            self._read_from = start + size
            self.taken_seq += 1
        if not self._replies:
            return bodies, {}
        places = range(len(bodies))
        waiting = {place: self._replies.pop(first + place, None) for place in places}
        return bodies, {place: reply for place, reply in waiting.items() if reply is not None}

    def release(self) -> None:
        """Forget what was taken: it is committed. Its segments are used again."""
        self.committed_seq = self.taken_seq
        self._full_at = self.committed_seq + self._backlog_max
        while self._oldest is not self._current:
            segment = self._oldest
            assert segment.following is not None
            self._oldest, segment.following = segment.following, None
            self._freed += 1
            self._spares.put_back(segment)
        # Not waited for: a signal handler may hold it while it waits for this very release.
        if self._late and self._lock.acquire(blocking=False):
            try:
                self._write_late()
            finally:
                self._lock.release()
        self._wake_blocked()

    def prepare(self) -> None:
        """Make segments before they are needed, so that no caller has to wait for one."""
        self._spares.prepare()

    def end(self, *, keep: bool) -> None:
        """Let go of the journal.

        Args:
            keep: leave the files, for they hold what is not committed; else delete them.
        """
        try:
            self._spares.remove()
            if not keep:
                segment: Segment | None = self._oldest
                while segment is not None:
                    segment.remove()
                    segment = segment.following
                # Last: what has no owner file, nobody finds.
                self._owner.remove()
        finally:
            self._owner.let_go()


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
