"""A flag that may be set from within itself."""

import signal
import threading

import pytest

from minutebook.actors.ledger.flag import Flag
from tests.contract.trail import WAIT_S


def test_it_wakes_all_who_wait_and_those_who_come_later() -> None:
    flag = Flag()
    assert not flag.is_set()
    assert not flag.wait(0.0)
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(flag.wait(WAIT_S))) for _ in range(8)]
    for thread in threads:
        thread.start()
    flag.set()
    flag.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert woken == [True] * 8
    assert flag.is_set()
    assert flag.wait()


def test_taken_back_it_is_waited_for_again() -> None:
    flag = Flag()
    flag.set()
    flag.clear()
    assert not flag.is_set()
    assert not flag.wait(0.0)
    assert not flag.wait(0.0)
    flag.set()
    assert flag.wait(0.0)
    assert flag.wait(0.0)


def test_who_waits_and_takes_it_back_misses_no_setting() -> None:
    """Each setting is seen, by a wait or by the look before it."""
    flag, done = Flag(), Flag()
    counts = {"set": 0, "seen": 0}

    def run() -> None:
        while counts["seen"] < 2000:
            assert flag.wait(WAIT_S)
            flag.clear()
            counts["seen"] = counts["set"]
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not done.is_set():
        counts["set"] += 1
        flag.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()


@pytest.mark.timeout(30, method="thread")
def test_a_signal_handler_may_set_what_its_thread_is_setting() -> None:
    """However often it comes in the middle of it."""
    flag = Flag()
    handled = 0

    def handle(*_: object) -> None:
        nonlocal handled
        handled += 1
        flag.set()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        while handled < 300:
            flag.set()
            flag.clear()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    flag.set()
    assert flag.wait(0.0)
