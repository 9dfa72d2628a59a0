"""The keys of personal fields, one a person: a file beside the ledger, of mode 0600.

Not a database: in one, copies of a key could stay in its log or free pages. Here a key is in 32
bytes of one file, and is destroyed by overwriting them. What cannot be destroyed from here are
copies: keep the file out of backups that are kept for long, or forget nobody in them. On a file
system that never writes in place, and on flash, the old bytes stay until the device reuses them.

A header of 64 bytes, then a slot of 64 bytes for each key: fingerprint of the subject (16), id of
the key (8), the key (32), its state (1), zeros (7). Not encrypted itself: who may read the file
may read the fields.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from minutebook.actors.ledger.held import hold, let_go
from minutebook.actors.ledger.sealed_box import KEY_BYTES, KEY_ID_BYTES, key_id_of, seal, unseal
from minutebook.domain.errors import SubjectKeysError
from minutebook.domain.personal import Opener

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

KEYS_SUFFIX: Final = ".subject.keys"
"""Behind the ledger's name."""

FINGERPRINT_BYTES: Final = 16
"""How much of a subject's fingerprint a slot has."""

_MAGIC: Final = b"minutebook subject keys v1\n"
_SLOT: Final = 64
_CHANGES_AT: Final = 48
_CHANGES_BYTES: Final = 8
_KEY_AT: Final = FINGERPRINT_BYTES + KEY_ID_BYTES
_STATE_AT: Final = _KEY_AT + KEY_BYTES
_LIVE, _DESTROYED, _TOLD = 1, 2, 3
_CACHED_MAX: Final = 10_000
_LOCK_S_MAX: Final = 5.0


class _Slot(NamedTuple):
    offset: int
    fingerprint: bytes
    key_id: bytes
    key: bytes
    state: int


class SubjectKeys:
    """Seals personal fields; any thread and process may use the file.

    Args:
        path: the file; made with the first key.
        fingerprint: of a subject, keyed; at least 16 bytes.
    """

    def __init__(self, path: Path, fingerprint: Callable[[str], bytes]) -> None:
        self.path = path
        self._fingerprint = fingerprint
        self._cached: dict[str, tuple[bytes, bytes]] = {}
        self._changes = b""

    def seal(self, subject: str, place: bytes, data: bytes) -> str:
        """See `minutebook.domain.personal.Sealer.seal`; a new subject gets a key.

        Raises:
            SubjectKeysError: the file cannot be used.
        """
        with _explained(self.path):
            changes = self._read_changes()
            if changes != self._changes:
                # Somebody was forgotten: no key that was destroyed is used again.
                self._cached, self._changes = {}, changes
            found = self._cached.get(subject)
            if found is None:
                found = self._key_of(subject)
                if len(self._cached) >= _CACHED_MAX:
                    self._cached = {}
                self._cached[subject] = found
        return seal(*found, place, data)

    def destroy(self, subject: str) -> list[int] | None:
        """Destroy a subject's keys; return their places, for `note_told`.

        Those that were destroyed before and not told are among them. ``None`` when the subject
        never had a key.

        Raises:
            SubjectKeysError: the file cannot be used.
        """
        with _explained(self.path), self._alone(make=False) as descriptor:
            if descriptor is None:
                return None
            mine = [slot for slot in _slots(self.path) if self._is_of(slot, subject)]
            places = [slot.offset for slot in mine if slot.state != _TOLD]
            # Before the keys go, nobody uses them any more, also after a crash in between.
            for offset in places:
                os.pwrite(descriptor, bytes([_DESTROYED]), offset + _STATE_AT)
            changes = int.from_bytes(self._read_changes(), "big") + 1
            os.pwrite(descriptor, changes.to_bytes(_CHANGES_BYTES, "big"), _CHANGES_AT)
            os.fsync(descriptor)
            # Random first: a file of zeros may be kept as a hole beside the old bytes.
            for filling in (secrets.token_bytes(KEY_BYTES), bytes(KEY_BYTES)):
                for offset in places:
                    os.pwrite(descriptor, filling, offset + _KEY_AT)
                os.fsync(descriptor)
            self._cached = {}
            return places if mine else None

    def note_told(self, places: list[int]) -> None:
        """Note that the ledger tells of keys that were destroyed; raises `SubjectKeysError`."""
        with _explained(self.path), self._alone(make=False) as descriptor:
            if descriptor is not None:
                for offset in places:
                    os.pwrite(descriptor, bytes([_TOLD]), offset + _STATE_AT)
                os.fsync(descriptor)

    def _key_of(self, subject: str) -> tuple[bytes, bytes]:
        with self._alone(make=True) as descriptor:
            assert descriptor is not None
            for slot in _slots(self.path):
                if slot.state == _LIVE and self._is_of(slot, subject):
                    return slot.key_id, slot.key
            key_id, key = secrets.token_bytes(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES)
            fingerprint = self._fingerprint(subject)[:FINGERPRINT_BYTES]
            slot_bytes = (fingerprint + key_id + key + bytes([_LIVE])).ljust(_SLOT, b"\0")
            # A slot that was cut off by a crash belonged to no event.
            end = os.fstat(descriptor).st_size // _SLOT * _SLOT
            os.pwrite(descriptor, slot_bytes, end)
            os.fsync(descriptor)
            return key_id, key

    def _is_of(self, slot: _Slot, subject: str) -> bool:
        wanted = self._fingerprint(subject)[:FINGERPRINT_BYTES]
        return hmac.compare_digest(slot.fingerprint, wanted)

    def _read_changes(self) -> bytes:
        try:
            with self.path.open("rb", buffering=0) as file:
                return os.pread(file.fileno(), _CHANGES_BYTES, _CHANGES_AT)
        except FileNotFoundError:
            return b""

    @contextlib.contextmanager
    def _alone(self, *, make: bool) -> Iterator[int | None]:
        """Have the file open for writing, with everybody else kept out."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0)
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            yield None
            return
        hold(descriptor)
        try:
            _lock(descriptor, self.path)
            if _is_new(descriptor):
                os.pwrite(descriptor, _MAGIC.ljust(_SLOT, b"\0"), 0)
                os.fsync(descriptor)
                _sync_directory(self.path.parent)
            yield descriptor
        finally:
            let_go(descriptor)


def changed_at(path: Path) -> tuple[int, ...]:
    """Return what is another one when the keys in a file have changed; raises no error."""
    try:
        file = path.stat()
        with path.open("rb", buffering=0) as keys:
            head = os.pread(keys.fileno(), _CHANGES_BYTES, _CHANGES_AT)
    except OSError:
        return ()
    return file.st_dev, file.st_ino, file.st_size, int.from_bytes(head, "big")


def open_with(path: Path) -> Opener:
    """Return what decrypts with the keys of a file, as they are now; a missing one has none.

    Raises:
        SubjectKeysError: the file cannot be read.
    """
    with _explained(path):
        slots = {slot.key_id: slot for slot in _slots(path)}

    def opened(sealed: str, place: bytes) -> bytes | Literal["[erased]", "[sealed]"]:
        slot = slots.get(key_id_of(sealed) or b"")
        if slot is None:
            return "[sealed]"
        if slot.state != _LIVE:
            return "[erased]"
        return unseal(slot.key, place, sealed) or "[sealed]"

    return opened


def _slots(path: Path) -> list[_Slot]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    if not data.startswith(_MAGIC):
        msg = f"{path} holds no keys of personal fields; restore it from a backup."
        raise SubjectKeysError(msg)
    return [
        _Slot(
            offset,
            data[offset : offset + FINGERPRINT_BYTES],
            data[offset + FINGERPRINT_BYTES : offset + _KEY_AT],
            data[offset + _KEY_AT : offset + _STATE_AT],
            data[offset + _STATE_AT],
        )
        for offset in range(_SLOT, len(data) - _SLOT + 1, _SLOT)
    ]


def _lock(descriptor: int, path: Path) -> None:
    # Not for ever: a signal handler may have come in the middle of its own thread's turn.
    deadline = time.monotonic() + _LOCK_S_MAX
    while fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                msg = f"{path} is in use by somebody else for too long; try again later."
                raise SubjectKeysError(msg) from None
            time.sleep(0.001)
        else:
            return


def _is_new(descriptor: int) -> bool:
    """Tell whether a file has no header yet, or one that a crash cut off."""
    head = os.pread(descriptor, _SLOT, 0)
    return len(head) < _SLOT and _MAGIC.ljust(_SLOT, b"\0").startswith(head)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{path}: {error.strerror or error}; make it a file that can be read and written."
        raise SubjectKeysError(msg) from error


class MemoryKeys:
    """Keys that nobody keeps: for a trail in memory."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[bytes, bytes]] = {}

    def seal(self, subject: str, place: bytes, data: bytes) -> str:
        """See `minutebook.domain.personal.Sealer.seal`."""
        if subject not in self._keys:
            drawn = secrets.token_bytes(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES)
            self._keys.setdefault(subject, drawn)
        return seal(*self._keys[subject], place, data)
