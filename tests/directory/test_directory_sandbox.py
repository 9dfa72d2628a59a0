"""A copied directory and its shadow: exact, compared by git's own code, removed to the end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from minutebook.actors.directory.sandbox import (
    commit_directory_sandbox,
    is_directory_made,
    make_directory_sandbox,
    remove_directory_sandbox,
    touched_directory_files,
)
from minutebook.actors.git.changes import read_changeset
from minutebook.domain.errors import DirectoryProjectError, ProjectMissing


@pytest.fixture
def project(tmp_path: Path) -> Path:
    place = tmp_path / "plain"
    (place / "sub" / "empty").mkdir(parents=True)
    (place / ".gitignore").write_text("*.log\nsub/\n")
    (place / ".gitattributes").write_text("* text=auto eol=crlf\n*.txt filter=missing ident\n")
    (place / "crlf.txt").write_bytes(b"one\r\ntwo\r\n$Id$\n")
    (place / "noise.log").write_bytes(b"\x00\x01binary")
    (place / "sub" / "tool").write_text("#!/bin/sh\n")
    (place / "sub" / "tool").chmod(0o750)
    (place / "link").symlink_to("sub/tool")
    Path(os.fsdecode(os.fsencode(place) + b"/caf\xe9")).write_text("not UTF-8\n")
    return place


def test_copy_is_exact_and_changes_are_counted_by_git(project: Path, tmp_path: Path) -> None:
    made = make_directory_sandbox(project, tmp_path / "box", "p1")
    assert is_directory_made(made.path, "p1")
    assert not is_directory_made(made.path, "p2")
    assert (made.path / "sub" / "empty").is_dir()
    assert (made.path / "sub" / "tool").stat().st_mode & 0o777 == 0o750
    assert str((made.path / "link").readlink()) == "sub/tool"
    assert not (made.path / ".git").exists()
    assert touched_directory_files(made.path, made.base) == 0
    assert commit_directory_sandbox(made.path, "nothing") == made.base

    (made.path / "crlf.txt").write_bytes(b"one\r\nTWO\r\n$Id$\n")
    (made.path / "noise.log").write_bytes(b"\x00\x02binary")
    (made.path / "sub" / "tool").rename(made.path / "sub" / "renamed")
    (made.path / "new.log").write_text("ignored by git, not by us\n")
    assert touched_directory_files(made.path, made.base) == 5
    commit = commit_directory_sandbox(made.path, "work")
    files = {file.path: file for file in read_changeset(made.shadow, made.base, commit).files}
    assert {name: file.status for name, file in files.items()} == {
        "crlf.txt": "modified",
        "noise.log": "modified",
        "sub/renamed": "renamed",
        "new.log": "created",
    }
    assert (files["crlf.txt"].lines_added, files["crlf.txt"].bytes_after) == (1, 15)
    assert files["noise.log"].binary

    freed = remove_directory_sandbox(made.path)
    assert freed.directory_removed
    assert freed.files_freed == 8
    assert list(tmp_path.iterdir()) == [project]
    assert not remove_directory_sandbox(made.path).directory_removed


def test_what_cannot_be_copied_is_refused_and_nothing_is_left(project: Path) -> None:
    box = project.parent / "box"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(project / "s"))
        with pytest.raises(DirectoryProjectError, match="pipe, socket or device"):
            make_directory_sandbox(project, box, "p1")
    (project / "s").unlink()
    (project / "sub" / ".git").mkdir()
    with pytest.raises(DirectoryProjectError, match="git repository"):
        make_directory_sandbox(project, box, "p1")
    (project / "sub" / ".git").rmdir()
    with pytest.raises(DirectoryProjectError, match="inside the project"):
        make_directory_sandbox(project, project / "box", "p1")
    with pytest.raises(ProjectMissing):
        make_directory_sandbox(project / "gone", box, "p1")
    assert list(project.parent.iterdir()) == [project]

    box.mkdir()
    with pytest.raises(DirectoryProjectError, match="in use"):
        make_directory_sandbox(project, box, "p1")
    with pytest.raises(DirectoryProjectError, match="left alone"):
        remove_directory_sandbox(box)
    box.rmdir()

    made = make_directory_sandbox(project, box, "p1")
    (made.path / "sub" / ".git").mkdir()
    with pytest.raises(DirectoryProjectError, match="git repository"):
        commit_directory_sandbox(made.path, "work")
