"""Entries go, and all that remains still verifies; what goes otherwise is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import chain, count, repeat
from pathlib import Path

import apsw
import orjson
import pytest

from minutebook.actors import AuditSystem, LedgerReader
from minutebook.actors.ledger.ed25519 import Signer
from minutebook.actors.ledger.proving import Prover
from minutebook.actors.ledger.statistics import read_statistics
from minutebook.actors.ledger.verifying import checkpoint_of, verify_ledger
from minutebook.actors.retention.holding import lift_hold, place_hold
from minutebook.actors.retention.pruning import ROWS_FIRST, Pruner, Rule
from minutebook.domain.entry import Record, leaf_hash
from minutebook.domain.errors import EntryNotFound, InvalidCommand
from minutebook.domain.merkle import verify_inclusion
from minutebook.domain.note import Note, decoded_hash
from minutebook.domain.pruning import PruningStatement, Tombstone, digest_of
from minutebook.domain.query import EntryFilter
from minutebook.domain.state import PruneResult
from tests.contract.trail import ROOT
from tests.proof.forging import forging
from tests.retention.conftest import WAIT_S, Noted, clerk_of, fill

COUNT = 1200


def prune(path: Path, rule: Rule) -> PruneResult:
    with clerk_of(path) as clerk:
        return Pruner(clerk, rule, requested_by="person").run()


def check_proofs(path: Path, indexes: list[int]) -> None:
    with Prover(path) as prover:
        for index in indexes:
            proof = prover.entry(str(index))
            assert proof.extra is not None
            (_, size, root, *_) = proof.checkpoint.text.split("\n")
            leaf = leaf_hash(proof.extra)
            assert verify_inclusion(leaf, index, int(size), proof.hashes, decoded_hash(root))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    fill(path, COUNT, checkpoint_every=300)
    return path


def test_what_remains_verifies_and_is_proved(path: Path, tmp_path: Path) -> None:
    """By type, so that there is a hole at every second place; then by number."""
    with LedgerReader(path) as reader:
        gone = list(reader.entries(EntryFilter(types=("*.seen",))))
        before = reader.count()
    since = tmp_path / "since"
    with Prover(path) as prover:
        since.write_text(prover.notes("checkpoint")[1].as_text())
        grown = prover.notes("checkpoint")
    result = prune(path, Rule(keep=100, types=("*.seen",)))
    assert result.finished
    assert result.held == result.unarchived == 0
    report = verify_ledger(path)
    assert report.findings == ()
    assert report.pruned == result.pruned >= COUNT / 2 - 100
    assert report.entries == before - result.pruned + result.chunks
    assert verify_ledger(path, since=checkpoint_of(since.read_text())).entries == report.entries
    with Prover(path) as prover:
        assert prover.growth(300).hashes
        assert prover.notes("checkpoint")[: len(grown)] == grown
    check_proofs(path, [1, 99, 501, COUNT - 1])

    with LedgerReader(path) as reader:
        told = list(reader.entries(EntryFilter(types=("audit.pruned",))))
        assert sum(entry.payload["count"] for entry in told) == result.pruned
        assert {entry.payload["policy"] for entry in told} == {
            "all but the newest 100; of type *.seen"
        }
        assert told[0].payload["size_before"] == told[0].log_index
        with pytest.raises(EntryNotFound, match=f"as entry {told[0].log_index} tells"):
            reader.get(gone[0].id)
        assert reader.known([gone[0].id]) == {gone[0].id}
    (told_by,) = (p for p in read_statistics(path).producers if p.entries > 100)
    assert told_by.missing == 0

    for _ in range(3):
        # What tells of a pruning, and its checkpoints, make no more go.
        fill(path, 0)
        assert prune(path, Rule(keep=100 + 7, types=("*.seen",))).pruned == 0

    # All of it but what tells of it, twice; a system goes on in between, with another key.
    prune(path, Rule(keep=0))
    with clerk_of(path) as clerk:
        clerk.ledger.rotate_key()
    fill(path, 10)
    prune(path, Rule(keep=0))
    report = verify_ledger(path)
    assert report.findings == ()
    assert report.pruned > COUNT
    with LedgerReader(path) as reader:
        left = {entry.type for entry in reader.entries()}
    assert left == {"audit.pruned"}


def test_the_same_event_again_is_known_though_it_was_pruned(path: Path) -> None:
    """A journal that is recovered late must not enter what went."""
    with LedgerReader(path) as reader:
        entry = reader.get("7")
    prune(path, Rule(keep=0))
    other = Noted(id=entry.id, number=-1)
    with clerk_of(path) as clerk:
        (receipt,) = clerk.ledger.append([entry.body])
        assert (receipt.log_index, receipt.leaf_hash) == (7, entry.leaf_hash)  # type: ignore[union-attr]
    with AuditSystem.open(path) as system, pytest.raises(Exception, match="with another type"):
        system.audit.ask(other).get(timeout=WAIT_S)
    assert verify_ledger(path).findings == ()


def test_only_the_old_the_signed_and_the_free_go(path: Path) -> None:
    with clerk_of(path, checkpoint_every=0) as clerk:
        user = place_hold(clerk, "user", "user 3", "a case")
        place_hold(clerk, "entries", "100-199", "another case")
        plan = place_hold(clerk, "plan", "plan 1", "a third")
        lift_hold(clerk, plan.hold_id[:30], "over")
    result = prune(path, Rule(keep=0))
    with LedgerReader(path) as reader:
        left = {e.log_index for e in reader.entries() if e.type.startswith("retention_test")}
        kept = {e.log_index for e in reader.entries(EntryFilter(user="user 3"))}
    assert result.held == len(left)
    assert kept <= left
    assert set(range(100, 200)) <= left
    assert left == kept | set(range(100, 200))

    with clerk_of(path) as clerk:
        lift_hold(clerk, user.hold_id, "over")
        assert Pruner(clerk, Rule(days=1), requested_by="person").run().pruned == 0
        two_days = 2 * 86_400_000_000
        now = int(clerk.ledger._clock()) + two_days
        result = Pruner(clerk, Rule(days=1), requested_by="person", now=lambda: now).run()
    assert result.held == 100
    assert verify_ledger(path).findings == ()
    with clerk_of(path) as clerk:
        for rule in (Rule(), Rule(days=-1), Rule(archived_only=True)):
            with pytest.raises(InvalidCommand):
                Pruner(clerk, rule, requested_by="person")
        result = Pruner(clerk, Rule(keep=0, archived_only=True), requested_by="person").run()
    assert (result.pruned, result.unarchived > 0) == (0, True)


def test_a_hold_that_is_placed_in_the_middle_counts(path: Path) -> None:
    with clerk_of(path) as clerk, clerk_of(path) as other:
        asked = count()

        def hold() -> bool:
            # Between chunks nobody is kept out.
            if next(asked) == 3:
                place_hold(other, "entries", "0-5000", "at the last moment")
            return False

        result = Pruner(clerk, Rule(keep=0), requested_by="person").run(hold)
    assert 0 < result.pruned < COUNT
    assert result.held > 100


def test_a_chunk_is_as_large_as_the_lock_may_be_held(path: Path) -> None:
    """Slow ones make the next smaller, at least one; fast ones larger, bit by bit."""

    def clock() -> Iterator[float]:
        for taken in chain(repeat(0.2, 5), repeat(0.001)):
            yield from (0.0, taken)
            yield from (0.0, 0.0)  # the log

    ticks = clock()
    with clerk_of(path) as clerk:
        pruner = Pruner(clerk, Rule(keep=0), requested_by="person", clock=lambda: next(ticks))
        result = pruner.run()
    sizes = [size for size, _ in pruner.chunks]
    assert sizes[:9] == [ROWS_FIRST, 8, 2, 1, 1, 1, 2, 4, 8]
    assert max(sizes) <= 2 * sum(sizes) / 3
    assert result.longest_hold_s == 0.2
    assert result.chunks == len(sizes) < 30


KILLED = """
import sys
from pathlib import Path
from minutebook.actors.retention.pruning import Pruner, Rule
from tests.retention.conftest import clerk_of
with clerk_of(Path(sys.argv[1])) as clerk:
    Pruner(clerk, Rule(keep=0), requested_by="person").run(lambda: bool(print("chunk", flush=True)))
"""


def test_a_pruner_that_is_killed_leaves_a_ledger_that_verifies(path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(5):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    report = verify_ledger(path)
    assert report.findings == ()
    assert 0 < report.pruned < COUNT
    assert prune(path, Rule(keep=0)).pruned > 0


def test_writers_go_on_beside_it(path: Path) -> None:
    with AuditSystem.open(path) as system, clerk_of(path) as clerk:
        told = threading.Thread(
            target=lambda: [
                system.audit.ask(Noted(number=n)).get(timeout=WAIT_S) for n in range(50)
            ]
        )
        told.start()
        asked = count()

        def look() -> bool:
            # What goes while it is looked at is no finding.
            return next(asked) == 4 and verify_ledger(path).findings != ()

        assert Pruner(clerk, Rule(keep=0), requested_by="person").run(look).finished
        told.join()
        assert system.health().status == "ok"
    assert verify_ledger(path).findings == ()


# -- what a thief does ----------------------------------------------------------------------------


def refused(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    try:
        for statement in statements:
            with pytest.raises(apsw.ConstraintError, match="append only"):
                connection.execute(statement)
    finally:
        connection.close()


STONE = (
    "INSERT INTO pruned SELECT log_index, {told_at}, id, recorded_at, producer, producer_seq,"
    " producer_seq + 1, leaf_hash FROM entries WHERE log_index = {index}"
)


def test_the_triggers_let_nothing_else_through(path: Path) -> None:
    refused(path, STONE.format(told_at=5, index=1), "DELETE FROM entries WHERE log_index = 1")
    prune(path, Rule(keep=1000))
    refused(
        path,
        "UPDATE pruned SET producer_seq = 4",
        "DELETE FROM pruned",
        "DELETE FROM entries WHERE log_index > 1000",
        "DELETE FROM entries WHERE type = 'audit.pruned'",
        STONE.format(told_at=1150, index=1100),
        STONE.format(told_at="(SELECT max(log_index) FROM entries)", index=1100),
        "INSERT INTO pruned SELECT log_index, (SELECT max(log_index) FROM entries), id, 0,"
        " producer, producer_seq, producer_seq + 1, leaf_hash FROM entries WHERE log_index = 1100",
        STONE.format(
            told_at="(SELECT max(log_index) FROM entries)",
            index="(SELECT min(log_index) FROM entries WHERE type = 'audit.pruned')",
        ),
    )


def named(path: Path) -> list[tuple[str, int | None]]:
    return [(kind, index) for kind, index, _ in verify_ledger(path).findings]


def test_what_was_not_pruned_by_us_is_named(path: Path) -> None:
    """Each on the ledger that the last one left, and mended again."""
    prune(path, Rule(keep=1000))
    assert named(path) == []
    with forging(path) as database:
        (told_at,) = database.execute("SELECT max(told_at) FROM pruned").fetchone()
        stone = database.execute("SELECT * FROM pruned WHERE log_index = 20").fetchone()
        row = database.execute("SELECT * FROM entries WHERE log_index = 600").fetchone()

    with forging(path) as database:
        database.execute("DELETE FROM pruned WHERE log_index = 20")
    assert ("deleted", 20) in named(path)
    with forging(path) as database:
        database.execute(f"INSERT INTO pruned VALUES ({','.join('?' * 8)})", stone)
        database.execute("UPDATE pruned SET producer_seq = 0 WHERE log_index = 20")
    assert "edited" in {kind for kind, _ in named(path)}
    with forging(path) as database:
        database.execute("DELETE FROM pruned WHERE log_index = 20")
        database.execute(f"INSERT INTO pruned VALUES ({','.join('?' * 8)})", stone)
    assert named(path) == []

    # An entry goes, and is said to be one of those that were pruned honestly.
    with forging(path) as database:
        database.execute(STONE.format(told_at=told_at, index=600))
        database.execute("DELETE FROM entries WHERE log_index = 600")
    assert [kind for kind, _ in named(path)] == ["deleted"]
    with forging(path) as database:
        database.execute("DELETE FROM pruned WHERE log_index = 600")
        database.execute(f"INSERT INTO entries VALUES ({','.join('?' * len(row))})", row)
    assert named(path) == []

    # With an entry of its own that tells it, and the triggers as they are.
    connection = apsw.Connection(str(path))
    _, body = connection.execute(
        "SELECT log_index, body FROM entries WHERE type = 'audit.pruned'"
        " ORDER BY log_index DESC LIMIT 1"
    ).fetchone() or (0, b"")
    said = orjson.loads(body)
    said["id"] = "00000000-0000-7000-8000-000000000000"
    said["payload"]["last_index"] = 600
    said["producer"], said["producer_seq"] = "0" * 32, 0
    size = connection.execute("SELECT max(log_index) + 1 FROM entries").get
    forged = Record.of(orjson.dumps(said)).row(size, 1)
    connection.execute(f"INSERT INTO entries VALUES ({','.join('?' * len(forged))})", forged)
    connection.execute(STONE.format(told_at=size, index=600))
    connection.execute("DELETE FROM entries WHERE log_index = 600")
    connection.close()
    assert ("deleted", 600) in named(path)


def test_a_forger_who_grows_the_tree_still_lacks_the_key(path: Path) -> None:
    """All but the signature is right: the entry, what it states, the tree."""
    prune(path, Rule(keep=1100))
    with forging(path) as database:
        body = bytes(
            database.execute("SELECT body FROM entries WHERE type = 'audit.pruned'").fetchone()[0]
        )
        said = orjson.loads(body)
        (size,) = database.execute("SELECT max(log_index) + 1 FROM entries").fetchone()
        stone = Tombstone._make(
            database.execute(
                "SELECT log_index, id, recorded_at, producer, producer_seq, producer_seq + 1,"
                " leaf_hash FROM entries WHERE log_index = 600"
            ).fetchone()
        )
        origin = PruningStatement.of_text(Note.of_text(said["payload"]["note"]).text).origin
        text = PruningStatement(origin, size, *digest_of([stone])).as_text()
        note = Note(text, (Signer.new(origin).sign(text),))
        said["payload"] |= {"note": note.as_text(), "count": 1, "last_index": 600}
        said["id"] = "00000000-0000-7000-8000-000000000000"
        said["producer"], said["producer_seq"] = "0" * 32, 0
        forged = Record.of(orjson.dumps(said)).row(size, 1)
        database.execute(f"INSERT INTO entries VALUES ({','.join('?' * len(forged))})", forged)
        database.execute(STONE.format(told_at=size, index=600))
        database.execute("DELETE FROM entries WHERE log_index = 600")
    with clerk_of(path) as clerk:
        clerk.enter(Noted(number=1))  # which grows the tree over all of it
        clerk.ledger.checkpoint()  # and signs it
    (finding,) = verify_ledger(path).findings
    assert (finding.kind, finding.log_index) == ("deleted", 600)
    assert f"the log did not sign what entry {size} tells" in finding.detail


RULES = (Rule(keep=30), Rule(keep=0, types=("audit.gap", "audit.opened")), Rule(keep=5))


@pytest.mark.parametrize(
    ("seed", "rules"),
    [(1, RULES[:1]), *(pytest.param(n, RULES, marks=pytest.mark.slow) for n in range(10, 100, 10))],
)
def test_a_ledger_that_lived_honestly_stays_honest(
    tmp_path: Path, seed: int, rules: tuple[Rule, ...]
) -> None:
    """With what was killed, forked, told twice and lost between prunings."""
    path = tmp_path / "audit.db"
    for number, rule in enumerate(rules):
        command = [sys.executable, "-m", "tests.proof.living", str(path), str(seed + number)]
        subprocess.run(command, cwd=ROOT, capture_output=True)
        AuditSystem.open(path).close()
        prune(path, rule)
        report = verify_ledger(path)
        assert report.findings == ()
    assert report.pruned > 0
