"""What the demo's plans do; runs in child processes, in the plans' sandboxes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from minutebook.actors.work.context import WorkContext

_STEP_S = 0.1
_HELPER = (sys.executable, "-c", "import time; time.sleep(600)")


def improve(context: WorkContext) -> None:
    """Change a few files: one new, one edited, and one gone if it is the demo's own."""
    context.step("add a module", total=3)
    module = context.path / "minutebook_demo" / "greeting.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text(
        '"""Written by a plan of the Minutebook demo."""\n\n'
        "def greeting(name):\n"
        '    return f"Hello, {name}"\n',
        encoding="utf-8",
    )
    context.step("edit a document")
    document = _some_document(context.path)
    with document.open("a", encoding="utf-8") as file:
        file.write("\nA plan of the Minutebook demo was here.\n")
    context.step("remove what nobody needs")
    (context.path / "notes.txt").unlink(missing_ok=True)


def dawdle(context: WorkContext) -> None:
    """Write a file in each of very many steps, until it is stopped."""
    total = 600
    for number in range(total):
        context.step(f"write part {number}", total=total)
        (context.path / f"part-{number:03}.txt").write_text(f"{number}\n" * 100, encoding="utf-8")
        time.sleep(_STEP_S)
        if context.cancelled:
            return


def _some_document(path: Path) -> Path:
    documents = sorted(path.glob("README*")) or sorted(path.glob("*.md"))
    return documents[0] if documents else path / "README.md"


def herd(context: WorkContext) -> None:
    """Start two processes, which would go on for ten minutes, and look after them."""
    context.step("start two helpers", total=3)
    helpers = [subprocess.Popen(_HELPER) for _ in range(2)]
    context.step("write down who they are")
    (context.path / "helpers.txt").write_text(
        "".join(f"{helper.pid}\n" for helper in helpers), encoding="utf-8"
    )
    (context.temporary / "notes.txt").write_text("nobody needs this later\n", encoding="utf-8")
    context.step("wait for them")
    for helper in helpers:
        helper.wait()
