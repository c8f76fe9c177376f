"""Pages that were read are counted as resident, and evicted pages are not."""

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.probes import page_cache
from actors.probes.page_cache import evict, read_in, resident_fraction
from actors.probes.storage import storage_of

PAGES = 700
SIZE_BYTES = (PAGES - 1) * mmap.PAGESIZE + 123
"""Size that makes the last page a part of the file only."""
NOBODY = 65534


def write(path: Path) -> Path:
    path.write_bytes(os.urandom(SIZE_BYTES))
    return path


def skip_in_memory(path: Path) -> None:
    """Skip on a file system in memory, by its name: a check by `evict` would skip the tests of a broken `evict`."""
    filesystem = storage_of(path).filesystem
    if filesystem in (None, "tmpfs", "ramfs"):
        pytest.skip(f"{path} lies on {filesystem or 'an unknown file system'}, which evicts nothing")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file whose pages are evicted, on a file system that can evict."""
    path = write(tmp_path / "file")
    skip_in_memory(path)
    evict([path])
    return path


def read_pages(path: Path, pages: int) -> None:
    """Read exactly the first `pages` pages, without the kernel's read-ahead."""
    with path.open("rb", buffering=0) as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        opened.read(pages * mmap.PAGESIZE)


def test_what_was_read_is_resident_until_it_is_evicted(file: Path) -> None:
    read_in([file])
    assert resident_fraction([file]) == pytest.approx(1, abs=0.1)  # the kernel may reclaim at any time
    evict([file])
    assert resident_fraction([file]) == 0


def test_pages_are_counted_one_by_one(file: Path) -> None:
    read_pages(file, 70)
    assert resident_fraction([file]) == 70 / PAGES


def test_a_file_larger_than_the_window_is_counted_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_pages(file, 70)
    monkeypatch.setattr(page_cache, "WINDOW_BYTES", 16 * mmap.PAGESIZE)
    assert resident_fraction([file]) == 70 / PAGES


def test_looking_reads_nothing(file: Path) -> None:
    assert [resident_fraction([file]) for _ in range(3)] == [0, 0, 0]


def test_files_count_by_their_pages(file: Path, tmp_path: Path) -> None:
    empty, small = tmp_path / "empty", tmp_path / "small"
    empty.touch()
    small.write_bytes(b"x")
    read_in([small])
    assert resident_fraction([file, empty, small]) == 1 / (PAGES + 1)
    assert resident_fraction([empty]) is None


def test_a_file_that_was_just_written_is_evicted_too(file: Path) -> None:
    write(file)
    assert resident_fraction([file]) == pytest.approx(1, abs=0.1)
    evict([file])
    assert resident_fraction([file]) == 0


def test_what_is_mapped_stays_and_is_seen(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[10 * mmap.PAGESIZE] is not None
        evict([file])
        fraction = resident_fraction([file])
    assert fraction is not None
    assert 0 < fraction < 0.5


def test_pages_that_the_kernel_hides_are_not_counted() -> None:
    with other_s_file() as file:
        evict([file])
        resident, pages = page_cache._count(file)
        assert resident_fraction([file]) is None
        assert resident == pages == PAGES, "it pretends: nothing can be resident now"


@contextmanager
def other_s_file() -> Iterator[Path]:
    """Yield a file of root, while this process runs as another user."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to have a file that belongs to another user")
    directory = Path(tempfile.mkdtemp())
    try:
        file = write(directory / "file")
        directory.chmod(0o755)
        skip_in_memory(file)
        evict([file])
        assert resident_fraction([file]) == 0
        os.seteuid(NOBODY)
        yield file
    finally:
        os.seteuid(0)
        shutil.rmtree(directory)
