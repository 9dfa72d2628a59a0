"""The key of the fingerprints: one for all processes, and for nobody else's eyes."""

import os
import stat
from pathlib import Path

import pytest

from minutebook.actors.key_file import load_or_create_key
from minutebook.domain.errors import SettingsError
from tests.contract.trail import WAIT_S, start_child


def test_processes_that_make_it_at_once_end_up_with_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.db.app.key"
    children = [start_child("tests.processes.making_key", path) for _ in range(6)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    keys = set()
    for child in children:
        out, err = child.communicate(timeout=WAIT_S)
        assert (child.returncode, err) == (0, "")
        keys.add(out)
    assert keys == {path.read_bytes().hex() + "\n"}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_may_read_it(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "key"
    before = os.umask(umask)
    try:
        key = load_or_create_key(path)
    finally:
        os.umask(before)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path) == key


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_file_of_another_size_is_refused_and_kept(tmp_path: Path, size: int) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"k" * size)
    with pytest.raises(SettingsError, match=r"32 bytes; restore it"):
        load_or_create_key(path)
    assert path.read_bytes() == b"k" * size


def test_a_key_that_cannot_be_made_or_read_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make it readable"):
        load_or_create_key(tmp_path / "missing" / "key")
    with pytest.raises(SettingsError, match="make it readable"):
        load_or_create_key(tmp_path)


def test_two_files_have_two_keys(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path / "one") != load_or_create_key(tmp_path / "two")
