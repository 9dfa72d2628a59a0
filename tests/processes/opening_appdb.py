"""Opens app databases that others open at the same moment.

``python -m tests.processes.opening_appdb DIRECTORY``; one a line, by its name.
"""

import sys
from pathlib import Path

from minutebook.actors.appdb import AppDatabase

if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        database = AppDatabase(Path(sys.argv[1]) / line.strip())
        print(len(database.rows("SELECT * FROM sessions")), flush=True)
