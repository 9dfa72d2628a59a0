"""`minutebook verify`, `prove`, `check`, `keys` and `witness`, as somebody types them."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.cli import main
from minutebook.domain import AuditEvent
from minutebook.domain.events import SessionCreated
from tests.contract.trail import entries_of


class Ran(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]
Terminal = Callable[..., str]
Append = Callable[[Path, list[AuditEvent]], None]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program within this process: starting one takes longer than most of these."""

    def run_here(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        status = main.run([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return run_here


def tell(path: Path, count: int = 30) -> None:
    with AuditSystem.open(path, checkpoint_every=10, batch_max=5) as system:
        for number in range(count):
            system.audit.tell(SessionCreated(actor_name=f"local/{number}", user_identity="alice"))


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    tell(path)
    return path


def edit(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        (sql,) = database.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'entries_are_never_changed'"
        ).fetchone()
        database.execute("DROP TRIGGER entries_are_never_changed")
        database.execute("UPDATE entries SET user_identity = 'bob\x1b[31m' WHERE log_index = 3")
        database.execute(sql)
        database.commit()


def vkey_of(run: Run, path: Path) -> str:
    return run("keys", path).stdout.splitlines()[-1]


def test_verify_says_ok_or_what_it_found(run: Run, signed: Path) -> None:
    count = len(entries_of(signed))
    fine = run("verify", signed)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.startswith(f"ok: {count} entries, the first {count} of them signed.\n")
    assert fine.stdout.splitlines()[1:] == [f"key: {vkey_of(run, signed)}"]
    told = run("verify", signed, "--json")
    assert told.returncode == 0
    assert json.loads(told.stdout) == {"verdict": "ok", "entries": count, "findings": []}

    edit(signed)

    found = run("verify", signed)
    assert found.returncode == 1
    assert found.stdout.startswith("edited at entry 3: its columns user_identity do not say")
    assert "failed: 1 findings" in found.stdout
    told = run("verify", signed, "--json")
    assert told.returncode == 1
    said = json.loads(told.stdout)
    assert list(said) == ["verdict", "entries", "findings"]
    assert (said["verdict"], said["entries"]) == ("failed", count)
    (finding,) = said["findings"]
    assert list(finding) == ["kind", "log_index", "detail"]
    assert (finding["kind"], finding["log_index"]) == ("edited", 3)


def test_verify_that_cannot_look_exits_with_2(run: Run, signed: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no ledger")
    for arguments in (
        (tmp_path / "missing.db",),
        (tmp_path / "text",),
        (signed, "--checkpoints", tmp_path / "missing.log"),
        (signed, "--vkey", "no+key"),
        (signed, "--since", tmp_path / "text"),
    ):
        told = run("verify", *arguments, "--json")
        assert told.returncode == 2, arguments
        assert told.stderr.startswith("minutebook: ")
        assert told.stdout == ""


def test_verify_goes_by_the_key_that_is_given(run: Run, signed: Path, tmp_path: Path) -> None:
    tell(tmp_path / "other.db", 1)
    other = vkey_of(run, tmp_path / "other.db")
    assert run("verify", signed, "--vkey", vkey_of(run, signed)).returncode == 0
    found = run("verify", signed, "--vkey", other)
    assert found.returncode == 1
    assert "unknown_key: " in found.stdout


def test_verify_since_a_checkpoint_reads_only_what_came_after(
    run: Run, signed: Path, tmp_path: Path
) -> None:
    tell(signed, 600)
    notes = (tmp_path / "audit.db.checkpoints.log").read_text().split("\n\n")
    since = tmp_path / "since.checkpoint"
    middle = list(range(0, len(notes) - 1, 2))[-4]
    since.write_text("\n\n".join(notes[middle : middle + 2]) + "\n")
    edit(signed)  # entry 3, in the part that was verified before
    assert int(notes[middle].split("\n")[1]) > 256
    assert run("verify", signed, "--since", since).returncode == 0
    assert run("verify", signed).returncode == 1
    # One that the ledger does not lead to is no reason to leave anything out.
    early = tmp_path / "early.checkpoint"
    early.write_text("\n\n".join(notes[2:4]) + "\n")
    assert run("verify", signed, "--since", early).returncode == 1


def test_a_progress_bar_is_for_terminals_only(terminal: Terminal, signed: Path) -> None:
    assert "ok:" in terminal(100, "verify", signed)


def test_a_proof_is_checked_with_the_key_alone(run: Run, signed: Path, tmp_path: Path) -> None:
    vkey, proof = vkey_of(run, signed), tmp_path / "entry.tlog-proof"
    entry = entries_of(signed)[7]
    assert run("prove", signed, entry.id, "-o", proof).returncode == 0
    (away := tmp_path / "away").mkdir()
    shutil.move(proof, away)
    signed.unlink()

    checked = run("check", away / proof.name, "--vkey", vkey)

    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("ok: the proof holds.\n")
    said = json.loads(run("check", away / proof.name, "--vkey", vkey, "--json").stdout)
    assert {name: said[name] for name in ("id", "log_index", "payload")} == {
        "id": entry.id,
        "log_index": 7,
        "payload": entry.payload,
    }
    text = (away / proof.name).read_text()
    (away / "changed").write_text(text.replace("index 7", "index 8"))
    refused = run("check", away / "changed", "--vkey", vkey)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "does not lead from the entry" in refused.stderr
    tell(tmp_path / "other.db", 1)
    stranger = vkey_of(run, tmp_path / "other.db")
    assert run("check", away / proof.name, "--vkey", stranger).returncode == 1


def test_a_proof_of_growth(run: Run, signed: Path, tmp_path: Path) -> None:
    vkey = vkey_of(run, signed)
    notes = (tmp_path / "audit.db.checkpoints.log").read_text().split("\n\n")
    old, new = (int(part.split("\n")[1]) for part in (notes[2], notes[-3]))
    (tmp_path / "old").write_text("\n\n".join(notes[2:4]) + "\n")
    proof = tmp_path / "growth"
    made = run("prove", signed, "--consistency", str(old), str(new), "-o", proof)
    assert made.returncode == 0, made.stderr
    checked = run("check", proof, "--vkey", vkey, "--old", tmp_path / "old")
    assert checked.returncode == 0, checked.stderr
    assert f"old_size: {old}\nsize: {new}\n" in checked.stdout
    (tmp_path / "new").write_text("\n\n".join(notes[-3:-1]) + "\n")
    assert run("check", proof, "--vkey", vkey, "--old", tmp_path / "new").returncode == 1
    assert run("check", proof, "--vkey", vkey).returncode == 2


def test_what_cannot_be_proved_is_said(run: Run, signed: Path, append: Append) -> None:
    ledger = signed.with_name("unsigned.db")
    append(ledger, [SessionCreated(actor_name="local/reviewer")])
    unsigned = run("prove", ledger, "0", "-o", "-")
    assert (unsigned.returncode, unsigned.stdout) == (2, "")
    assert "no signed checkpoint covers the ledger" in unsigned.stderr
    assert run("prove", signed, "4711", "-o", "-").returncode == 2
    assert run("prove", signed).returncode == 2
    assert run("prove", signed, "1", "--consistency", "1", "2").returncode == 2
    assert run("keys", ledger).stdout == ""


def test_a_witness_signs_what_only_grew(run: Run, signed: Path, tmp_path: Path) -> None:
    (before := tmp_path / "before").mkdir()
    for path in tmp_path.glob("audit.db*"):
        if path.is_file():
            shutil.copy(path, before)
    state, log = tmp_path / "witness.state", tmp_path / "witness.log"
    arguments = ("--state", state, "--log", log, "--name", "witness.example")
    first = run("witness", signed, *arguments)
    assert first.returncode == 0, first.stderr
    vkey = first.stderr.split()[-1]
    tell(signed)
    second = run("witness", signed, *arguments)
    assert second.returncode == 0, second.stderr
    assert log.read_text() == f"{first.stdout}\n{second.stdout}\n"
    assert second.stdout.count("— witness.example ") == 1
    assert run("verify", signed, "--checkpoints", log, "--vkey", vkey).returncode == 0

    # The older copy lost what was witnessed; gone on with, it is another history.
    kept = state.read_bytes()
    assert run("witness", before / "audit.db", *arguments).returncode == 1
    tell(before / "audit.db", 500)
    refused = run("witness", before / "audit.db", *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "was rewritten" in refused.stderr
    assert state.read_bytes() == kept
    found = run("verify", before / "audit.db", "--checkpoints", log, "--vkey", vkey)
    assert found.returncode == 1
    assert found.stdout.startswith("forked at entry ")


def test_the_key_is_rotated(run: Run, signed: Path) -> None:
    first = vkey_of(run, signed)
    rotated = run("keys", signed, "--rotate")
    assert rotated.returncode == 0, rotated.stderr
    assert rotated.stdout.splitlines()[0] == first
    assert len(rotated.stdout.splitlines()) == 2
    tell(signed)
    for key in rotated.stdout.splitlines():
        assert run("verify", signed, "--vkey", key).returncode == 0
