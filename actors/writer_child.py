"""The process that commits for another one: ``python writer_child.py DESCRIPTOR``.

Until the host's `sys.path` is known only the standard library can be imported here.
"""

from __future__ import annotations

import json
import socket
import sys


def main() -> int:
    """Commit what the process at the other end of the socket journals, until it ends."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # Unbuffered, which reads byte by byte: commands may be behind the line already.
    line = control.makefile("rb", buffering=0).readline()
    if not line.endswith(b"\n"):
        return 1  # the host died first
    description = json.loads(line)
    sys.path[:] = description["sys_path"]

    from minutebook.actors.writer import Writer

    return Writer(control, description).run()


if __name__ == "__main__":
    sys.exit(main())
