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

from minutebook.actors.work.context import WorkContext
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
        paths={name: Path(path) for name, path in spec["sandboxes"].items()},
        plan_id=spec["plan_id"],
        identity=spec["identity"],
        binding=spec["binding"],
        report=lambda name, total: report({"step": name, "total": total}),
        is_cancelled=is_cancelled,
    )
    if is_cancelled():
        raise SystemExit("The work was stopped before it began.")
    work(context)


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
