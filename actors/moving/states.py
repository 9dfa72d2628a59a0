"""What is at a path: a file, a symbolic link, nothing, or something else."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Literal

Kind = Literal["file", "link", "missing", "directory", "other"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileState:
    """What is, was or is to be at a path."""

    kind: Kind

    sha256: str | None = None
    """Of a file's content, or of a symbolic link's target, in hexadecimal."""

    size: int | None = None
    """In bytes, of the same."""

    mode: int = 0
    """A file's permission bits."""

    def equals(self, other: FileState) -> bool:
        """Whether both are the same to git: kind, content, and whether it can be executed."""
        executable = bool(self.mode & stat.S_IXUSR) == bool(other.mode & stat.S_IXUSR)
        return (self.kind, self.sha256) == (other.kind, other.sha256) and executable


MISSING = FileState("missing")


def state_of(path: str) -> FileState:
    """Look at a path, links not followed.

    Raises:
        OSError: it is there, and cannot be read.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    if stat.S_ISLNK(status.st_mode):
        return _state_of_link(os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return FileState("directory")
    if not stat.S_ISREG(status.st_mode):
        return FileState("other")
    with open(path, "rb") as file:
        return _digest(file.fileno(), None, stat.S_IMODE(status.st_mode))


def copy_state(source: str, destination: str, mode: int | None = None) -> FileState:
    """Copy a file or link to a path that is free, onto the disk, and say what was copied.

    Args:
        mode: permission bits of the copy of a file; the source's when not given.

    Raises:
        OSError: it cannot be copied, or is neither.
    """
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(source)
        os.symlink(target, destination)
        return _state_of_link(target)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is neither a file nor a symbolic link", source)
    bits = stat.S_IMODE(status.st_mode) if mode is None else mode
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(source, "rb") as file, open(os.open(destination, flags, 0o600), "wb") as copy:
        state = _digest(file.fileno(), copy.fileno(), bits)
        os.fchmod(copy.fileno(), bits)
        os.fsync(copy.fileno())
    return state


def sync_directory(path: str) -> None:
    """Bring the names in a directory onto the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _state_of_link(target: str) -> FileState:
    raw = os.fsencode(target)
    return FileState("link", hashlib.sha256(raw).hexdigest(), len(raw))


def _digest(source: int, copy: int | None, mode: int) -> FileState:
    digest, size = hashlib.sha256(), 0
    while chunk := os.read(source, _CHUNK):
        digest.update(chunk)
        size += len(chunk)
        rest = memoryview(chunk)
        while copy is not None and rest:
            rest = rest[os.write(copy, rest) :]
    return FileState("file", digest.hexdigest(), size, mode)
