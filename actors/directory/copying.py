"""A copy of a directory: every file, link and directory, and a refusal of what is neither."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from minutebook.domain.errors import DirectoryProjectError


def check_copyable(path: str | os.PathLike[str]) -> None:
    """Refuse a directory with something that a copy cannot hold.

    Raises:
        DirectoryProjectError: naming a repository inside, a pipe, a socket, a device, or a
            directory that cannot be read.
    """
    for entry in _entries(os.fspath(path)):
        if entry.name == ".git":
            msg = (
                f"{entry.path!r} makes its directory a git repository, and the plan's project is"
                " the plain directory around it; give the repository as a project of its own, or"
                " move it out."
            )
            raise DirectoryProjectError(msg)
        mode = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            msg = f"{entry.path!r} is a pipe, socket or device; move it out of the project."
            raise DirectoryProjectError(msg)


def copy_directory(source: str | os.PathLike[str], destination: str | os.PathLike[str]) -> None:
    """Copy a directory with modes and times; symbolic links are copied, not followed.

    Args:
        source: as `check_copyable` accepts it.
        destination: must not exist.

    Raises:
        DirectoryProjectError: something cannot be copied; what was is left there.
    """
    check_copyable(source)
    try:
        shutil.copytree(source, destination, symlinks=True)
    except (OSError, shutil.Error) as error:
        reasons = error.args[0] if isinstance(error, shutil.Error) else str(error)
        first = reasons[0][2] if isinstance(reasons, list) else reasons
        msg = (
            f"{os.fspath(source)!r} could not be copied to {os.fspath(destination)!r}: {first};"
            " make it readable, and room on the disk."
        )
        raise DirectoryProjectError(msg) from error


def remove_directory(path: str | os.PathLike[str]) -> bool:
    """Remove a directory with all that is in it; say whether it was there.

    Raises:
        DirectoryProjectError: something of it remains.
    """
    place = Path(path)
    if not os.path.lexists(place):
        return False
    try:
        _make_removable(place)
        shutil.rmtree(place)
    except OSError as error:
        msg = f"{str(place)!r} could not be removed: {error}; end what still uses it."
        raise DirectoryProjectError(msg) from error
    return True


def _entries(top: str) -> Iterator[os.DirEntry[str]]:
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError as error:
            msg = f"{directory!r} cannot be read: {error.strerror}; make it readable."
            raise DirectoryProjectError(msg) from error


def _make_removable(place: Path) -> None:
    # A directory without write permission keeps its files from being removed.
    for directory, _, _ in os.walk(place):
        mode = os.lstat(directory).st_mode
        if stat.S_IMODE(mode) & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(directory, stat.S_IRWXU)
