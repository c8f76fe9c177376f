"""Files are called cold or warm only if they are."""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from actors.probes import cache_state, page_cache
from actors.probes.cache_state import bring_into, refuse_hidden_cache
from actors.probes.storage import Storage
from sweeps.errors import Unsupported
from tests.actors.probes.test_page_cache import skip_in_memory

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file in the page cache, on a file system that can evict."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(2**20))
    skip_in_memory(path)
    page_cache.read_in([path])
    return path


def test_both_states_can_be_had_again_and_again(file: Path) -> None:
    assert [bring_into(state, [file]) for state in ("cold", "warm", "cold", "cold")] == [0, 1, 0, 0]


def test_what_was_not_evicted_is_not_cold(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_state, "evict", lambda paths: None)
    with pytest.raises(Unsupported, match=rf"cold.*% of {file} stay in the page cache"):
        bring_into("cold", [file])


def test_what_another_has_mapped_is_not_cold(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[0] is not None
        with pytest.raises(Unsupported, match="a process has the files mapped"):
            bring_into("cold", [file])
    assert bring_into("cold", [file]) == 0


def test_a_file_system_in_memory_is_warm_only(tmp_path: Path) -> None:
    if not os.access(SHARED_MEMORY, os.W_OK):
        pytest.skip("no /dev/shm here")
    file = SHARED_MEMORY / f"{tmp_path.parent.name}-{tmp_path.name}"
    file.write_bytes(os.urandom(2**20))
    try:
        assert bring_into("warm", [file]) == 1
        with pytest.raises(Unsupported, match=r"cold.*100\.0% .*tmpfs"):
            bring_into("cold", [file])
    finally:
        file.unlink()


def test_what_does_not_stay_in_memory_is_not_warm(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_state, "read_in", page_cache.evict)
    page_cache.evict([file])
    with pytest.raises(Unsupported, match=rf"warm.* 0\.0% of {file}.*do not fit into free memory"):
        bring_into("warm", [file])


def test_where_the_kernel_hides_pages_nothing_is_cold_and_warm_is_null(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_state, "resident_fraction", lambda paths: None)
    assert bring_into("warm", [file]) is None
    with pytest.raises(Unsupported, match="the kernel does not tell"):
        bring_into("cold", [file])


def test_a_page_that_comes_back_once_is_evicted_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Sequence[Path]] = []

    def evict(paths: Sequence[Path]) -> None:
        calls.append(paths)
        page_cache.evict(paths)
        if len(calls) == 1:
            page_cache.read_in(paths)

    monkeypatch.setattr(cache_state, "evict", evict)
    assert bring_into("cold", [file]) == 0
    assert len(calls) == 2


@pytest.mark.parametrize(
    "storage", [Storage("tank/models", "zfs"), Storage("sshfs", "fuse.sshfs"), Storage("/dev/loop3", "squashfs")]
)
def test_a_second_cache_of_this_machine_is_refused(storage: Storage) -> None:
    with pytest.raises(Unsupported, match="cached a second time"):
        refuse_hidden_cache(storage)


@pytest.mark.parametrize("storage", [Storage("/dev/sda1", "ext4"), Storage("nas:/raid", "nfs4"), Storage(None, None)])
def test_other_storage_is_not(storage: Storage) -> None:
    refuse_hidden_cache(storage)
