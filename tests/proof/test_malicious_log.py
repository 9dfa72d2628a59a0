"""What a thief does to a ledger and its side file, each thing named as what it is.

The thief may write the files as he likes, and in some cases has the log's key. What was kept
elsewhere, the side file or a witness's, he mostly cannot reach.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from minutebook.actors import AuditSystem
from minutebook.actors.ledger import verifying
from minutebook.actors.ledger.ed25519 import Signer
from minutebook.actors.ledger.journal import Journal
from minutebook.actors.ledger.side_log import read_side_log
from minutebook.actors.ledger.verifying import verify_ledger
from minutebook.domain.checkpoint import Checkpoint
from minutebook.domain.finding import Report
from minutebook.domain.log_key import LogKey
from minutebook.domain.note import Note
from tests.contract.trail import Counted, new_encoder
from tests.proof import forging
from tests.proof.conftest import ENTRIES, WAIT_S, Log, Noted

Manipulation = Callable[[Log], None]


class Case(NamedTuple):
    """A manipulation, and what it is to be called."""

    do: Manipulation
    kinds: set[str]
    at: int | None
    how: dict[str, Any]


CASES: dict[str, Case] = {}

VICTIM = 5_000


def case(*kinds: str, at: int | None = None, **how: Any) -> Callable[[Manipulation], Manipulation]:
    """Register a manipulation.

    Args:
        kinds: what is to be found, and nothing else.
        at: at which entry.
        how: what `verify` is told besides the ledger: ``side``, ``vkey`` or ``witness``.
    """

    def register(do: Manipulation) -> Manipulation:
        CASES[do.__name__] = Case(do, set(kinds), at, how)
        return do

    return register


def sql(log: Log, *statements: str) -> None:
    with forging.forging(log.path) as database:
        for statement in statements:
            database.execute(statement)


def verified(log: Log, *, side: bool = True, vkey: bool = True, witness: bool = False) -> Report:
    files = [log.side] if side else []
    keys = [log.vkey] if vkey else []
    if witness:
        files, keys = [*files, log.witnessed], [*keys, log.witness]
    return verify_ledger(log.path, side_files=files, keys=keys)


# -- an entry ---------------------------------------------------------------------------------


@case("edited", at=VICTIM)
def a_single_bit_of_the_stored_bytes(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = bytearray(forging.body_of(database, VICTIM))
        body[len(body) // 2] ^= 1
        database.execute("UPDATE entries SET body = ? WHERE log_index = ?", (bytes(body), VICTIM))


@case("edited", at=VICTIM)
def a_single_bit_of_a_leaf_hash(log: Log) -> None:
    with forging.forging(log.path) as database:
        (leaf,) = database.execute(
            "SELECT leaf_hash FROM entries WHERE log_index = ?", (VICTIM,)
        ).fetchone()
        changed = bytes([leaf[0] ^ 1]) + leaf[1:]
        database.execute("UPDATE entries SET leaf_hash = ? WHERE log_index = ?", (changed, VICTIM))


@case("edited", at=VICTIM)
def a_column_beside_intact_bytes(log: Log) -> None:
    sql(log, f"UPDATE entries SET user_identity = 'nobody' WHERE log_index = {VICTIM}")


@case("edited", at=VICTIM)
def a_column_emptied_beside_intact_bytes(log: Log) -> None:
    sql(log, f"UPDATE entries SET user_identity = NULL WHERE log_index = {VICTIM}")


@case("edited", at=VICTIM)
def an_id_beside_intact_bytes(log: Log) -> None:
    sql(log, f"UPDATE entries SET id = upper(id) WHERE log_index = {VICTIM}")


@case("edited", at=VICTIM)
def an_occurred_at_beside_intact_bytes(log: Log) -> None:
    sql(log, f"UPDATE entries SET occurred_at = occurred_at - 1 WHERE log_index = {VICTIM}")


@case("edited", at=VICTIM)
def a_back_dated_recorded_at(log: Log) -> None:
    sql(
        log,
        f"UPDATE entries SET recorded_at = recorded_at - 86400000000 WHERE log_index = {VICTIM}",
    )


@case("edited", at=VICTIM)
def a_negative_recorded_at(log: Log) -> None:
    sql(log, f"UPDATE entries SET recorded_at = -1 WHERE log_index = {VICTIM}")


@case("edited", at=VICTIM // 256 * 256)
def a_back_dated_recorded_at_with_its_leaf_hash(log: Log) -> None:
    with forging.forging(log.path) as database:
        forging.rewrite(database, VICTIM, forging.body_of(database, VICTIM), recorded_at=10**15)


@case("edited", at=VICTIM // 256 * 256)
def another_user_with_columns_and_leaf_hash(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, VICTIM), user_identity="nobody")
        forging.rewrite(database, VICTIM, body)


@case("edited")
def another_user_with_the_whole_suffix_hashed_again(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, VICTIM), user_identity="nobody")
        forging.rewrite(database, VICTIM, body)
        forging.regrow(database)


@case("edited", side=False, vkey=False)
def the_same_where_only_the_ledger_is_left(log: Log) -> None:
    another_user_with_the_whole_suffix_hashed_again(log)


@case("edited", at=VICTIM)
def stored_bytes_that_are_no_event(log: Log) -> None:
    sql(log, f"UPDATE entries SET body = x'7b7d' WHERE log_index = {VICTIM}")


@case("edited", "sequence_gap", at=VICTIM)
def a_column_that_is_no_text(log: Log) -> None:
    sql(log, f"UPDATE entries SET producer = CAST(x'ff' AS TEXT) WHERE log_index = {VICTIM}")


@case("edited", at=VICTIM)
def a_user_that_is_no_text(log: Log) -> None:
    sql(log, f"UPDATE entries SET user_identity = CAST(x'ff' AS TEXT) WHERE log_index = {VICTIM}")


@case("bad_signature")
def a_checkpoint_that_is_no_text(log: Log) -> None:
    sql(log, "UPDATE signed_notes SET note = CAST(x'ff' AS TEXT) WHERE number = 4")


@case("edited", at=VICTIM)
def the_bytes_of_another_entry(log: Log) -> None:
    sql(
        log,
        "UPDATE entries SET body = (SELECT body FROM entries WHERE log_index = 17) WHERE log_index"
        f" = {VICTIM}",
    )


@case("edited", "sequence_gap")
def an_entry_given_to_another_producer(log: Log) -> None:
    sql(log, f"UPDATE entries SET producer = '{'0' * 32}' WHERE log_index = {VICTIM}")


@case("schema_drift", at=VICTIM)
def a_hash_version_of_tomorrow(log: Log) -> None:
    sql(log, f"UPDATE entries SET hash_version = 2 WHERE log_index = {VICTIM}")


# -- their order and number -------------------------------------------------------------------


@case("reordered", at=VICTIM)
def two_rows_swapped(log: Log) -> None:
    with forging.forging(log.path) as database:
        forging.swap(database, VICTIM, VICTIM + 1)


@case("reordered")
def two_rows_swapped_and_all_hashed_again(log: Log) -> None:
    with forging.forging(log.path) as database:
        forging.swap(database, VICTIM, VICTIM + 20)
        forging.regrow(database)


@case("deleted", "sequence_gap", at=VICTIM)
def one_deleted_from_the_middle(log: Log) -> None:
    sql(log, f"DELETE FROM entries WHERE log_index = {VICTIM}")


@case("deleted", "sequence_gap", at=VICTIM)
def many_deleted_from_the_middle(log: Log) -> None:
    sql(log, f"DELETE FROM entries WHERE log_index BETWEEN {VICTIM} AND {VICTIM + 700}")


@case("deleted", "sequence_gap", at=0)
def the_beginning_deleted(log: Log) -> None:
    sql(log, "DELETE FROM entries WHERE log_index < 10")


@case("deleted", "sequence_gap")
def one_deleted_and_the_hole_closed(log: Log) -> None:
    with forging.forging(log.path) as database:
        database.execute(f"DELETE FROM entries WHERE log_index = {VICTIM}")
        forging.close_up(database, VICTIM)
        database.execute("UPDATE tree SET size = size - 1, hashes = hashes")
        forging.regrow(database)
        add_harmless(log, database)


def add_harmless(log: Log, database: Any) -> None:
    """One entry more, of a producer of its own, so that the ledger has as many as before."""
    body = forging.edited(forging.body_of(database, 3), producer="ab" * 16, producer_seq=0)
    forging.add(database, body.replace(b'"id":"0', b'"id":"f'))
    forging.regrow(database)


@case("edited", "sequence_gap")
def one_put_in_between_and_the_rest_moved(log: Log) -> None:
    with forging.forging(log.path) as database:
        database.execute(f"UPDATE entries SET log_index = -log_index WHERE log_index > {VICTIM}")
        body = forging.body_of(database, VICTIM).replace(b'"id":"0', b'"id":"f')
        forging.add(database, body)
        database.execute("UPDATE entries SET log_index = -log_index + 1 WHERE log_index < 0")
        forging.regrow(database)


@case("sequence_gap")
def a_producers_number_used_twice(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.body_of(database, VICTIM).replace(b'"id":"0', b'"id":"f')
        forging.add(database, body)
        forging.regrow(database)


@case("sequence_gap")
def a_producer_that_does_not_begin_at_the_beginning(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, 3), producer="ab" * 16, producer_seq=5)
        forging.add(database, body.replace(b'"id":"0', b'"id":"f'))
        forging.regrow(database)


@case("edited")
def an_entry_added_without_the_tree(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, 3), producer="ab" * 16, producer_seq=0)
        forging.add(database, body.replace(b'"id":"0', b'"id":"f'))


@case("edited")
def an_entry_far_behind_the_last(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, 3), producer="ab" * 16, producer_seq=0)
        index = forging.add(database, body.replace(b'"id":"0', b'"id":"f'))
        database.execute("UPDATE entries SET log_index = ? WHERE log_index = ?", (2**62, index))


@case("edited")
def an_entry_before_the_first(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, 3), producer="ab" * 16, producer_seq=0)
        index = forging.add(database, body.replace(b'"id":"0', b'"id":"f'))
        database.execute("UPDATE entries SET log_index = -1 WHERE log_index = ?", (index,))


# -- its end ----------------------------------------------------------------------------------


@case("truncated", at=9_000)
def the_tail_deleted(log: Log) -> None:
    sql(log, "DELETE FROM entries WHERE log_index >= 9000")


@case("truncated", at=9_000)
def the_tail_cut_with_checkpoints_and_tree(log: Log) -> None:
    with forging.forging(log.path) as database:
        forging.cut(database, 9_000)


@case("truncated", at=9_000, vkey=False)
def the_same_without_a_key_to_go_by(log: Log) -> None:
    the_tail_cut_with_checkpoints_and_tree(log)


@case("truncated", at=9_000, side=False, witness=True)
def the_tail_cut_with_the_side_file_and_caught_by_a_witness(log: Log) -> None:
    the_tail_cut_with_checkpoints_and_tree(log)


@case("truncated")
def the_tail_cut_and_signed_again_where_it_ends_now(log: Log) -> None:
    with forging.forging(log.path) as database:
        sizes = [row[1] for row in forging.checkpoints(database)]
        size = next(each for each in range(sizes[4] + 1, ENTRIES) if each not in sizes)
        forging.cut(database, size)
        root = forging.roots(database, [size])[size]
        note = forging.sign(Checkpoint(origin_of(log), size, root), forging.signer_of(log.key))
        forging.add_note(database, note, size)


@case("forked")
def the_tail_cut_and_the_log_gone_on_with(log: Log) -> None:
    with forging.forging(log.path) as database:
        forging.cut(database, 9_000)
    # Out of the way: a system does not sign beside a side file that knows of more.
    aside = log.side.rename(log.side.with_name("aside"))
    with AuditSystem.open(log.path, service="later") as system:
        for number in range(ENTRIES // 4):
            system.audit.tell(Noted(number=number))
        system.flush(timeout=WAIT_S)
    aside.replace(log.side)


@case("edited")
def the_tail_cut_and_the_log_gone_on_with_unsigned(log: Log) -> None:
    with forging.forging(log.path) as database:
        forging.cut(database, 9_000)
        signed = forging.checkpoints(database)
    with AuditSystem.open(log.path, service="later") as system:
        for number in range(ENTRIES // 4):
            system.audit.tell(Noted(number=number))
    with closing(sqlite3.connect(log.path)) as database:
        assert forging.checkpoints(database) == signed


# -- all of it --------------------------------------------------------------------------------


def origin_of(log: Log) -> str:
    return log.vkey.name


def rewritten(log: Log) -> None:
    """With the log's own key: one entry changed, and all signed again."""
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, VICTIM), user_identity="nobody")
        forging.rewrite(database, VICTIM, body)
        forging.regrow(database)
        forging.sign_all(database, forging.signer_of(log.key))


@case("forked")
def all_hashed_and_signed_again_with_the_logs_own_key(log: Log) -> None:
    rewritten(log)


@case("forked", side=False, witness=True)
def the_same_caught_by_a_witness(log: Log) -> None:
    rewritten(log)


@case("edited", "unknown_key")
def the_whole_log_replaced_by_a_consistent_fake(log: Log) -> None:
    with forging.forging(log.path) as database:
        body = forging.edited(forging.body_of(database, VICTIM), user_identity="nobody")
        forging.rewrite(database, VICTIM, body)
        forging.regrow(database)
        thief = Signer.new(origin_of(log))
        forging.sign_all(database, thief)
        said = LogKey(origin_of(log), thief.vkey, 0, None).as_text()
        note = Note(said, (thief.sign(said),)).as_text()
        database.execute("UPDATE signed_notes SET note = ? WHERE kind = 'key'", (note,))


@case("edited", "unknown_key", vkey=False)
def the_same_fake_with_a_side_file_alone(log: Log) -> None:
    the_whole_log_replaced_by_a_consistent_fake(log)


@case("unknown_key", "truncated")
def another_honest_log_in_its_place(log: Log) -> None:
    for path in log.path.parent.glob("audit.db*"):
        if path != log.side:
            path.unlink() if path.is_file() else None
    with AuditSystem.open(log.path, checkpoints_path=log.path.with_name("other.log")) as system:
        system.audit.tell(Noted(number=1))


# -- what was signed --------------------------------------------------------------------------


@case("reordered")
def an_old_checkpoint_replayed(log: Log) -> None:
    with forging.forging(log.path) as database:
        _, size, note = forging.checkpoints(database)[2]
        forging.add_note(database, note, size)


@case("bad_signature")
def a_checkpoint_of_another_log_with_the_same_key(log: Log) -> None:
    with forging.forging(log.path) as database:
        note = forging.sign(
            Checkpoint("minutebook/other", ENTRIES * 2, bytes(32)), forging.signer_of(log.key)
        )
        forging.add_note(database, note, ENTRIES * 2)


@case("unknown_key")
def a_checkpoint_by_an_unknown_key(log: Log) -> None:
    with forging.forging(log.path) as database:
        thief = Signer.new(origin_of(log))
        forging.add_note(
            database, forging.sign(Checkpoint(origin_of(log), 10**6, bytes(32)), thief), 10**6
        )


@case("unknown_key")
def a_key_that_nobody_endorsed_and_its_checkpoint(log: Log) -> None:
    with forging.forging(log.path) as database:
        thief = Signer.new(origin_of(log))
        said = LogKey(origin_of(log), thief.vkey, ENTRIES, log.vkey).as_text()
        forging.add_note(database, Note(said, (thief.sign(said),)).as_text(), ENTRIES, "key")
        forging.add_note(
            database, forging.sign(Checkpoint(origin_of(log), 10**6, bytes(32)), thief), 10**6
        )


@case("bad_signature")
def a_checkpoint_with_another_root(log: Log) -> None:
    with forging.forging(log.path) as database:
        number, size, text = forging.checkpoints(database)[4]
        note = Note.of_text(text)
        other = Checkpoint(origin_of(log), size, bytes(32)).as_text()
        changed = note._replace(text=other).as_text()
        database.execute("UPDATE signed_notes SET note = ? WHERE number = ?", (changed, number))


@case("bad_signature")
def a_signature_with_a_single_bit_changed(log: Log) -> None:
    with forging.forging(log.path) as database:
        number, _, text = forging.checkpoints(database)[4]
        note = Note.of_text(text)
        line = note.signatures[0]
        bad = line._replace(signature=bytes([line.signature[0] ^ 1]) + line.signature[1:])
        changed = note._replace(signatures=(bad,)).as_text()
        database.execute("UPDATE signed_notes SET note = ? WHERE number = ?", (changed, number))


@case("bad_signature")
def a_note_that_is_none(log: Log) -> None:
    sql(log, "UPDATE signed_notes SET note = 'trust me' WHERE number = 4")


@case("edited")
def a_checkpoint_in_a_row_that_says_another_size(log: Log) -> None:
    sql(log, "UPDATE signed_notes SET size = size + 1 WHERE number = 4")


@case("deleted")
def a_checkpoint_deleted_from_the_middle(log: Log) -> None:
    sql(log, "DELETE FROM signed_notes WHERE number = 4")


@case("deleted")
def the_newest_checkpoints_deleted(log: Log) -> None:
    sql(log, "DELETE FROM signed_notes WHERE number > 4")


@case("bad_signature")
def a_checkpoint_changed_in_the_side_file(log: Log) -> None:
    lines = log.side.read_text().split("\n")
    place = [number for number, line in enumerate(lines) if line == origin_of(log)][3]
    lines[place + 1] = str(int(lines[place + 1]) + 1)
    log.side.write_text("\n".join(lines))


@case("bad_signature")
def a_line_of_the_side_file_that_is_no_signature(log: Log) -> None:
    text = log.side.read_text()
    log.side.write_text(text.replace("=\n\n", "!\n\n", 1)[: len(text)])


@case("edited")
def a_stored_node_of_the_tree(log: Log) -> None:
    sql(log, "UPDATE tree_nodes SET hash = zeroblob(32) WHERE level = 8 AND position = 3")


@case("edited")
def a_stored_node_high_up_in_the_tree(log: Log) -> None:
    sql(log, "UPDATE tree_nodes SET hash = zeroblob(32) WHERE level = 11 AND position = 1")


@case("edited")
def the_stored_range_of_the_tree(log: Log) -> None:
    sql(log, "UPDATE tree SET hashes = zeroblob(length(hashes))")


@case("edited")
def another_id_of_the_ledger(log: Log) -> None:
    sql(log, f"UPDATE ledger SET ledger_id = '{'0' * 32}'")


# -- the file itself --------------------------------------------------------------------------


def in_the_file(log: Log) -> tuple[bytearray, int]:
    """The bytes of the file, and where the stored bytes of the victim are."""
    with closing(sqlite3.connect(log.path)) as database:
        body = forging.body_of(database, VICTIM)
    data = bytearray(log.path.read_bytes())
    assert data.count(body[-120:]) == 1
    return data, data.index(body[-120:])


@case("edited", at=VICTIM)
def a_single_bit_of_the_file(log: Log) -> None:
    data, place = in_the_file(log)
    data[place] ^= 1
    log.path.write_bytes(data)


@case("edited", "sequence_gap", at=VICTIM)
def a_page_of_the_file_overwritten(log: Log) -> None:
    data, place = in_the_file(log)
    first = place // 4096 * 4096
    data[first : first + 4096] = bytes(4096)
    log.path.write_bytes(data)


# -- the database, and the journal ------------------------------------------------------------


@case("schema_drift")
def a_trigger_left_out(log: Log) -> None:
    with closing(sqlite3.connect(log.path)) as database:
        database.execute("DROP TRIGGER entries_are_never_deleted")


@case("schema_drift")
def a_trigger_that_lets_deletions_through(log: Log) -> None:
    with closing(sqlite3.connect(log.path)) as database:
        database.execute("DROP TRIGGER entries_are_never_deleted")
        database.execute(
            "CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries BEGIN SELECT 1; END"
        )


@case("schema_drift")
def a_trigger_of_the_thiefs_own(log: Log) -> None:
    with closing(sqlite3.connect(log.path)) as database:
        database.execute(
            "CREATE TRIGGER quiet BEFORE INSERT ON entries WHEN NEW.user_identity = 'mallory'"
            " BEGIN SELECT RAISE(IGNORE); END"
        )


@case("schema_drift")
def an_index_left_out(log: Log) -> None:
    with closing(sqlite3.connect(log.path)) as database:
        database.execute("DROP INDEX entries_by_id")


@case("unrecovered_journal")
def a_journal_of_a_process_that_died(log: Log) -> None:
    directory = log.path.with_name("audit.db.journal.d")
    journal = Journal(directory, "0d" * 16, event_bytes_max=256 * 1024)
    for number in range(3):
        journal.append(new_encoder().encode_head(Counted(who="dead", number=number)))
    journal.leave("it died.")


@pytest.mark.parametrize("name", CASES)
def test_it_is_named(name: str, log: Log) -> None:
    wanted = CASES[name]
    wanted.do(log)

    report = verified(log, **wanted.how)

    assert {finding.kind for finding in report.findings} == wanted.kinds, report.findings
    assert report.verdict == "failed"
    if wanted.at is not None:
        assert wanted.at in {finding.log_index for finding in report.findings}, report.findings
    for finding in report.findings:
        assert finding.detail.endswith(".")


def test_there_are_many() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("how", [{}, {"vkey": False}, {"side": False}, {"witness": True}], ids=str)
def test_the_honest_ledger_itself_is_fine(honest: Log, how: dict[str, bool]) -> None:
    report = verified(honest, **how)
    assert report.findings == ()
    assert report.verdict == "ok"
    assert report.signed_size == report.entries > ENTRIES


def test_all_of_several_is_reported_past_the_first(log: Log) -> None:
    a_single_bit_of_the_stored_bytes(log)
    sql(log, "UPDATE entries SET user_identity = 'x' WHERE log_index IN (7, 9000)")
    sql(log, "DELETE FROM entries WHERE log_index = 700")
    a_note_that_is_none(log)

    report = verified(log)

    found = [(finding.kind, finding.log_index) for finding in report.findings]
    assert found == [
        ("edited", 7),
        ("deleted", 700),
        ("sequence_gap", found[2][1]),
        ("edited", VICTIM),
        ("edited", 9000),
        ("bad_signature", None),
    ]


def test_workers_find_the_same(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches are looked at by processes, and put together in their order."""
    alone = verify_ledger(log.path)
    monkeypatch.setattr(verifying, "ENTRIES_A_STRETCH", 1024)
    monkeypatch.setattr(verifying, "WORKERS_FROM", 0)
    places: list[int] = []
    together = verify_ledger(log.path, workers=2, progress=lambda done, _: places.append(done))
    assert together == alone
    assert places == [*range(0, together.entries, 1024), together.entries]

    two_rows_swapped(log)
    sql(log, "DELETE FROM entries WHERE log_index BETWEEN 1000 AND 1100")

    assert verify_ledger(log.path, workers=2) == verify_ledger(log.path)
    assert len(verify_ledger(log.path).findings) >= 3


def test_a_cut_off_side_file_is_no_forgery(log: Log) -> None:
    """Its last note may never have been written whole; it is written again behind that."""
    whole = log.side.read_bytes()
    notes = read_side_log(log.side)
    last = whole.rstrip(b"\n").rfind(b"\n\n" + origin_of(log).encode()) + 2
    for length in range(last, len(whole) - 3):
        log.side.write_bytes(whole[:length])
        pieces = read_side_log(log.side)
        assert [piece.note for piece in pieces if not piece.cut_off] == [
            piece.note for piece in notes[:-1]
        ]
        log.side.write_bytes(whole[:length] + b"\n\n" + whole[last:])
        pieces = read_side_log(log.side)
        assert [piece.note for piece in pieces if not piece.cut_off] == [
            piece.note for piece in notes
        ]
    assert verified(log, vkey=False).findings == ()


def test_the_side_file_is_caught_up_by_who_writes_next(log: Log) -> None:
    """Cut off, or lost: with the next checkpoint all is there again."""
    whole = log.side.read_text()
    log.side.write_text(whole[:-60])
    with AuditSystem.open(log.path) as system:
        system.audit.tell(Noted(number=0))
    assert log.side.read_text().startswith(whole[:-60])
    assert verified(log, vkey=False).findings == ()
    log.side.unlink()
    with AuditSystem.open(log.path) as system:
        system.audit.tell(Noted(number=0))
    assert log.side.read_text().startswith(whole)
