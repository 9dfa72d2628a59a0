"""A process that holds a lock file until it is killed: ``python -m tests.processes.holding LOCK``.

Of the standard library alone, so that it is there quickly.
"""

import fcntl
import os
import sys

if __name__ == "__main__":
    descriptor = os.open(sys.argv[1], os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
