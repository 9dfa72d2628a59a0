"""Works of plans under test: what a child process imports by name and runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from minutebook.actors.work.context import WorkContext

PIDS = "pids.ignored"
"""Where `family` says whom it started; ignored by git."""

GO = "go.ignored"
"""What `wait_for_go` waits for."""

_SLEEPER = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
)


def write(ctx: WorkContext) -> None:
    ctx.step("change", total=2)
    (ctx.path / "README.md").write_text("one\n2\nthree\nfour\n")
    ctx.step("create", total=2)
    (ctx.path / "new.txt").write_text("a\nb\n")
    print("written")


def add_one(ctx: WorkContext) -> None:
    (ctx.path / f"added-{ctx.plan_id}.txt").write_text("a\n")


def nothing(ctx: WorkContext) -> None:
    ctx.step("look")


def every_kind(ctx: WorkContext) -> None:
    """One file created, modified, deleted, renamed, binary, made executable; odd names too."""
    (ctx.path / "created.txt").write_text("1\n2\n3\n")
    (ctx.path / "README.md").write_text("one\nTWO\nthree\n")
    (ctx.path / "deleted.txt").unlink()
    (ctx.path / "renamed.txt").rename(ctx.path / "moved.txt")
    (ctx.path / "picture.bin").write_bytes(bytes(range(256)) * 4)
    (ctx.path / "tool.sh").chmod(0o755)
    for name in (
        b"caf\xe9.txt",
        b'with "quotes".txt',
        b"tab\there.txt",
        b"line\nend.txt",
        b" lead",
    ):
        Path(os.fsdecode(os.fsencode(ctx.path) + b"/" + name)).write_text("x\n")


def greet(ctx: WorkContext) -> None:
    """Decides, checkpoints, decides again, and writes what the guidance says, or goodbye."""
    first = ctx.decide("Greet at all?", choice="yes", alternatives=["no"])
    (ctx.path / "README.md").write_text("")
    ctx.checkpoint("before the word")
    word = ctx.guidance or "goodbye"
    ctx.decide("Which word?", choice=word, rationale="it is kind", parent=first)
    (ctx.path / "README.md").write_text(f"{word}\n")
    ctx.tool("cat", ["cat", "README.md"])


def note_attempt(ctx: WorkContext) -> None:
    with (ctx.path / "attempts.txt").open("a") as file:
        file.write(f"{ctx.attempt} {ctx.guidance}\n")


def add(first: int, second: int, *, secret: str) -> int:
    return first + second


def use_tools(ctx: WorkContext) -> None:
    first = ctx.decide("Which?", choice="a", alternatives=["b", "c"])
    (ctx.path / "new.txt").write_text("half\n")
    ctx.checkpoint("half")
    ctx.decide("And then?", choice="on", parent=first)
    for _ in range(2):
        assert ctx.tool("adder", add, 1, 2, secret="s3cret") == 3
    try:
        ctx.tool("adder", add, 1)
    except TypeError:
        pass
    assert ctx.tool("git", ["git", "status"], "--short", capture_output=True).stdout == b""
    assert ctx.tool("false", ["false"]).returncode == 1
    for wrong in (
        {"choice": ""},
        {"choice": "x" * 5000},
        {"choice": "c", "alternatives": "x" * 51},
    ):
        try:
            ctx.decide("q", **wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def write_everywhere(ctx: WorkContext) -> None:
    for name, path in ctx.paths.items():
        (path / "said.txt").write_text(name)


def grow(ctx: WorkContext) -> None:
    for number in range(9):
        ctx.step(f"grow {number}", total=9)
        (ctx.path / f"file {number}").write_text("x" * 1000)
    time.sleep(600)


def commit_itself(ctx: WorkContext) -> None:
    (ctx.path / "own.txt").write_text("own\n")
    who = ("-c", "user.name=Worker", "-c", "user.email=worker@example.com")
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", *who, "commit", "-qm", "The work's own commit"], check=True)
    (ctx.path / "left.txt").write_text("left\n")


def tell_who(ctx: WorkContext) -> None:
    said = {"identity": ctx.identity, "session": ctx.session_id, "request": ctx.correlation_id}
    (ctx.path / "who.json").write_text(json.dumps(said))


SECRET = "hunter2-hunter2"


def fail_with_a_secret(ctx: WorkContext) -> None:
    raise ValueError(f"the server refused api_key={SECRET}")


def fail(ctx: WorkContext) -> None:
    ctx.step("first", total=3)
    (ctx.path / "half.txt").write_text("half\n")
    ctx.step("second")
    raise ValueError("no luck")


def leave(ctx: WorkContext) -> None:
    sys.exit(7)


def die(ctx: WorkContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def chatter(ctx: WorkContext) -> None:
    for number in range(200_000):
        print("line", number)


def wait_for_go(ctx: WorkContext) -> None:
    ctx.step("wait", total=2)
    (ctx.path / "late.txt").write_text("late\n")
    ctx.step("waiting", total=2)
    while not (ctx.path / GO).exists() and not ctx.cancelled:
        time.sleep(0.01)


def family(ctx: WorkContext) -> None:
    """Itself, a child in its group, and one that left for a session of its own; none obeys."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctx.step("prepare", total=3)
    (ctx.path / "half.txt").write_text("half\n")
    pids = [os.getpid()]
    for name, own_session in (("child.ignored", False), ("escaped.ignored", True)):
        subprocess.Popen(
            [sys.executable, "-c", _SLEEPER, str(ctx.path / name)], start_new_session=own_session
        )
        while not (ctx.path / name).exists() or not (ctx.path / name).read_text():
            time.sleep(0.01)
        pids.append(int((ctx.path / name).read_text()))
    ctx.step("sleep", total=3)
    (ctx.path / "pids.part.ignored").write_text(" ".join(map(str, pids)))
    (ctx.path / "pids.part.ignored").rename(ctx.path / PIDS)
    time.sleep(600)


def brood(ctx: WorkContext) -> None:
    """Itself and a child, both of which obey; and a temporary file."""
    ctx.step("hatch", total=2)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (ctx.temporary / "shell").write_text("broken")
    (ctx.path / "half.txt").write_text("half\n")
    (ctx.path / "pids.part.ignored").write_text(f"{os.getpid()} {child.pid}")
    (ctx.path / "pids.part.ignored").rename(ctx.path / PIDS)
    ctx.step("brood")
    while not ctx.cancelled:
        time.sleep(0.01)
    child.kill()
    child.wait()
