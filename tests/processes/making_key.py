"""A process that makes or reads a key file: ``python -m tests.processes.making_key FILE``."""

import sys
from pathlib import Path

from minutebook.actors.key_file import load_or_create_key

if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    print(load_or_create_key(Path(sys.argv[1])).hex(), flush=True)
