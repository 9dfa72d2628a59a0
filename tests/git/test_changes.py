"""The changeset of two commits has exactly the numbers of the user's `git diff --numstat`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from minutebook.actors.git.changes import read_changeset
from minutebook.domain.changeset import Changeset
from minutebook.domain.errors import GitError

LINES = "".join(f"line {i}\n" for i in range(40))


def as_numstat(changeset: Changeset) -> bytes:
    """The changeset in the form of `git diff --numstat -z`."""
    records = []
    for file in changeset.files:
        added, removed = (
            "-" if n is None else str(n) for n in (file.lines_added, file.lines_removed)
        )
        name = file.path if file.old_path is None else f"\0{file.old_path}\0{file.path}"
        records.append(f"{added}\t{removed}\t{name}\0".encode("utf-8", "surrogateescape"))
    return b"".join(records)


def changeset_of(repository: Any, before: str, after: str) -> Changeset:
    changeset = read_changeset(repository.path, before, after)
    assert as_numstat(changeset) == repository.numstat(before, after)
    return changeset


def test_every_kind_of_change(repository: Any) -> None:
    """Created, modified, deleted, renamed, binary, mode, link and type change in one go."""
    before = repository.commit(
        {
            "gone.txt": "nothing like it\n" * 3,
            "old name.txt": LINES,
            "picture.png": b"\0\1\2" * 50,
            "run.sh": "#!/bin/sh\n",
            "becomes-link": "text\n",
        }
    )
    (repository.path / "gone.txt").unlink()
    (repository.path / "old name.txt").rename(repository.path / "new name.txt")
    (repository.path / "run.sh").chmod(0o755)
    (repository.path / "becomes-link").unlink()
    (repository.path / "becomes-link").symlink_to("README.md")
    (repository.path / "link").symlink_to("nowhere")
    after = repository.commit(
        {"new name.txt": LINES + "more\n", "picture.png": b"\0\3" * 9, "empty": ""}
    )
    changeset = changeset_of(repository, before, after)
    files = {file.path: file for file in changeset.files}
    assert {path: file.status for path, file in files.items()} == {
        "gone.txt": "deleted",
        "new name.txt": "renamed",
        "picture.png": "modified",
        "run.sh": "modified",
        "becomes-link": "modified",
        "link": "created",
        "empty": "created",
    }
    renamed, picture = files["new name.txt"], files["picture.png"]
    assert (renamed.old_path, renamed.lines_added, renamed.lines_removed) == ("old name.txt", 1, 0)
    assert (renamed.bytes_before, renamed.bytes_after) == (len(LINES), len(LINES) + 5)
    assert (picture.binary, picture.bytes_before, picture.bytes_after) == (True, 150, 18)
    assert [path for path, file in files.items() if file.mode_changed] == ["becomes-link", "run.sh"]
    assert (files["gone.txt"].bytes_after, files["gone.txt"].digest_after) == (None, None)
    assert (files["link"].bytes_before, files["link"].digest_before) == (None, None)
    assert files["link"].bytes_after == len("nowhere")
    assert files["empty"].bytes_after == 0
    blob = repository.git("rev-parse", f"{after}:new name.txt").decode().strip()
    assert renamed.digest_after == f"git-sha1:{blob}"
    assert (changeset.commit_before, changeset.commit_after) == (before, after)


@pytest.mark.parametrize(
    "name",
    [
        b"two words",
        b"new\nline",
        b'quo"te',
        b"tab\there",
        b"caf\xe9",
        b"\xff\xfe",
        "größe".encode(),
        b":100644 looks like raw",
        b"1\t2\tlooks like numstat",
        b"-leading dash",
        b"back\\slash",
    ],
)
def test_every_name_survives(repository: Any, name: bytes) -> None:
    """Created, then renamed: the name comes out with every byte."""
    before = repository.head
    created = repository.commit({name: LINES})
    (file,) = changeset_of(repository, before, created).files
    assert file.path.encode("utf-8", "surrogateescape") == name
    (repository.path / os.fsdecode(name)).rename(repository.path / "x")
    (moved,) = changeset_of(repository, created, repository.commit()).files
    assert moved.old_path is not None
    assert (moved.status, moved.path) == ("renamed", "x")
    assert moved.old_path.encode("utf-8", "surrogateescape") == name


@pytest.mark.parametrize(
    ("setting", "statuses"),
    [
        (("diff.renames", "true"), {"renamed"}),
        (("diff.renames", "false"), {"created", "deleted"}),
        (("diff.algorithm", "patience"), {"renamed"}),
        (("color.ui", "always"), {"renamed"}),
        (("diff.noprefix", "true"), {"renamed"}),
    ],
)
def test_the_users_settings_count(
    repository: Any, setting: tuple[str, str], statuses: set[str]
) -> None:
    """Rename detection is the user's, so the numbers are the user's too."""
    before = repository.commit({"a": LINES})
    (repository.path / "a").rename(repository.path / "b")
    after = repository.commit()
    repository.git("config", *setting)
    assert {file.status for file in changeset_of(repository, before, after).files} == statuses


def test_settings_of_the_home_count(repository: Any, fresh_machine: Path) -> None:
    """The global configuration is read as the user's own git reads it."""
    before = repository.commit({"a": LINES})
    (repository.path / "a").rename(repository.path / "b")
    after = repository.commit()
    (fresh_machine / ".gitconfig").write_text("[diff]\n\trenames = false\n")
    assert len(changeset_of(repository, before, after).files) == 2


def test_a_copy_is_a_created_file_with_its_source(repository: Any) -> None:
    """With copy detection on, the counts are relative to the source."""
    repository.git("config", "diff.renames", "copies")
    before = repository.commit({"a": LINES})
    after = repository.commit({"a": LINES + "changed\n", "b": LINES})
    copy = {file.path: file for file in changeset_of(repository, before, after).files}["b"]
    assert (copy.status, copy.old_path, copy.lines_added) == ("created", "a", 0)
    assert (copy.bytes_before, copy.digest_before) == (None, None)


def test_attributes_decide_what_is_binary(repository: Any) -> None:
    """A file marked as binary by .gitattributes has no lines."""
    before = repository.commit({"data.txt": "1\n", ".gitattributes": "data.txt -diff\n"})
    after = repository.commit({"data.txt": "2\n"})
    assert changeset_of(repository, before, after).files[0].binary


def test_a_submodule_counts_as_git_counts_it(repository: Any, make_repository: Any) -> None:
    """Its digest is its commit, and it has no size."""
    inner = make_repository("inner")
    first = inner.commit({"a": "1\n"})
    before = repository.head
    repository.git(
        *("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.path), "sub")
    )
    added = repository.commit()
    files = {file.path: file for file in changeset_of(repository, before, added).files}
    assert files["sub"].digest_after == f"git-sha1:{first}"
    assert (files["sub"].bytes_after, files["sub"].lines_added) == (None, 1)
    second = inner.commit({"a": "2\n"})
    repository.git("-C", "sub", "-c", "protocol.file.allow=always", "pull", "-q")
    (moved,) = changeset_of(repository, added, repository.commit()).files
    assert (moved.digest_before, moved.digest_after) == (f"git-sha1:{first}", f"git-sha1:{second}")
    assert (moved.lines_added, moved.lines_removed) == (1, 1)


def test_a_sha256_repository_says_so(make_repository: Any) -> None:
    """Digests name the repository's object format."""
    repository = make_repository("new", "--object-format=sha256")
    before, after = repository.commit({"a": "1\n"}), repository.commit({"b": "2\n"})
    (file,) = changeset_of(repository, before, after).files
    assert file.digest_after is not None
    assert file.digest_after.startswith("git-sha256:")
    assert len(file.digest_after) == len("git-sha256:") + 64


def test_equal_commits_differ_in_nothing(repository: Any) -> None:
    """The changeset is empty, not an error."""
    changeset = changeset_of(repository, repository.head, repository.head)
    assert (changeset.files_changed, changeset.lines_added) == (0, 0)


def test_an_unknown_commit_is_an_error(repository: Any) -> None:
    """A commit that is not there is git's error, not an empty changeset."""
    with pytest.raises(GitError):
        read_changeset(repository.path, repository.head, "0" * 40)
