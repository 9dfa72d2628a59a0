"""The shadow of a copied directory: a git repository beside it that nobody else sees.

With it, git compares, counts and merges plain directories as it does repositories. Its work
tree is the copy; each git command is run in the shadow itself. What would make git see other
bytes than those in the files (ignore rules, line endings, filters) is off in it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from minutebook.actors.git.command import MINUTEBOOK, Author, run_git

SHADOW_SUFFIX: Final = ".shadow"
"""Behind the sandbox's path: its shadow repository."""

_CONFIGURATION: Final = """
[core]
\tbare = false
\tautocrlf = false
\tsafecrlf = false
\teol = lf
\tfileMode = true
\tsymlinks = true
\tignoreCase = false
\tprecomposeUnicode = false
\tprotectNTFS = false
\tprotectHFS = false
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tfsync = all
\tfsyncMethod = batch
\tlogAllRefUpdates = false
\tsparseCheckout = false
[diff]
\trenames = true
\tignoreSubmodules = none
[merge]
\tconflictStyle = merge
\trenames = true
[gc]
\tauto = 0
"""

_ATTRIBUTES: Final = (
    "* -text !eol -ident !filter !working-tree-encoding !diff !merge !conflict-marker-size\n"
)
# They come before any `.gitattributes` in the directory.


def shadow_of(sandbox_path: str | os.PathLike[str]) -> Path:
    """Where the shadow repository of a copied directory lies."""
    return Path(f"{os.path.abspath(sandbox_path)}{SHADOW_SUFFIX}")


def make_shadow(sandbox_path: str | os.PathLike[str], branch: str) -> Path:
    """Make the shadow of a directory, empty, with `branch` checked out; raises `GitError`."""
    shadow = shadow_of(sandbox_path)
    run_git(
        shadow.parent,
        *("init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(shadow)),
    )
    run_git(shadow, "config", "core.worktree", os.path.abspath(sandbox_path))
    with open(shadow / "config", "a", encoding="utf-8") as file:
        file.write(_CONFIGURATION)
    (shadow / "info").mkdir(exist_ok=True)
    (shadow / "info" / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
    return shadow


def snapshot(
    shadow: Path,
    directory: str | os.PathLike[str],
    *,
    parent: str | None,
    message: str,
    author: Author = MINUTEBOOK,
    pass_fds: Sequence[int] = (),
) -> str:
    """Commit a directory as it is, on no branch, and return the commit.

    The directory is only read. One that equals `parent` gives `parent` itself. Raises `GitError`.
    """
    index = shadow / "snapshot-index"
    index.unlink(missing_ok=True)
    aimed = (f"--work-tree={os.path.abspath(directory)}", f"--git-dir={shadow}")
    try:
        add = (*aimed, "add", "--all", "--force", "--", ".")
        run_git(directory, *add, index_file=index, pass_fds=pass_fds)
        tree = run_git(shadow, "write-tree", index_file=index).line
    finally:
        index.unlink(missing_ok=True)
    if parent is not None and tree == tree_of(shadow, parent):
        return parent
    parents = () if parent is None else ("-p", parent)
    text = (message.strip() or "A directory") + "\n"
    commit = ("commit-tree", tree, *parents, "-F", "-")
    return run_git(shadow, *commit, input=text.encode("utf-8", "replace"), author=author).line


def branch_in(shadow: Path) -> str:
    """The branch that holds the plan's work; raises `GitError`."""
    return run_git(shadow, "symbolic-ref", "--short", "HEAD").line


def tree_of(path: str | os.PathLike[str], commit: str) -> str:
    """The id of a commit's tree; raises `GitError`."""
    return run_git(path, "rev-parse", "--verify", f"{commit}^{{tree}}").line
