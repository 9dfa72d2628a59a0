"""Interrupts a Jupyter kernel, and restarts it: ``python -m tests.crash.notebook LEDGER``."""

import sys

from jupyter_client.manager import KernelManager

OPEN = """
from minutebook.actors import AuditSystem
from tests.contract.trail import Counted
system = AuditSystem.open({path!r})
"""

TELL = """
for number in range({first}, {first} + 100):
    system.audit.tell(Counted(who={who!r}, number=number))
"""

LOOP = """
import time
system.audit.ask(Counted(who="looping", number=0))
print("looping", flush=True)
while True:
    time.sleep(0.01)
"""

WAIT_S = 60.0


def run(client, code: str, *, expect: str = "ok") -> None:  # type: ignore[no-untyped-def]
    reply = client.execute_interactive(code, timeout=WAIT_S, output_hook=lambda _: None)
    assert reply["content"]["status"] == expect, reply


def main(path: str) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=WAIT_S)
    try:
        run(client, OPEN.format(path=path) + TELL.format(who="cell", first=0))
        waiting = client.execute(LOOP)
        while True:
            message = client.get_iopub_msg(timeout=WAIT_S)
            if message["content"].get("text", "").startswith("looping"):
                break
        manager.interrupt_kernel()
        while True:
            reply = client.get_shell_msg(timeout=WAIT_S)
            if reply["parent_header"].get("msg_id") == waiting:
                break
        assert reply["content"]["ename"] == "KeyboardInterrupt", reply
        print("interrupted")
        run(client, TELL.format(who="cell", first=100) + "system.flush(timeout=30)")
        print("committed")
        run(client, TELL.format(who="cell", first=200))
        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=WAIT_S)
        print("restarted")
        run(client, OPEN.format(path=path))
        run(client, 'system.audit.ask(Counted(who="next kernel", number=0)).get(timeout=30)')
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main(sys.argv[1])
