"""FileLock: one holder at a time, also when that is a child of one that has let go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from minutebook.actors.file_lock import FileLock
from minutebook.domain.errors import FileLockError

WAIT_S = 60.0


def test_only_one_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with FileLock(path):
        with pytest.raises(FileLockError, match=r"held by another process .* try again\.$"):
            FileLock(path, wait_s=0.05).__enter__()
    with FileLock(path, wait_s=0):
        pass


def test_a_child_holds_on_to_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "from minutebook.actors.file_lock import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])).__enter__()\n"
        "child = subprocess.Popen(['cat'], pass_fds=[lock.descriptor])\n"
        "print(flush=True)\n"
        "child.wait()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"\n"
    holder.kill()
    holder.wait(timeout=WAIT_S)
    with pytest.raises(FileLockError):
        FileLock(path, wait_s=0).__enter__()
    holder.stdin.close()  # ends the child
    with FileLock(path, wait_s=WAIT_S):
        pass
    holder.stdout.close()


def test_who_waits_does_not_get_a_deleted_file(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with FileLock(path) as lock:
        lock.remove()
        with FileLock(path, wait_s=0):
            assert path.exists()


def test_a_missing_directory_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileLockError, match="make its directory writable"):
        FileLock(tmp_path / "no" / "a.lock").__enter__()
