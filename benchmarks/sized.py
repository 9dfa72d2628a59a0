"""A ledger that is filled to a size, through the product's own storage.

1,000 users take turns at random, an event occurs every 0.26 s, and each has an id
made by time, as events have.
"""

from __future__ import annotations

import random
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from benchmarks.peers.minutebook import NAME
from benchmarks.peers.raw_apsw import encoder
from benchmarks.workload import bound, build
from minutebook.actors.ledger.sqlite import SqliteLedger
from minutebook.domain.encoding import with_producer
from minutebook.domain.envelope import new_id

USERS = 1000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL_US = 259_200
"""An event every 0.26 s: ten millions are thirty days."""
BATCH = 4096

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK_SIZES = (10_000, 100_000)


def user(number: int) -> str:
    """Return the identity of a user."""
    return f"user-{number:04}@example.com"


class SizedLedger:
    """A ledger in a directory, which grows.

    Args:
        directory: where; the ledger has the name that the peers open.
        size: how many of its entries were filled in before.
    """

    def __init__(self, directory: Path, size: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.path = directory / NAME
        self.size = size
        # A producer of its own, whose numbers begin at 0, like each system that is opened.
        self._bodies = _make_bodies(size, secrets.token_hex(16))

    def bodies(self, entries: int) -> list[bytes]:
        """Return what would come next."""
        return [next(self._bodies) for _ in range(entries)]

    def grow(self, size: int) -> None:
        """Fill up to a size."""
        ledger = SqliteLedger(self.path, encoder())
        try:
            while self.size < size:
                bodies = self.bodies(min(BATCH, size - self.size))
                ledger.append(bodies)
                self.size += len(bodies)
        finally:
            ledger.close()


class Ledgers:
    """Ledgers of several sizes, below one directory; those that are there already are used.

    Args:
        directory: each has a directory of its own in it, named by its size.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, size: int) -> SizedLedger:
        """Return the ledger of a size; begun from a smaller one where there is one."""
        place = self._directory / str(size)
        done = place / "filled"
        if done.exists():
            return SizedLedger(place, size)
        if place.exists():
            shutil.rmtree(place)
        smaller = [int(one.name) for one in self._directory.glob("*") if one.name.isdigit()]
        base = max((one for one in smaller if one < size), default=0)
        if base and (self._directory / str(base) / "filled").exists():
            shutil.copytree(self._directory / str(base), place)
            (place / "filled").unlink()
        else:
            base = 0
        ledger = SizedLedger(place, base)
        ledger.grow(size)
        done.touch()
        return ledger


def moment_of(number: int) -> datetime:
    """Return when the entry of an index occurred."""
    return BEGIN + timedelta(microseconds=INTERVAL_US * number)


def _make_bodies(first: int, producer: str) -> Iterator[bytes]:
    with bound():
        event = build()
    body = with_producer(encoder().encode_head(event), producer, 0)
    occurred_at = event.occurred_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    places = (event.id, occurred_at, event.user_identity or "", '"producer_seq":0')
    text, parts = body.decode("utf-8"), []
    for place in places:
        before, found, text = text.partition(place)
        assert found, (place, body)
        parts.append(before)
    to_id, to_time, to_user, to_seq = parts
    rng = random.Random(first)
    for number in count(first):
        yield (
            f"{to_id}{new_id()}{to_time}{moment_of(number).strftime('%Y-%m-%dT%H:%M:%S.%f')}Z"
            f'{to_user}{user(rng.randrange(USERS))}{to_seq}"producer_seq":{number - first}{text}'
        ).encode()
