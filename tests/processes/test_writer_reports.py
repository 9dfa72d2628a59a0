"""What the writer's process says to its host, and when."""

import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from minutebook.actors import writer_reports
from minutebook.actors.writer_reports import Reports

Pair = tuple[Reports, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        yield Reports(theirs, kept_events_max=10), ours


def heard(host: socket.socket) -> list[dict[str, Any]]:
    host.setblocking(False)
    try:
        return [json.loads(line) for line in host.recv(65536).splitlines()]
    except BlockingIOError:
        return []


def batch(first: int, to: int) -> dict[str, Any]:
    return {"first": first, "to": to, "last": [100 + to - 1, f"digest of {to - 1}", 1000 + to]}


def keep(reports: Reports, *bounds: int) -> None:
    for first, to in itertools.pairwise(bounds):
        reports.keep(batch(first, to), to - first)


def test_commits_that_nobody_waits_for_are_said_together(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the first: a writer that is killed soon has got somewhere."""
    monkeypatch.setattr(writer_reports, "KEPT_S", 3600.0)
    reports, host = pair
    keep(reports, 0, 1)
    reports.say_kept(at_once=False)
    assert heard(host) == [batch(0, 1)]
    keep(reports, 1, 3, 4, 6)
    reports.say_kept(at_once=False)
    assert heard(host) == []
    reports.say_kept(at_once=True)
    assert heard(host) == [batch(4, 6) | {"first": 1, "before": [[3, 102, 1003], [4, 103, 1004]]}]
    reports.say_kept(at_once=True)
    assert heard(host) == []


def test_they_are_said_when_they_are_due(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_reports, "KEPT_S", 0.0)
    reports, host = pair
    keep(reports, 0, 3)
    reports.say_kept(at_once=False)
    assert heard(host) == [batch(0, 3)]


def test_a_small_backlog_is_not_filled_by_what_is_committed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_reports, "KEPT_S", 3600.0)
    reports, host = pair
    keep(reports, 0, 10)
    assert heard(host) == []
    keep(reports, 10, 11)
    assert [message["to"] for message in heard(host)] == [11]


def test_what_is_said_at_once_comes_behind_what_is_kept(pair: Pair) -> None:
    """And a batch whose events had different ends is told apart from the others."""
    reports, host = pair
    each = {"first": 3, "to": 4, "each": [["DuplicateEvent", "other content"]]}
    keep(reports, 0, 3)
    reports.keep(each, 1)
    keep(reports, 4, 5)
    reports.say({"sleeping": 5})
    assert heard(host) == [batch(0, 3), each, batch(4, 5), {"sleeping": 5}]
