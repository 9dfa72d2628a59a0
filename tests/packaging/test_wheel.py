"""The built wheel, installed in a clean environment outside the checkout.

Slow, and in need of a package index: only `make wheel-test` and CI run it.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]

HOST_APP = '''\
"""A host application with packages of its own named `actors` and `domain`."""

import actors
import domain
from minutebook.actors import AuditSystem
from minutebook.domain import AuditEvent, bind


class OrderShipped(AuditEvent, type="order.shipped"):
    """A parcel left the warehouse."""

    order_id: str
    lines: int


def main() -> None:
    with AuditSystem.open("audit.db") as system:
        with bind(identity="alice@example.com", correlation_id="req-1"):
            system.audit.tell(OrderShipped(order_id=domain.ORDER, lines=3))
            receipt = system.audit.ask(OrderShipped(order_id="A-18", lines=1)).get(timeout=5)
        system.flush(timeout=5)
    print(actors.GREETING, receipt.log_index)


if __name__ == "__main__":
    main()
'''


@dataclass(frozen=True)
class Installed:
    """A clean virtual environment that holds the wheel, what it depends on and no more."""

    wheel: Path
    bin: Path

    def run(self, program: str, *arguments: str | Path, cwd: Path) -> str:
        """Run a program of this environment; what it printed."""
        run = run_clean([self.bin / program, *arguments], cwd=cwd)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


def run_clean(command: Sequence[str | Path], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with none of the developer's settings for Python, mypy or Minutebook."""
    ours = ("PYTHON", "MYPY", "MINUTEBOOK_", "VIRTUAL_ENV")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build source archive and wheel from a copy without leftovers, and install the wheel."""
    source = tmp_path_factory.mktemp("source") / "checkout"
    leftovers = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=leftovers)
    build = run_clean([sys.executable, "-m", "build", source], cwd=source)
    assert build.returncode == 0, build.stdout + build.stderr
    (wheel,) = (source / "dist").glob("*.whl")

    place = tmp_path_factory.mktemp("environment")
    venv.create(place / "venv", with_pip=True)
    clean = Installed(wheel=wheel, bin=place / "venv" / "bin")
    clean.run("python", "-m", "pip", "install", "--quiet", wheel, cwd=place)
    return clean


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The folder of a host application with top-level `actors` and `domain` packages."""
    for package, line in [("actors", 'GREETING = "shipped"'), ("domain", 'ORDER = "A-17"')]:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(line + "\n")
    (tmp_path / "app.py").write_text(HOST_APP)
    return tmp_path


def test_the_wheel_holds_every_source_file_and_nothing_else(installed: Installed) -> None:
    """Each file of the two folders is there below minutebook/; beside it only metadata."""
    expected = {
        "minutebook/" + path.relative_to(ROOT).as_posix()
        for folder in ("actors", "domain")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".typed"} and "__pycache__" not in path.parts
    }
    expected |= {"minutebook/actors/py.typed", "minutebook/domain/py.typed"}
    expected |= {"minutebook/actors/ledger/schema.sql"}

    with zipfile.ZipFile(installed.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == expected


def test_no_common_name_is_importable_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """Of the checkout's folders none is importable by its bare name."""
    code = (
        "import importlib.util as u; "
        "print([n for n in ('actors', 'benchmarks', 'domain', 'tests') if u.find_spec(n)])"
    )

    printed = installed.run("python", "-c", code, cwd=tmp_path)

    assert printed.strip() == "[]"


def test_a_host_with_its_own_actors_and_domain_embeds_minutebook(
    installed: Installed, host: Path
) -> None:
    """The host tells, asks and reads back, while its own two packages stay its own."""
    app = installed.run("python", "app.py", cwd=host)
    log = installed.run(
        "minutebook", "log", "audit.db", "--type", "order.*", "--format", "jsonl", cwd=host
    )

    entries = [json.loads(line) for line in log.splitlines()]
    assert [entry["payload"] for entry in entries] == [
        {"order_id": "A-17", "lines": 3},
        {"order_id": "A-18", "lines": 1},
    ]
    assert {entry["user_identity"] for entry in entries} == {"alice@example.com"}
    assert {entry["correlation_id"] for entry in entries} == {"req-1"}
    assert app.split() == ["shipped", str(entries[-1]["log_index"])]


def test_the_hosts_strict_type_check_sees_our_types(installed: Installed, host: Path) -> None:
    """py.typed is found in both packages: no `missing stubs`, no Any where a type belongs."""
    (host / "wrong.py").write_text(HOST_APP.replace("lines=3", 'lines="3"'))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable"]
    mypy.append(str(installed.bin / "python"))

    right = run_clean([*mypy, "app.py"], cwd=host)
    wrong = run_clean([*mypy, "wrong.py"], cwd=host)

    assert right.returncode == 0, right.stdout + right.stderr
    assert 'Argument "lines" to "OrderShipped" has incompatible type "str"' in wrong.stdout


def test_the_import_brings_nothing_that_only_some_services_need(
    installed: Installed, tmp_path: Path
) -> None:
    """The host's import does not load argon2, tomlkit, pydantic_settings, typer or rich."""
    code = (
        "import sys; from minutebook.actors import AuditSystem; "
        "heavy = {'argon2', 'cryptography', 'tomlkit', 'pydantic_settings', 'typer', 'rich'}; "
        "print(sorted(heavy.intersection(sys.modules)))"
    )

    printed = installed.run("python", "-c", code, cwd=tmp_path)

    assert printed.strip() == "[]"


def test_the_command_is_installed(installed: Installed, tmp_path: Path) -> None:
    """`minutebook --help` names the commands."""
    printed = installed.run("minutebook", "--help", cwd=tmp_path)

    for command in ("demo", "log", "show"):
        assert command in printed
