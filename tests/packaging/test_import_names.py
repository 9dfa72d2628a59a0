"""The names under which Minutebook is imported, and what an import brings along."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = ["actors", "domain"]

HEAVY = ["argon2", "cryptography", "pydantic_settings", "rich", "tomlkit", "typer"]
"""What only some services or the command line need; a host's import must not pay for it."""


def run_python(code: str, *, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter whose import path starts at `cwd`."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_not_importable_by_its_bare_name(folder: str) -> None:
    """Imported from the checkout as `domain` or `actors`, it says the right name at once."""
    run = run_python(f"import {folder}")

    assert run.returncode != 0
    last_line = run.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError: ")
    assert f"import minutebook.{folder}" in last_line


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_submodule_is_not_importable_by_its_bare_name(folder: str) -> None:
    """A second copy of the classes, under another name, would match no isinstance check."""
    module = next(path.stem for path in (ROOT / folder).glob("[a-z]*.py"))

    run = run_python(f"import {folder}.{module}")

    assert run.returncode != 0
    assert f"import minutebook.{folder}" in run.stderr


def test_the_import_brings_nothing_that_only_some_services_need(tmp_path: Path) -> None:
    """`from minutebook.actors import AuditSystem` loads no argon2, tomlkit, typer, ..."""
    run = run_python(
        "import json, sys; from minutebook.actors import AuditSystem; "
        "print(json.dumps(sorted(sys.modules)))",
        cwd=tmp_path,
    )

    assert run.returncode == 0, run.stderr
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert loaded.isdisjoint(HEAVY), sorted(loaded.intersection(HEAVY))


def test_the_import_starts_no_thread(tmp_path: Path) -> None:
    """Nothing happens until the host opens a system."""
    run = run_python(
        "import threading, minutebook.actors, minutebook.domain; print(threading.active_count())",
        cwd=tmp_path,
    )

    assert run.stdout.strip() == "1", run.stderr


def test_every_folder_with_code_is_listed_as_a_package() -> None:
    """A folder missing from pyproject.toml would be missing from the wheel, without a word."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]

    found = {
        "minutebook." + ".".join(source.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for source in (ROOT / folder).rglob("*.py")
    }

    assert sorted(found) == sorted(listed)
