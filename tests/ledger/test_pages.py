"""Pages of mapped files: in memory before they are needed, and zeroed, without the interpreter."""

import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minutebook.actors.ledger import pages
from minutebook.actors.ledger.foreign import load_ctypes
from minutebook.actors.ledger.pages import populate, zero

SIZE = 64 * mmap.PAGESIZE


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[mmap.mmap]:
    path = tmp_path / "file"
    path.write_bytes(b"x" * SIZE)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE) as made:
        yield made


@pytest.fixture(params=[True, False], ids=["ctypes", "no ctypes"])
def with_ctypes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    load_ctypes.cache_clear()
    if not request.param:
        monkeypatch.setitem(sys.modules, "ctypes", None)
    yield request.param
    load_ctypes.cache_clear()


@pytest.mark.usefixtures("with_ctypes")
def test_only_the_stretch_is_zeroed(mapped: mmap.mmap) -> None:
    """To the byte, also where it begins and ends within a page."""
    zero(mapped, 100, SIZE - 5)
    assert mapped[:] == b"x" * 100 + bytes(SIZE - 105) + b"x" * 5
    zero(mapped, 0, 0)
    assert mapped[:100] == b"x" * 100


@pytest.mark.usefixtures("with_ctypes")
def test_populating_changes_nothing_that_is_in_the_file(mapped: mmap.mmap) -> None:
    """It can be done twice, and the map can be closed afterwards."""
    populate(mapped, 0, 4 * mmap.PAGESIZE)
    populate(mapped, 0, SIZE)
    assert mapped[:] == b"x" * SIZE


def mapped_kib(path: Path) -> int:
    """How much of a mapped file this process has in its page tables."""
    text = Path("/proc/self/smaps").read_text(encoding="utf-8")
    _, _, after = text.partition(str(path))
    line = next(line for line in after.splitlines() if line.startswith("Rss:"))
    return int(line.split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the pages")
def test_populated_pages_are_there_before_anybody_writes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    with mmap.mmap(-1, mmap.PAGESIZE) as other:
        try:
            other.madvise(pages._MADV_POPULATE_WRITE)
        except OSError:
            pytest.skip("the kernel is older than MADV_POPULATE_WRITE (5.14)")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE) as made:
        assert mapped_kib(path) == 0
        populate(made, 0, SIZE // 2)
        assert mapped_kib(path) >= SIZE // 2 // 1024
