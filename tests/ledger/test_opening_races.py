"""Several processes that open one ledger at the same moment."""

import subprocess
import sys
from pathlib import Path

import pytest

from minutebook.actors.ledger.reader import LedgerReader

OPENER = """
import sys
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import Encoder, with_producer
from minutebook.domain.events import ConfigChanged
from minutebook.domain.redaction import Redactor

path, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
encoder = Encoder(Redactor(b"k" * 32))
print("ready", flush=True)
sys.stdin.readline()
for number in range(times):
    ledger = SqliteLedger(path, encoder)
    event = ConfigChanged(key=name, scope="file")
    ledger.append([with_producer(encoder.encode_head(event), name * 32, number)])
    ledger.close()
"""


def open_together(path: Path, *, processes: int, times: int) -> None:
    """Start processes, wait until all are ready, and let them go at once."""
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(path), f"{number:x}", str(times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    errors = [opener.communicate()[1] for opener in openers]
    assert [error for error in errors if error] == []


@pytest.mark.parametrize("attempt", range(3))
def test_one_makes_the_ledger_and_none_takes_it_for_something_else(
    tmp_path: Path, attempt: int
) -> None:
    """A file that another process is just making a ledger of is no foreign database."""
    open_together(tmp_path / "l.db", processes=4, times=1)

    with LedgerReader(tmp_path / "l.db") as reader:
        assert reader.count() == 4


def test_opening_while_others_close_finds_no_damage(tmp_path: Path) -> None:
    """Closing, the last one moves its log into the file: half-way that looks cut off."""
    open_together(tmp_path / "l.db", processes=3, times=25)

    with LedgerReader(tmp_path / "l.db") as reader:
        assert reader.count() == 75
