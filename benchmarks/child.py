"""One peer, in a process of its own: ``python -m benchmarks.child TASK RESULT``, both JSON.

The result is a file, since a library may print what it likes.
"""

import json
import mmap
import os
import resource
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import histogram, loops, peers
from benchmarks.peers.peer import Peer
from benchmarks.workload import bound

Task = dict[str, Any]

WARM_UP_CALLS = 2000
TIMELINE_BUCKET = 20
"""Calls of the open loop that make one point of the time line: 10 ms."""


def describe(peer: Peer) -> dict[str, Any]:
    """Say what the report needs to know of a peer, once it is open."""
    versions = {}
    for name in peer.needs:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "source"
    return {
        "title": peer.title,
        "kind": peer.kind,
        "returns": peer.returns,
        "stores": peer.stores,
        "many_processes": peer.many_processes,
        "settings": dict(peer.settings),
        "versions": versions,
    }


def latency(peer: Peer, task: Task) -> Task:
    """Measure both loops, each after all that came before is recorded."""
    directory, told = Path(task["directory"]), 0
    found: Task = {}
    with bound():
        warm_up = loops.closed(peer.emit, WARM_UP_CALLS, task["warm_up_s"])
        told += len(warm_up.taken_ns) - warm_up.rejected.total()
        for name in task["loops"]:
            peer.drain()
            if name == "closed":
                sample = loops.closed(peer.emit, task["calls"], task["closed_s"])
            else:
                sample = loops.paced(peer.emit, task["paced_s"])
            told += len(sample.taken_ns) - sample.rejected.total()
            found[name] = {
                "histogram": histogram.encode(sample.taken_ns),
                "calls": len(sample.taken_ns),
                "rejected": dict(sample.rejected),
                "per_second": len(sample.taken_ns) / (sample.elapsed_ns / 1e9),
            }
            if name == "open" and task.get("timeline"):
                found[name]["timeline"] = timeline(sample)
        peer.drain()
    peer.close()
    if peer.stores:
        recorded = peer.count(directory)
        found |= {"emitted": told, "recorded": recorded, "dropped": max(0, told - recorded)}
    if "timeline" in found.get("open", {}):
        line = found["open"]["timeline"]
        commits = peer.commits(directory, line["begun_at_us"], line["seconds"])
        line["commits_ms"] = commits
    return found


def timeline(sample: loops.Sample) -> Task:
    """Return the worst of each few calls of the open loop, in microseconds."""
    taken = sample.taken_ns
    return {
        "begun_at_us": sample.begun_at_us,
        "seconds": sample.elapsed_ns / 1e9,
        "bucket_ms": 1000 * TIMELINE_BUCKET / loops.PER_SECOND,
        "worst_us": [
            round(max(taken[at : at + TIMELINE_BUCKET]) / 1000, 1)
            for at in range(0, len(taken), TIMELINE_BUCKET)
        ],
    }


def throughput(peer: Peer, task: Task) -> Task:
    """Emit for about the time that is given, and wait until all of it is recorded."""
    with bound():
        begun = time.perf_counter()
        warm_up = loops.closed(peer.emit, WARM_UP_CALLS, 0.3)
        peer.drain()
        rate = len(warm_up.taken_ns) / (time.perf_counter() - begun)
        calls = task.get("calls") or min(max(round(rate * task["seconds"]), 200), 200_000)
        rss, cpu_s = rss_bytes(), time.process_time()
        begun = time.perf_counter()
        sample = loops.closed(peer.emit, calls, 10 * task.get("seconds", 6))
        emitted_s = time.perf_counter() - begun
        rss_after = rss_bytes()
        peer.drain()
        elapsed_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu_s
    peer.close()
    warmed = len(warm_up.taken_ns) - warm_up.rejected.total()
    told = len(sample.taken_ns) - sample.rejected.total()
    before = warmed + task.get("existing", 0)
    recorded = peer.count(Path(task["directory"])) - before if peer.stores else told
    return {
        "emitted": told,
        "recorded": recorded,
        "rejected": dict(sample.rejected),
        "per_second": recorded / elapsed_s,
        "emit_per_second": told / emitted_s,
        "us_an_event": elapsed_s / told * 1e6,
        "cpu_us_an_event": cpu_s / told * 1e6,
        "rss_growth_bytes": max(0, rss_after - rss),
    }


def until_killed(peer: Peer, task: Task) -> Task:
    """Emit until somebody kills us; what has returned is counted in shared memory."""
    with Path(task["counter"]).open("r+b") as file:
        # One store a number. `Struct.pack_into` fills with zeros first, and a kill between the
        # two would leave nothing acknowledged.
        counter = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    emit = peer.emit
    acknowledged = 0

    def acknowledge() -> None:
        nonlocal acknowledged
        emit()
        acknowledged += 1
        counter[0] = acknowledged

    with bound():
        while True:
            if task["paced"]:
                loops.paced(acknowledge, 60)
            else:
                loops.closed(acknowledge, 10_000_000, 60)


def count(peer: Peer, task: Task) -> Task:
    """Open what a killed process left, let it recover, and count."""
    peer.drain()
    peer.close()
    return {"recorded": peer.count(Path(task["directory"]))}


def beside(peer: Peer, task: Task) -> Task:
    """Emit at the same time as others do, and wait until all of it is recorded."""
    ready, go = Path(task["ready"]), Path(task["go"])
    with bound():
        peer.emit()
        peer.drain()
        ready.touch()
        while not go.exists():
            time.sleep(0.001)
        begun = time.perf_counter()
        sample = loops.closed(peer.emit, 2_000_000, task["seconds"])
        peer.drain()
        elapsed_s = time.perf_counter() - begun
    peer.close()
    told = len(sample.taken_ns) - sample.rejected.total()
    return {
        "emitted": told + 1,
        "elapsed_s": elapsed_s,
        "per_second": told / elapsed_s,
        "rejected": dict(sample.rejected),
        "latency_us": histogram.read(histogram.merged([histogram.encode(sample.taken_ns)])),
    }


def rss_bytes() -> int:
    """Return the resident memory of this process now; its peak where the system has no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGESIZE")


TASKS = {
    "latency": latency,
    "throughput": throughput,
    "until_killed": until_killed,
    "count": count,
    "beside": beside,
}


def main() -> int:
    """Run the task of the first argument; the result goes to the file of the second."""
    task: Task = json.loads(sys.argv[1])
    result = Path(sys.argv[2])
    directory = Path(task["directory"])
    directory.mkdir(parents=True, exist_ok=True)
    try:
        peer = peers.load(task["peer"])
        peer.open(directory)
    except ImportError as error:
        result.write_text(json.dumps({"skipped": str(error)}), encoding="utf-8")
        return 0
    about = describe(peer)
    found = TASKS[task["task"]](peer, task)
    result.write_text(json.dumps({"about": about, **found}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
