"""Hosts that make processes: ``python -m tests.processes.hosts LEDGER HOST METHOD``.

Each worker opens a system of its own and leaves it open; nobody but the end of the worker
closes it. The host prints how many events were told.
"""

import multiprocessing
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from minutebook.actors import AuditSystem
from minutebook.domain import bind
from tests.contract.trail import Counted

WORKERS, TASKS, EVENTS = 2, 4, 50

system: AuditSystem


def open_own(path: str) -> None:
    global system
    system = AuditSystem.open(path)


def tell(task: int) -> None:
    with bind(identity=f"user {task}"):
        for number in range(EVENTS):
            system.audit.tell(Counted(who=str(task), number=number))


def work(path: str, task: int) -> None:
    open_own(path)
    tell(task)


def work_and_leave_a_thread(path: str, task: int) -> None:
    work(path, task)

    def late() -> None:
        # Behind the finalizers: multiprocessing waits for such threads last.
        time.sleep(0.3)
        system.audit.tell(Counted(who="late", number=task))

    threading.Thread(target=late).start()


def fail(path: str, task: int) -> None:
    work(path, task)
    sys.exit(3)


def run_processes(context: Any, target: Any, path: str, codes: set[int]) -> None:
    processes = [context.Process(target=target, args=(path, task)) for task in range(TASKS)]
    for at in range(0, TASKS, WORKERS):
        for process in processes[at : at + WORKERS]:
            process.start()
        for process in processes[at : at + WORKERS]:
            process.join()
    assert {process.exitcode for process in processes} == codes


def main(path: str, host: str, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    match host:
        case "process":
            run_processes(context, work, path, {0})
        case "process that fails":
            run_processes(context, fail, path, {3})
        case "process with a thread":
            run_processes(context, work_and_leave_a_thread, path, {0})
        case "pool":
            with context.Pool(WORKERS, open_own, (path,)) as pool:
                pool.map(tell, range(TASKS), 1)
                pool.close()
                pool.join()
        case "pool, terminated":
            with context.Pool(WORKERS, open_own, (path,)) as pool:
                pool.map(tell, range(TASKS), 1)
        case "pool, workers renewed":
            with context.Pool(WORKERS, open_own, (path,), maxtasksperchild=1) as pool:
                pool.map(tell, range(TASKS), 1)
                pool.close()
                pool.join()
        case "executor":
            with ProcessPoolExecutor(
                WORKERS, mp_context=context, initializer=open_own, initargs=(path,)
            ) as executor:
                list(executor.map(tell, range(TASKS)))


if __name__ == "__main__":
    main(*sys.argv[1:])
