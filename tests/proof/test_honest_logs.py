"""No false alarm: whatever happened to an honest ledger, nothing is found."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.ledger.journal import Journal
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain.finding import Report
from tests.contract.trail import ROOT, entries_of, new_encoder
from tests.proof.conftest import Noted

SAMPLE = 2
ALL = 50
VERSION_1 = ROOT / "tests/migrations/files/version_1.tar.gz"


def lived(path: Path, seed: int) -> Report:
    """Let processes live with the ledger, a few at once, and open it in the end."""
    chance = random.Random(seed)
    for _ in range(chance.randrange(1, 4)):
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.proof.living", str(path), str(chance.random())[2:]],
                cwd=ROOT,
            )
            for _ in range(chance.randrange(1, 4))
        ]
        codes = {process.wait(timeout=100) for process in processes}
        assert codes <= {0, -signal.SIGKILL}
        if chance.random() < 0.3:
            rotate(path)
    with AuditSystem.open(path) as system:
        system.audit.tell(Noted(number=0))
    return verify_ledger(path)


def rotate(path: Path) -> None:
    command = [sys.executable, "-m", "minutebook.actors.cli", "keys", str(path), "--rotate"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check(path: Path, seed: int) -> None:
    report = lived(path, seed)
    assert report.findings == ()
    entries = entries_of(path)
    assert report.entries == report.signed_size == len(entries) > 10


@pytest.mark.parametrize("seed", range(SAMPLE))
def test_an_honest_ledger_is_fine(seed: int, tmp_path: Path) -> None:
    """Several processes, of which some are killed, fork, repeat ids or exit without closing."""
    check(tmp_path / "audit.db", seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SAMPLE, ALL))
def test_all_fifty_honest_ledgers_are_fine(seed: int, tmp_path: Path) -> None:
    check(tmp_path / "audit.db", seed)


def test_a_gap_that_stands_for_many_is_no_hole(tmp_path: Path) -> None:
    """A journal was damaged in the middle: what cannot be read is told, with its numbers."""
    path, encoder = tmp_path / "audit.db", new_encoder()
    directory = tmp_path / "audit.db.journal.d"
    journal = Journal(directory, "0d" * 16, event_bytes_max=256 * 1024)
    for number in range(30):
        journal.append(encoder.encode_head(Noted(number=number)))
    journal.leave("it died.")
    (segment,) = directory.glob("*.journal")
    data = bytearray(segment.read_bytes())
    place = data.index(b'"number":10')
    data[place : place + 2000] = bytes(2000)
    segment.write_bytes(data)

    report = verify_ledger(_empty(path))
    assert [finding.kind for finding in report.findings] == ["unrecovered_journal"]
    AuditSystem.open(path).close()

    (gap,) = (entry for entry in entries_of(path) if entry.type == "audit.gap")
    assert gap.payload["count"] > 1
    assert verify_ledger(path).findings == ()


def _empty(path: Path) -> Path:
    SqliteLedger(path, new_encoder()).close()
    return path


def test_a_ledger_that_is_being_written_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditSystem.open(path, checkpoint_every=10) as system:
        for number in range(300):
            system.audit.tell(Noted(number=number))
            if number % 60 == 0:
                report = verify_ledger(path)
                assert report.findings == ()
        system.flush(timeout=60.0)
        report = verify_ledger(path)
        assert (report.findings, report.entries >= 301) == ((), True)


def test_a_ledger_of_version_1_is_fine_before_and_after_it_was_brought_here(
    tmp_path: Path,
) -> None:
    with tarfile.open(VERSION_1) as archive:
        archive.extractall(tmp_path, filter="data")
    (path,) = (each for each in tmp_path.rglob("*.db") if not each.name.endswith(".app.db"))
    (old := tmp_path / "old").mkdir()
    for each in path.parent.glob(f"{path.name}*"):
        if each.is_file():
            shutil.copy(each, old)
    report = verify_ledger(old / path.name)
    assert (report.findings, report.signed_size) == ((), 0)
    with AuditSystem.open(path) as system:
        system.audit.tell(Noted(number=0))
    report = verify_ledger(path)
    assert report.findings == ()
    assert report.signed_size == report.entries


def test_the_empty_ledger_is_fine(tmp_path: Path) -> None:
    assert verify_ledger(_empty(tmp_path / "audit.db")) == Report(0, ())
