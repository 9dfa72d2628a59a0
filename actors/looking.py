"""Looking at something now and then, on a thread of its own."""

from __future__ import annotations

import threading

from minutebook.actors.ledger.flag import Flag
from minutebook.actors.unhurried import be_unhurried


class Looker:
    """Looks every so many seconds, until it is stopped.

    Args:
        name: the thread's.
        interval_s: seconds between two looks.
    """

    def __init__(self, name: str, interval_s: float) -> None:
        self._interval_s = interval_s
        self._stopped = Flag()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what a look has begun is finished, if that takes no longer than one."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(self._interval_s)

    def look(self) -> None:
        """Look once; raises nothing."""
        raise NotImplementedError

    def _run(self) -> None:
        be_unhurried()
        while not self._stopped.wait(self._interval_s):
            self.look()
