"""A process that reads a ledger: ``python -m tests.processes.reading LEDGER hold|busy``.

``hold`` keeps one transaction open until its input ends; ``busy`` reads again and again.
"""

import sys
import threading

import apsw

from minutebook.actors import LedgerReader

if __name__ == "__main__":
    path, how = sys.argv[1:]
    if how == "hold":
        connection = apsw.Connection(path)
        connection.execute("BEGIN; SELECT count(*) FROM entries").fetchall()
        print("reading", flush=True)
        sys.stdin.read()
        connection.close()
    else:
        ended = threading.Event()

        def wait_for_end() -> None:
            sys.stdin.read()
            ended.set()

        threading.Thread(target=wait_for_end, daemon=True).start()
        print("reading", flush=True)
        with LedgerReader(path) as reader:
            while not ended.is_set():
                sum(1 for _ in reader.entries(limit=2000))
