"""Segments verify on their own, archives are read back, and the policy is applied by itself."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from minutebook.actors import AuditSystem, LedgerReader
from minutebook.actors.cli.main import run
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.sealed_check import verify_segment
from minutebook.actors.ledger.sealed_files import FIRST_LINE, read_segment
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.actors.retention.pruning import Pruner, Rule
from minutebook.actors.retention.sealing import archive, seal
from minutebook.domain.entry import of_leaf_input
from minutebook.domain.errors import ArchiveFailed, SegmentRefused
from minutebook.domain.log_key import LogKey
from minutebook.domain.note import VerifierKey
from minutebook.domain.query import EntryFilter
from tests.actors.project import eventually
from tests.retention.conftest import WAIT_S, Noted, clerk_of, fill

COUNT = 600


def vkey_of(path: Path) -> VerifierKey:
    with Prover(path) as prover:
        return LogKey.of_text(prover.notes("key")[-1].text).key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log" / "audit.db"
    path.parent.mkdir()
    fill(path, COUNT, checkpoint_every=100)
    return path


def found(path: Path, *keys: VerifierKey) -> list[tuple[str, int | None]]:
    return [(kind, index) for kind, index, _ in verify_segment(path, keys).findings]


def test_segments_hold_all_and_verify_alone(path: Path, tmp_path: Path) -> None:
    with LedgerReader(path) as reader:
        bodies = [entry.body for entry in reader.entries()]
    with clerk_of(path) as clerk:
        Pruner(clerk, Rule(keep=COUNT - 50), requested_by="person").run()
        segments = seal(clerk, entries_max=250)
        assert seal(clerk) == ()  # what tells of them is no reason for others
    assert len(segments) >= 3
    assert segments[0].first_index == 0
    ends = [segment.last_index for segment in segments]
    assert [segment.first_index - 1 for segment in segments[1:]] == ends[:-1]
    key = vkey_of(path)
    said: dict[int, bytes] = {}
    pruned = 0
    for segment in segments:
        alone = tmp_path / Path(segment.path).name
        Path(segment.path).rename(alone)
        report = verify_segment(alone, [key])
        assert report.findings == ()
        assert report.signed_size == segment.last_index + 1
        pruned += report.pruned
        said |= {i: of_leaf_input(data)[1] for i, data in read_segment(alone) if data is not None}
    assert pruned > 30
    assert {index: bodies[index] for index in said if index < len(bodies)} == {
        index: body for index, body in said.items() if index < len(bodies)
    }
    assert len(said) + pruned == ends[-1] + 1
    assert verify_ledger(path).findings == ()


def test_what_is_wrong_with_a_segment_is_named(path: Path, tmp_path: Path) -> None:
    with clerk_of(path) as clerk:
        *_, segment = seal(clerk, entries_max=300)
    plain = gzip.decompress(Path(segment.path).read_bytes())
    head, _, entries = plain.removeprefix(FIRST_LINE).partition(b"\n")
    header = orjson.loads(head)
    first, last = segment.first_index, segment.last_index
    other = tmp_path / "other.segment"

    def packed(header: dict[str, Any], entries: bytes) -> Path:
        other.write_bytes(gzip.compress(FIRST_LINE + orjson.dumps(header) + b"\n" + entries))
        return other

    def changed(**said: Any) -> Path:
        return packed({**header, **said}, entries)

    length = int.from_bytes(entries[:4], "big")
    flipped = bytearray(entries)
    flipped[36 + 100] ^= 1
    assert found(packed(header, entries), vkey_of(path)) == []
    assert found(packed(header, bytes(flipped))) == [("edited", first)]
    gone = b"\0\0\0\0" + bytes(32) + entries[36 + length :]
    assert found(packed(header, gone)) == [("edited", first)]
    assert found(packed(header, entries[36 + length :])) == [("truncated", last)]
    assert found(packed(header, entries + b"x")) == [("edited", None)]
    assert found(changed(end=last)) == [("edited", None)]
    assert found(changed(before=[header["before"][0]] * len(header["before"]))) == [
        ("edited", first)
    ]
    assert ("edited", None) in found(changed(origin="minutebook/" + "0" * 32), vkey_of(path))
    note = header["checkpoint"].replace(f"\n{last + 1}\n", f"\n{last + 2}\n")
    assert found(changed(checkpoint=note)) == [("bad_signature", None)]
    fill(tmp_path / "another.db", 1)
    foreign = vkey_of(tmp_path / "another.db")
    assert {kind for kind, _ in found(Path(segment.path), foreign)} == {"unknown_key"}
    for data in (
        b"",
        b"no gzip",
        Path(segment.path).read_bytes()[:-100],
        gzip.compress(b"minutebook/segment@v2\n{}\n"),
        gzip.compress(FIRST_LINE + b"{}\n"),
    ):
        other.write_bytes(data)
        if data.startswith(b"\x1f\x8b") and len(data) > 100:
            assert [kind for kind, _ in found(other)] == ["truncated"]
            continue
        with pytest.raises(SegmentRefused, match=r"; (take|give) "):
            verify_segment(other)


def test_only_what_is_archived_goes_where_the_policy_says_so(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "archive"
    with clerk_of(path) as clerk:
        rule = Rule(keep=0, archived_only=True)
        assert Pruner(clerk, rule, requested_by="person").run().pruned == 0
        segments = seal(clerk, entries_max=250)
        damaged = Path(segments[1].path)
        data = damaged.read_bytes()
        damaged.write_bytes(data[:-20] + b"x" * 20)
        with pytest.raises(ArchiveFailed, match="not what was sealed"):
            archive(clerk, target)
        first = Pruner(clerk, rule, requested_by="person").run()
        assert first.pruned > 0
        assert first.unarchived > 0
        damaged.write_bytes(data)
        archived = archive(clerk, target)
        assert [each.first_index for each in archived] == [
            each.first_index for each in segments[1:]
        ]
        Pruner(clerk, rule, requested_by="person").run()
    assert {found(each) == [] for each in target.iterdir()} == {True}
    with LedgerReader(path) as reader:
        assert not list(reader.entries(EntryFilter(types=("retention_test.*",))))
    assert verify_ledger(path).findings == ()


def test_the_policy_is_applied_by_the_system_itself(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    fill(path, 300)
    with AuditSystem.open(path, service="shop"):
        assert "minutebook-retention" not in {thread.name for thread in threading.enumerate()}
    with AuditSystem.open(
        path,
        service="shop",
        retention_count=100,
        retention_types={"*.seen": 0.0},
        retention_interval=0.05,
        archive_directory=tmp_path / "archive",
        archive_before_prune=True,
    ) as system:

        def counts() -> tuple[int, int]:
            with LedgerReader(path) as reader:
                seen = len(list(reader.entries(EntryFilter(types=("*.seen",)))))
                return seen, len(list(reader.entries(EntryFilter(types=("*.noted",)))))

        eventually(lambda: counts()[0] == 0 and counts()[1] < 150)
        assert counts()[1] > 50
        hold = system.retention.hold("user", "user 1", reason="r").get(timeout=WAIT_S)
        assert system.retention.holds().get(timeout=WAIT_S) == (hold,)
    with LedgerReader(path) as reader:
        told = list(reader.entries(EntryFilter(types=("audit.pruned",))))
    assert {entry.user_identity for entry in told} == {"shop/retention"}
    assert {entry.source for entry in told} == {"shop/retention"}
    assert {entry.payload["requested_by"] for entry in told} == {"policy"}
    assert {entry.payload["policy"] for entry in told} == {
        "older than 0 days; of type *.seen; archived",
        "all but the newest 100; not of type *.seen; archived",
    }
    assert verify_ledger(path).findings == ()


def test_the_commands(path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: object, status: int = 0) -> str:
        assert run([str(each) for each in arguments]) == status
        out, err = capfd.readouterr()
        return err if status else out

    assert "entries 0 to" in said("seal", path, "--entries", 400)
    assert "archived." in said("archive", path, tmp_path / "archive")
    assert "nothing is left to be archived." in said("archive", path, tmp_path / "archive")
    for segment in (tmp_path / "archive").iterdir():
        assert said("verify", segment, "--vkey", vkey_of(path).as_text()).startswith("ok: ")
    placed = said("hold", path, "add", "--entries", 3, 5, "--reason", "case 7", "--as", "eve")
    assert "entries 3-5" in said("hold", path, "list")
    (listed,) = orjson.loads(said("hold", path, "list", "--json"))
    assert listed["hold_id"] in placed
    assert listed["placed_by"] == "eve"
    refused = said("prune", path, "--keep", 0, "--archived", status=1)
    assert "3 entries stay, under a legal hold." in refused
    assert "lifted" in said("hold", path, "remove", listed["hold_id"], "--reason", "over")
    assert "3 entries were pruned" in said("prune", path, "--type", "retention_test.*")
    assert "more were pruned" in said("verify", path)
    assert orjson.loads(said("verify", path, "--json"))["pruned"] > COUNT
    for wrong in (
        ("prune", path),
        ("prune", path, "--older-than", "soon"),
        ("hold", path, "add", "--user", "u"),
        ("hold", path, "add", "--reason", "r"),
        ("hold", path, "remove", "nothing", "--reason", "r"),
        ("forget", path, "nobody"),
        ("seal", tmp_path / "missing.db"),
        ("archive", path),
    ):
        assert said(*wrong, status=2).startswith("minutebook: ")


def test_one_more_event_is_one_more_segment(path: Path) -> None:
    with clerk_of(path) as clerk:
        before = seal(clerk)
        clerk.enter(Noted(number=1))
        (after,) = seal(clerk)
    assert after.first_index == before[-1].last_index + 1
    assert found(Path(after.path)) == []
