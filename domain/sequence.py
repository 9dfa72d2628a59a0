"""Each producer's numbers: counted from 0, in the ledger's order, without holes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from minutebook.domain.finding import Finding


class Run(NamedTuple):
    """Entries of a producer whose numbers follow one another."""

    log_index: int
    """Of the first of them."""
    first_seq: int
    """Its number."""
    next_seq: int
    """The number after the last: an ``audit.gap`` may stand for several."""


class _Hole(NamedTuple):
    first_seq: int
    next_seq: int
    log_index: int


class Sequences:
    """Follows the runs of all producers through a ledger.

    Args:
        from_start: whether the ledger is looked at from its first entry: else a producer may
            begin with any number.
    """

    def __init__(self, *, from_start: bool = True) -> None:
        self._from_start = from_start
        self._expected: dict[str, int] = {}
        self._holes: dict[str, list[_Hole]] = {}
        self._findings: list[Finding] = []

    def follow(self, producer: str, runs: Iterable[Run]) -> None:
        """Take the next runs of a producer, in the ledger's order."""
        for run in runs:
            expected = self._expected.get(producer)
            if expected is None:
                expected = 0 if self._from_start else run.first_seq
            if run.first_seq >= expected:
                if run.first_seq > expected:
                    hole = _Hole(expected, run.first_seq, run.log_index)
                    self._holes.setdefault(producer, []).append(hole)
                self._expected[producer] = run.next_seq
            else:
                self._look_back(producer, run)
                self._expected[producer] = max(expected, run.next_seq)

    def _look_back(self, producer: str, run: Run) -> None:
        holes = self._holes.get(producer, [])
        for hole in holes:
            if hole.first_seq <= run.first_seq and run.next_seq <= hole.next_seq:
                holes.remove(hole)
                if hole.first_seq < run.first_seq:
                    holes.append(hole._replace(next_seq=run.first_seq))
                if run.next_seq < hole.next_seq:
                    holes.append(hole._replace(first_seq=run.next_seq))
                self._findings.append(
                    Finding(
                        "reordered",
                        hole.log_index,
                        f"producer {producer}: {_numbers(run.first_seq, run.next_seq)} at entry"
                        f" {run.log_index} should stand before entry {hole.log_index}.",
                    )
                )
                return
        self._findings.append(
            Finding(
                "sequence_gap",
                run.log_index,
                f"producer {producer}: {_numbers(run.first_seq, run.next_seq)} a second time.",
            )
        )

    def holes(self) -> list[int]:
        """Return before which entries a number of their producer is missing; at the end."""
        return [hole.log_index for holes in self._holes.values() for hole in holes]

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong; when all was followed."""
        yield from self._findings
        for producer, holes in self._holes.items():
            for hole in holes:
                yield Finding(
                    "sequence_gap",
                    hole.log_index,
                    f"producer {producer}: {_numbers(hole.first_seq, hole.next_seq)} missing before"
                    f" it, and no audit.gap says why.",
                )


def _numbers(first: int, following: int) -> str:
    if following - first == 1:
        return f"number {first}"
    return f"numbers {first} to {following - 1}"
