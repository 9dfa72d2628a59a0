"""What the figures depend on: printed with each run, and kept with its results."""

import gc
import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import apsw

import minutebook.actors
from minutebook.actors.version import installed_version

LIBRARIES = ("apsw", "hdrhistogram", "orjson", "pydantic", "pykka")


def conditions(directory: Path, **more: object) -> dict[str, Any]:
    """Describe the machine, its load, the file system and the versions.

    Args:
        directory: where the peers record.
        more: what else the benchmark was told.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(directory),
        "commit": _commit(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "gc": f"{'on' if gc.isenabled() else 'off'}, {gc.get_threshold()}, collected before a loop",
        "versions": {name: metadata.version(name) for name in LIBRARIES},
        "sqlite_of_apsw": apsw.sqlite_lib_version(),
        "sqlite_of_python": sqlite3.sqlite_version,
        **more,
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _commit() -> str:
    """Return the commit of the Minutebook that is measured; its version where there is none."""
    place = Path(minutebook.actors.__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "-C", str(place), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
        ).stdout.strip()
    except OSError:
        found = ""
    return found or installed_version()


def _file_system(directory: Path) -> str:
    place, found = str(directory.resolve()), ("", "unknown")
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return found[1]
    for mount in mounts:
        _, point, kind, options, *_ = mount.split()
        inside = point == "/" or place == point or place.startswith(point + "/")
        if inside and len(point) > len(found[0]):
            found = (point, f"{kind} ({options})")
    return found[1]
