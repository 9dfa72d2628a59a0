"""One file, several handles, processes and names."""

import threading
from pathlib import Path

import apsw
import pytest

from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder
from minutebook.domain.entry import Receipt
from minutebook.domain.errors import LedgerBusy
from tests.contract.trail import check_trail, counted, entries_of, many


def test_a_link_and_its_file_share_all_side_files(tmp_path: Path, encoder: Encoder) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    real, link = tmp_path / "real" / "audit.db", tmp_path / "links" / "other-name.db"
    link.symlink_to(real)

    through, direct = SqliteLedger(link, encoder), SqliteLedger(real, encoder)
    through.append(many(encoder, 2, producer="0b" * 16))
    direct.append(many(encoder, 2, producer="0c" * 16))
    through.append(many(encoder, 2, first=2, producer="0b" * 16))
    direct.close()
    through.close()

    assert through.path == direct.path == real
    assert [file.name for file in (tmp_path / "links").iterdir()] == ["other-name.db"]
    check_trail(entries_of(link))
    assert len(entries_of(real)) == 6


def test_a_relative_path_and_a_name_with_odd_characters_work(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "a b%20?mode=memory#ü.db"
    ledger = SqliteLedger(name, encoder)
    ledger.append(many(encoder, 1))
    ledger.close()
    again = SqliteLedger(f"./{name}", encoder)
    again.append(many(encoder, 1, first=1))
    again.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [name, name + ".lock"]
    assert len(entries_of(tmp_path / name)) == 2


def test_handles_of_one_process_interleave_whole_batches(tmp_path: Path, encoder: Encoder) -> None:
    path = tmp_path / "audit.db"
    names = [f"{number:02x}" * 16 for number in range(4)]
    receipts: dict[str, list[Receipt]] = {name: [] for name in names}
    start = threading.Barrier(len(names))

    def write(name: str) -> None:
        ledger = SqliteLedger(path, encoder)
        start.wait()
        for batch in range(25):
            outcomes = ledger.append(many(encoder, 5, first=5 * batch, producer=name))
            receipts[name] += [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        ledger.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entries = entries_of(path)
    check_trail(entries)
    assert len(counted(entries)) == 4 * 125
    for name, given in receipts.items():
        assert [receipt.log_index for receipt in given] == [
            entry.log_index for entry in entries if entry.producer == name
        ]
    for start_index in range(0, len(entries), 5):
        assert len({entry.producer for entry in entries[start_index : start_index + 5]}) == 1


def test_a_handle_that_closes_takes_nothing_from_the_others(
    tmp_path: Path, encoder: Encoder
) -> None:
    # POSIX locks go when any descriptor of the file is closed; SQLite must see to that.
    path = tmp_path / "audit.db"
    one, other = SqliteLedger(path, encoder), SqliteLedger(path, encoder)
    one.append(many(encoder, 3, producer="0b" * 16))
    other.close()
    SqliteLedger(path, encoder).close()
    one.append(many(encoder, 3, first=3, producer="0b" * 16))
    one.close()
    check_trail(entries_of(path))


def test_a_foreign_write_lock_is_busy_after_the_timeout_and_nothing_is_entered(
    tmp_path: Path, encoder: Encoder
) -> None:
    path = tmp_path / "audit.db"
    ledger = SqliteLedger(path, encoder, busy_timeout_s=0.05)
    foreign = apsw.Connection(str(path))
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy, match="end its transaction"):
        ledger.append(many(encoder, 1))
    foreign.execute("ROLLBACK")
    foreign.close()
    ledger.append(many(encoder, 1))
    ledger.close()
    assert len(entries_of(path)) == 1


def test_a_row_from_a_foreign_hand_moves_the_next_index(tmp_path: Path, encoder: Encoder) -> None:
    path = tmp_path / "audit.db"
    ledger = SqliteLedger(path, encoder)
    ledger.append(many(encoder, 1))
    foreign = apsw.Connection(str(path))
    foreign.execute(
        "CREATE TEMP TABLE copy AS SELECT * FROM entries;"
        "UPDATE copy SET log_index = 1, id = 'by hand', producer = 'hand', producer_seq = 0;"
        "INSERT INTO entries SELECT * FROM copy"
    )
    foreign.close()
    (receipt,) = ledger.append(many(encoder, 1, first=1))
    assert isinstance(receipt, Receipt)
    assert receipt.log_index == 2
    ledger.close()
