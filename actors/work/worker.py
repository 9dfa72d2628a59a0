"""The forked half of the child process: find the callable and call it."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minutebook.actors.work.context import Attempt, WorkContext
from minutebook.actors.work.spec import BOOTSTRAP_MARK

MAIN_NAME = "__minutebook_main__"
"""The host's script runs under this name, so that its `__main__` part does not."""


def run_callable(
    spec: dict[str, Any], report: Callable[[dict[str, Any]], None], is_cancelled: Callable[[], bool]
) -> None:
    """Call the spec's callable with a context; whatever it raises passes through."""
    work = _find(spec["work"])
    context = WorkContext(
        path=Path(spec["sandbox"]),
        paths={name: Path(held["path"]) for name, held in spec["sandboxes"].items()},
        plan_id=spec["plan_id"],
        identity=spec["identity"],
        binding=spec["binding"],
        attempt=Attempt(*spec["attempt"]),
        report=report,
        commit=lambda message: _commit(spec, message),
        is_cancelled=is_cancelled,
    )
    if is_cancelled():
        raise SystemExit("The work was stopped before it began.")
    work(context)


def _commit(spec: dict[str, Any], message: str) -> dict[str, str]:
    """Commit each sandbox, and return the commits by project name."""
    from minutebook.actors.directory.sandbox import commit_directory_sandbox
    from minutebook.actors.git.apply import commit_sandbox
    from minutebook.actors.git.command import Author

    author = Author.parse(spec["identity"])
    commits = {}
    for name, held in spec["sandboxes"].items():
        copied = held["kind"] == "directory"
        commit = commit_directory_sandbox if copied else commit_sandbox
        commits[name] = commit(held["path"], message, author)
    return commits


def _find(work: dict[str, Any]) -> Callable[[WorkContext], object]:
    if work["module"] == "__main__":
        found: Any = _run_main_again(work["main_path"])
    else:
        found = importlib.import_module(work["module"])
    for part in work["qualname"].split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{work['module']}:{work['qualname']} is not callable")
    return found  # type: ignore[no-any-return]


def _run_main_again(path: str) -> types.ModuleType:
    # As multiprocessing's spawn does it: the script's definitions, not its main part.
    sys.argv = [path]
    main = types.ModuleType(MAIN_NAME)
    os.environ[BOOTSTRAP_MARK] = "1"
    try:
        main.__dict__.update(runpy.run_path(path, run_name=MAIN_NAME))
    finally:
        del os.environ[BOOTSTRAP_MARK]
    sys.modules["__main__"] = sys.modules[MAIN_NAME] = main
    return main
