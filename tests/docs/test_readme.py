"""Every example of the README runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^minutebook .*audit\.db.*$", re.MULTILINE)


def python_blocks() -> list[str]:
    return PYTHON_BLOCK.findall(README.read_text(encoding="utf-8"))


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=100)


def test_each_block_runs_in_the_order_of_the_page(tmp_path: Path) -> None:
    """One directory serves all blocks, as it would for somebody who tries them in turn."""
    blocks = python_blocks()
    assert len(blocks) >= 5
    for block in blocks:
        result = run([sys.executable, "-W", "error", "-c", block], tmp_path)
        assert result.returncode == 0, f"{block}\n{result.stdout}\n{result.stderr}"


def test_the_first_block_prints_a_receipt_and_a_healthy_system(tmp_path: Path) -> None:
    """The first example is the promise: two orders and a session, each committed."""
    result = run([sys.executable, "-c", python_blocks()[0]], tmp_path)
    index, health = result.stdout.splitlines()
    assert index == "2"
    assert "status='ok'" in health
    assert "backlog=0" in health


@pytest.mark.parametrize("command", COMMAND.findall(README.read_text(encoding="utf-8")))
def test_each_command_line_is_accepted(command: str, tmp_path: Path) -> None:
    """The commands of the README work on the ledger of its first example."""
    run([sys.executable, "-c", python_blocks()[0]], tmp_path)
    arguments = command.split("#")[0].split("|")[0].replace("'", "").split()[1:]
    arguments = ["1" if argument == "42" else argument for argument in arguments]
    result = run([sys.executable, "-m", "minutebook.actors.cli", *arguments], tmp_path)
    assert result.returncode == 0, result.stderr
