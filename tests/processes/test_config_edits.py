"""Several processes and somebody with an editor on one file of settings: a trail without a seam."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from minutebook.actors import AuditSystem
from minutebook.actors.config_document import leaves
from minutebook.domain import bind
from tests.contract.trail import WAIT_S, check_trail, entries_of, start_child

NAMES = ("alice", "bob")


def replayed(path: Path) -> dict[str, Any]:
    """Follow each key through the trail: every old value is the new one before it."""
    held: dict[str, Any] = {}
    # Those of several processes stand in the ledger as they were committed, not as they happened.
    for entry in sorted(entries_of(path), key=lambda entry: entry.occurred_at):
        if entry.type != "config.changed":
            continue
        payload = entry.payload
        assert held.get(payload["key"]) == payload["old_value"], entry
        held[payload["key"]] = payload["new_value"]
        edited = payload["cause"] == "edited_outside"
        assert (entry.user_identity is None) == edited, entry
    return {key: value for key, value in held.items() if value is not None}


def test_edits_between_the_sets_of_several_processes_are_told_once_each(tmp_path: Path) -> None:
    """Whoever sees an edit first tells it, in the order of the changes of all processes."""
    path, file = tmp_path / "audit.db", tmp_path / "audit.db.config.toml"
    with AuditSystem.open(path) as system, bind(identity="root"):
        system.config.set("edited.n", 0).get(timeout=WAIT_S)
    children = {name: start_child("tests.processes.configuring", path, name, 10) for name in NAMES}
    for child in children.values():
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children.values():
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    # An editor knows of no lock: what others set meanwhile it writes over, and that is told too.
    for number in range(1, 20):
        edit(file, number)
    for child in children.values():
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
    edit(file, 20)
    for child in children.values():
        _, err = child.communicate("stop\n", timeout=WAIT_S)
        assert (child.returncode, err) == (0, "")
    with AuditSystem.open(path) as system:
        assert system.config.get("edited.n").get(timeout=WAIT_S).value == 20

    entries = entries_of(path)
    check_trail(entries)
    assert replayed(path) == dict(leaves(tomllib.loads(file.read_text())))
    sets = [entry for entry in entries if entry.payload.get("cause") == "set"]
    assert len(sets) == 1 + 10 * len(NAMES)
    edits = [entry.payload for entry in entries if entry.payload.get("cause") == "edited_outside"]
    seen = [payload["new_value"] for payload in edits if payload["key"] == "edited.n"]
    assert len(seen) > 1
    assert seen[-1] == 20


def edit(file: Path, number: int) -> None:
    lines = file.read_text().splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("n = "))
    lines[place] = f"n = {number}"
    mine = file.with_name("mine.tmp")
    mine.write_text("\n".join(lines) + "\n")
    mine.replace(file)


DYING = """
import os, signal, sys
from minutebook.actors import AuditSystem, config_file
from minutebook.domain import bind

make = config_file.ConfigFile.make

def make_and_die(self):
    make(self)
    os.kill(os.getpid(), signal.SIGKILL)

with AuditSystem.open(sys.argv[1]) as system, bind(identity="alice"):
    system.config.set("a", 1).get(timeout=60)
    config_file.ConfigFile.make = make_and_die
    system.config.set("a", 2).get(timeout=60)
"""


def test_an_edit_after_a_kill_is_not_taken_for_the_change_that_was_being_made(
    tmp_path: Path,
) -> None:
    """Killed after the file was written and before that was told, and then edited by hand."""
    path, file = tmp_path / "audit.db", tmp_path / "audit.db.config.toml"
    died = subprocess.run([sys.executable, "-c", DYING, str(path)], timeout=WAIT_S)
    assert died.returncode == -signal.SIGKILL
    assert file.read_text() == "a = 2\n"
    file.write_text("a = 3\n")
    with AuditSystem.open(path) as system:
        assert system.config.get("a").get(timeout=WAIT_S).value == 3
    assert [
        (e.payload["old_value"], e.payload["new_value"], e.payload["cause"], e.user_identity)
        for e in entries_of(path)
        if e.type == "config.changed"
    ] == [
        (None, 1, "set", "alice"),
        (1, 2, "set", "alice"),
        (2, 3, "edited_outside", None),
    ]
