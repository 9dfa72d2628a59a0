"""A changeset keeps git's numbers and every byte of a file name, and cannot be altered."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from minutebook.domain.changeset import Changeset, FileChange


def change(path: str, status: str, added: int | None, removed: int | None) -> FileChange:
    return FileChange.model_validate(
        {"path": path, "status": status, "lines_added": added, "lines_removed": removed}
    )


def test_totals_count_binary_files_as_no_lines() -> None:
    """The sums leave binary files out, the counts by status do not."""
    changeset = Changeset(
        commit_before="a" * 40,
        commit_after="b" * 40,
        files=(
            change("new", "created", 3, 0),
            change("picture", "modified", None, None),
            change("text", "modified", 4, 5),
            change("gone", "deleted", 0, 7),
            change("moved", "renamed", 1, 1),
        ),
    )
    assert (changeset.files_changed, changeset.lines_added, changeset.lines_removed) == (5, 8, 13)
    assert (changeset.files_created, changeset.files_modified) == (1, 2)
    assert (changeset.files_deleted, changeset.files_renamed) == (1, 1)
    assert [file.binary for file in changeset.files] == [False, True, False, False, False]


def test_a_name_that_is_not_utf8_survives() -> None:
    """Lone surrogates pass validation and come out of a dump as they went in."""
    name = b"caf\xe9/\xff".decode("utf-8", "surrogateescape")
    file = change(name, "created", 1, 0)
    dumped = Changeset(commit_before="a", commit_after="b", files=(file,)).model_dump()
    assert dumped["files"][0]["path"].encode("utf-8", "surrogateescape") == b"caf\xe9/\xff"
    assert Changeset.model_validate(dumped).files == (file,)


def test_it_is_read_back_from_json() -> None:
    """A changeset with ordinary names survives JSON."""
    changeset = Changeset(
        commit_before="a", commit_after="b", files=(change("é", "created", 1, 0),)
    )
    assert Changeset.model_validate_json(changeset.model_dump_json()) == changeset


@pytest.mark.parametrize(
    "wrong",
    [{"status": "copied"}, {"lines_added": -1}, {"path": 1}, {"unknown": 1}, {"bytes_after": -1}],
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    """An unknown status, a negative number, a name that is no text: none builds."""
    values = {"path": "a", "status": "created", "lines_added": 1, "lines_removed": 0}
    with pytest.raises(ValidationError):
        FileChange.model_validate(values | wrong)


def test_it_is_frozen() -> None:
    """No field can be assigned."""
    file = change("a", "created", 1, 0)
    for name in FileChange.model_fields:
        with pytest.raises(ValidationError):
            setattr(file, name, None)


def test_importing_builds_no_schema() -> None:
    """The schema is built with the first value, not at import."""
    code = (
        "from minutebook.domain.changeset import Changeset\n"
        "assert not Changeset.__pydantic_complete__\n"
        "Changeset(commit_before='a', commit_after='b')\n"
        "assert Changeset.__pydantic_complete__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
