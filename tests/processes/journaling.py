"""A process that tells through a journal of its own, without a system, or recovers.

``python -m tests.processes.journaling DIRECTORY tell THREADS [EVENT_BYTES_MAX]`` prints its
producer, and the number of each event once its append has returned, until it is killed;
``... recover LEDGER`` recovers into an SQLite ledger when it is told to by a line;
``... start COUNT`` makes and deletes so many journals, and fails if one lost its files;
``... full`` appends on a disk that has room for two segments; ``... hold`` owns until a line comes.
"""

import resource
import secrets
import signal
import sys
import threading
from pathlib import Path

from minutebook.actors.ledger.journal import Journal
from minutebook.actors.ledger.owner import OWNER_SUFFIX
from minutebook.actors.ledger.recovery import has_orphans, recover
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.errors import JournalError
from tests.contract.trail import Counted, new_encoder


def tell(directory: Path, threads: int, taking: bool) -> None:
    encoder = new_encoder()
    journal = Journal(directory, secrets.token_hex(16), event_bytes_max=1024)
    print(journal.producer, flush=True)

    def run(who: int) -> None:
        number = 0
        while True:
            head = encoder.encode_head(Counted(who=str(who), number=number, note="n" * 700))
            journal.append(head)
            print(f"{who} {number}\n", end="", flush=True)
            number += 1

    for who in range(threads):
        threading.Thread(target=run, args=(who,), daemon=True).start()
    if taking:
        ledger = SqliteLedger(directory.with_name("audit.db"), encoder)
        while True:
            bodies, _ = journal.take(64)
            if bodies:
                ledger.append(bodies)
                journal.release()
    threading.Event().wait()


def recover_into(directory: Path, path: Path) -> None:
    encoder = new_encoder()
    ledger = SqliteLedger(path, encoder)
    print("ready", flush=True)
    sys.stdin.readline()
    results = recover(directory, ledger, encoder)
    print(sum(result.committed for result in results), flush=True)
    ledger.close()


def start(directory: Path, count: int) -> None:
    head = new_encoder().encode_head(Counted(who="x", number=0))
    for _ in range(count):
        journal = Journal(directory, secrets.token_hex(16), event_bytes_max=1024)
        journal.append(head)
        names = [path.name for path in directory.glob(f"{journal.producer}*")]
        assert sorted(names) == [
            f"{journal.producer}-{0:016d}.journal",
            f"{journal.producer}{OWNER_SUFFIX}",
        ], names
        assert journal.take(10)[0]
        journal.release()
        journal.end(keep=False)


def look(directory: Path) -> None:
    """Recover all the time; there is nothing that it may take."""
    encoder = new_encoder()
    ledger = SqliteLedger(directory.with_name(f"{secrets.token_hex(4)}.db"), encoder)
    print("ready", flush=True)
    while True:
        has_orphans(directory)
        for result in recover(directory, ledger, encoder):
            print(f"took {result.producer}", flush=True)


def full(directory: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    encoder = new_encoder()
    journal = Journal(directory, "0a" * 16, event_bytes_max=1024)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    number = 0
    try:
        while True:
            journal.append(encoder.encode_head(Counted(who="x", number=number, note="n" * 900)))
            number += 1
    except JournalError as error:
        print(number, error, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    for more in range(number, number + 2000):
        journal.append(encoder.encode_head(Counted(who="x", number=more, note="n" * 900)))
    print(number + 2000, flush=True)


def hold(directory: Path) -> None:
    journal = Journal(directory, "0b" * 16, event_bytes_max=1024)
    journal.append(new_encoder().encode_head(Counted(who="held", number=0)))
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    where, what = Path(sys.argv[1]), sys.argv[2]
    match what:
        case "tell":
            tell(where, int(sys.argv[3]), taking=sys.argv[4] == "taking")
        case "recover":
            recover_into(where, Path(sys.argv[3]))
        case "start":
            start(where, int(sys.argv[3]))
        case "look":
            look(where)
        case "full":
            full(where)
        case "hold":
            hold(where)
