"""Ledgers that were made by a version must verify for ever, and with them the format stays."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from minutebook.actors.cli import main
from minutebook.actors.ledger import checking, ed25519, proving, snapshot, tree, verifying
from minutebook.actors.ledger.inspection import SCHEMA_VERSION
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain import entry, merkle
from minutebook.domain.note import VerifierKey
from tests.contract.trail import ROOT
from tests.proof.make_golden import GOLDEN

ARCHIVES = sorted(GOLDEN.glob("version_*.tar.gz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def vkeys(golden: Path) -> list[VerifierKey]:
    return [VerifierKey.of_text(line) for line in (golden / "vkeys").read_text().splitlines()]


def test_there_is_one_of_this_version() -> None:
    assert GOLDEN / f"version_{SCHEMA_VERSION}.tar.gz" in ARCHIVES


def test_the_golden_ledger_verifies(golden: Path) -> None:
    """By the first key, by the last, with a witness, and with nothing but itself."""
    path, keys = golden / "golden.ledger", vkeys(golden)
    for trusted in ([], keys[:1], keys[1:2], keys):
        report = verify_ledger(
            path,
            side_files=[golden / "golden.ledger.checkpoints.log", golden / "witness.log"],
            keys=trusted,
        )
        if trusted[2:] or trusted[:1] != keys[:1]:
            assert report.findings == ()
        assert report.signed_size == report.entries > 100


def test_its_proofs_hold(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = (golden / "vkeys").read_text().splitlines()[1]
    older = (golden / "vkeys").read_text().splitlines()[0]
    proof, growth = str(golden / "entry.tlog-proof"), str(golden / "growth.proof")
    assert main.run(["check", proof, "--vkey", key]) == 0
    assert "log_index: 7\n" in capsys.readouterr().out
    both, old = ("--vkey", key, "--vkey", older), str(golden / "old.checkpoint")
    assert main.run(["check", growth, "--old", old, *both]) == 0


CHANGES = {
    "the layout of the leaf input": (checking, "HASH_VERSION", 2),
    "the prefix of nodes": (merkle, "node_hash", lambda left, right: entry.leaf_hash(left + right)),
    "the size of stored subtrees": (verifying, "BLOCK_LEVEL", 9),
    "the name of the log": (snapshot, "origin_of", lambda ledger_id: f"log/{ledger_id}"),
    "the signed message": (
        ed25519,
        "verify_signature",
        lambda public_key, signature, message: False,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_format_would_not_go_unnoticed(
    change: str, golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, value = CHANGES[change]
    for each in (module, merkle, tree, verifying, proving, checking, ed25519):
        if hasattr(each, name):
            monkeypatch.setattr(each, name, value)
    if change == "the signed message":
        monkeypatch.setattr("minutebook.actors.ledger.signed_notes.verify_signature", value)

    report = verify_ledger(golden / "golden.ledger", keys=vkeys(golden))

    assert report.verdict == "failed"


def test_the_root_is_the_tests(golden: Path) -> None:
    """What the archive holds lies in a directory of the test's own."""
    assert ROOT not in golden.parents
