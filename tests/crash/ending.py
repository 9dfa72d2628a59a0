"""A host that ends in one of many ways: ``python -m tests.crash.ending LEDGER HOW``.

It tells 300 events, a third in each delivery class; what tells after that says so itself.
"""

import asyncio
import atexit
import faulthandler
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from minutebook.actors import AuditSystem, close_on_signals
from minutebook.domain.errors import AuditClosed
from tests.contract.trail import Counted

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def tell_all_classes(system: AuditSystem) -> None:
    for number in range(100):
        system.audit.tell(Counted(who="buffered", number=number), "buffered")
        system.audit.tell(Counted(who="journaled", number=number), "journaled")
    system.audit.tell_all((Counted(who="committed", number=n) for n in range(100)), "committed")
    # The last ones are on their way when the end comes.
    for number in range(100, 200):
        system.audit.tell(Counted(who="buffered", number=number), "buffered")
        system.audit.tell(Counted(who="journaled", number=number), "journaled")


def wait_for_the_end() -> NoReturn:
    print("ready", flush=True)
    while True:
        time.sleep(0.01)


def in_thread(work: Callable[[], object], *, daemon: bool = False) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=daemon)
    thread.start()
    return thread


def no_core_dump() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def tell_for_ever(system: AuditSystem, started: threading.Event) -> None:
    number = 0
    try:
        while True:
            system.audit.tell(Counted(who="thread", number=number))
            number += 1
            os.write(1, f"{number}\n".encode())  # its tell has returned
            started.set()
    except AuditClosed:
        os.write(1, b"refused\n")


def main(path: str, how: str) -> None:
    if how == "atexit before":  # runs last, when the system is closed
        atexit.register(lambda: tell_late("refused"))
    system = AuditSystem.open(path)

    def tell_late(who: str = "late") -> None:
        try:
            system.audit.tell(Counted(who=who, number=0))
        except AuditClosed:
            print("refused")

    tell_all_classes(system)
    match how:
        case "end" | "atexit before":
            pass
        case "sys.exit":
            sys.exit(3)
        case "exception":
            raise ZeroDivisionError
        case "sys.exit in a thread":
            in_thread(lambda: sys.exit(3)).join()
            tell_late()
        case "exception in a thread":
            in_thread(lambda: 1 / 0).join()
            tell_late()
        case "os._exit":
            os._exit(4)
        case "os.abort":
            no_core_dump()
            os.abort()
        case "segfault":
            no_core_dump()
            faulthandler._sigsegv()  # type: ignore[attr-defined]
        case "daemon thread":
            started = threading.Event()
            in_thread(lambda: tell_for_ever(system, started), daemon=True)
            started.wait()
        case "thread":

            def late() -> None:
                threading.main_thread().join()
                tell_late()

            in_thread(late)
        case "atexit":
            atexit.register(tell_late)
        case "logging":

            class Telling(logging.Handler):
                def emit(self, record: logging.LogRecord) -> None:
                    system.audit.tell(Counted(who="late", number=0, note=record.getMessage()))

            atexit.register(logging.getLogger("host").warning, "the end")
            logging.getLogger("host").addHandler(Telling())
        case "asyncio":

            async def serve() -> None:
                with close_on_signals(system):
                    try:
                        print("ready", flush=True)
                        # Not one long wait: asyncio.run has no wake-up for a SIGINT that comes
                        # just before the loop sleeps.
                        while True:  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                    finally:
                        tell_late()

            asyncio.run(serve())
        case "asyncio handler":

            async def serve_until() -> None:
                stopping = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
                with close_on_signals(system):
                    print("ready", flush=True)
                    await stopping.wait()
                    tell_late()

            asyncio.run(serve_until())
        case "handlers":
            close_on_signals(system, SIGNALS)
            try:
                wait_for_the_end()
            finally:
                tell_late()
        case "handlers while telling":
            close_on_signals(system, SIGNALS)
            tell_for_ever(system, threading.Event())
        case "handlers while closing":
            close_on_signals(system, SIGNALS)
            os.write(1, b"ready\n")
            system.close()
            wait_for_the_end()
        case "no handlers":
            try:
                wait_for_the_end()
            finally:
                tell_late()


if __name__ == "__main__":
    main(*sys.argv[1:])
