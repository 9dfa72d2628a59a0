"""A module of the host's with works in it, and a sandbox directory to run them in."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

WORKS = '''
import json, os, pathlib, signal, subprocess, sys, time

def write(ctx):
    ctx.step("first", total=2)
    (ctx.path / "made").write_text("made")
    ctx.step("second", total=2)
    print("printed", os.getcwd())

def tell_all(ctx):
    pathlib.Path("told").write_text(json.dumps({
        "plan_id": ctx.plan_id, "identity": ctx.identity, "session_id": ctx.session_id,
        "correlation_id": ctx.correlation_id, "binding": ctx.binding, "path": str(ctx.path),
        "argv": sys.argv, "environment": dict(os.environ), "name": __name__,
    }))

def fail(ctx):
    ctx.step("first", total=3)
    ctx.step("second")
    raise ValueError("no luck")

def leave(ctx):
    sys.exit(7)

def crash(ctx):
    ctx.step("only")
    os.kill(os.getpid(), signal.SIGSEGV)

def chatter(ctx):
    for i in range(40_000):
        print("line", i)
    ctx.step("talked")
    sys.stdout.buffer.write(b"\\xff end")

def many_steps(ctx):
    for i in range(5_000):
        ctx.step(f"step {i}", total=5_000)

def obedient(ctx):
    ctx.step("waiting")
    while not ctx.cancelled:
        time.sleep(0.01)
    (ctx.path / "tidied").touch()

def stubborn(ctx):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctx.step("waiting")
    time.sleep(600)

def sleeper(ctx):
    ctx.step("waiting")
    time.sleep(600)

NOTE = "import os,sys,time,signal; signal.signal(15, signal.SIG_IGN); "
NOTE += "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"

def family(ctx):
    """Itself, a child in the group, and one that left it for a session of its own."""
    pids = [str(os.getpid())]
    for name, options in (("child", {}), ("escaped", {"start_new_session": True})):
        subprocess.Popen([sys.executable, "-c", NOTE, name], **options)
        while not (os.path.exists(name) and open(name).read()):
            time.sleep(0.01)
        pids.append(open(name).read())
    pathlib.Path("pids").write_text(" ".join(pids))
    ctx.step("born")
    if os.path.exists("end"):
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def bad_steps(ctx):
    for arguments in (("",), (None,), ("x", 0), ("x", "y")):
        try:
            ctx.step(*arguments)
        except ValueError:
            continue
        raise AssertionError(arguments)
    ctx.step("n" * 100_000)

def noting(ctx):
    ctx.decide("q \\ud800", choice="c")
    for fd in range(3, 64):
        try:
            os.write(fd, b'{"note": 1}\\n{"note": "x", "fields": 2}\\n')
        except OSError:
            pass
    ctx.tool("len", len, [1])
    try:
        ctx.tool("exit", ["sh", "-c", "exit 3"], check=True)
    except subprocess.CalledProcessError:
        pass
    try:
        ctx.decide("q", choice="c", alternatives=["\\u1234" * 4000] * 20)
    except ValueError:
        return
    raise AssertionError("too long")

def garbage(ctx):
    for fd in range(3, 64):
        try:
            os.write(fd, b"not json\\n[1]\\n{\\"step\\": 5}\\n")
        except OSError:
            pass
    ctx.step("real")
'''


def is_running(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Fails unless a condition comes true; generous, for a busy machine."""

    def wait_for(condition: Callable[[], bool]) -> None:
        for _ in range(3_000):
            if condition():
                return
            time.sleep(0.01)
        pytest.fail("it never came true")

    return wait_for


@pytest.fixture
def all_dead(
    eventually: Callable[[Callable[[], bool]], None],
) -> Callable[[list[int]], None]:
    """Fails unless every process ends."""
    return lambda pids: eventually(lambda: not any(is_running(pid) for pid in pids))


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """An empty directory to work in."""
    path = tmp_path / "sandbox"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the module `plan_works`, put on this process's sys.path."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "plan_works.py").write_text(textwrap.dedent(WORKS))
    monkeypatch.syspath_prepend(str(folder))
    return folder
