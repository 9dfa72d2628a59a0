"""What a version has pruned, sealed and encrypted must verify, and be read, for ever."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from minutebook.actors import LedgerReader
from minutebook.actors.ledger import sealed_box, tombstones
from minutebook.actors.ledger.inspection import SCHEMA_VERSION
from minutebook.actors.ledger.sealed_check import verify_segment
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain.note import VerifierKey
from minutebook.domain.query import EntryFilter
from tests.retention.make_golden import ADDRESS, GOLDEN

ARCHIVES = sorted(GOLDEN.glob("version_*.tar.gz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_there_is_one_of_this_version() -> None:
    assert GOLDEN / f"version_{SCHEMA_VERSION}.tar.gz" in ARCHIVES


def test_it_verifies_and_is_read(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = golden / "golden.ledger"
    key = VerifierKey.of_text((golden / "vkey").read_text())
    report = verify_ledger(path, keys=[key])
    assert report.findings == ()
    assert report.pruned > 40
    segment = verify_segment(golden / "golden.segment", [key])
    assert segment.findings == ()
    assert segment.signed_size == segment.entries > 300

    def addresses() -> list[object]:
        with LedgerReader(path) as reader:
            moved = reader.entries(EntryFilter(types=("retention_test.moved",)))
            return [reader.revealed(entry)["address"] for entry in moved]

    assert addresses() == [ADDRESS, "[erased]"]
    # A changed format fails here.
    with monkeypatch.context() as patch:
        patch.setattr(tombstones, "digest_of", lambda stones: (len(stones), bytes(32)))
        assert {kind for kind, _, _ in verify_ledger(path).findings} == {"edited"}
    with monkeypatch.context() as patch:
        patch.setattr(sealed_box, "_NONCE_BYTES", 16)
        assert addresses() == ["[sealed]", "[erased]"]
