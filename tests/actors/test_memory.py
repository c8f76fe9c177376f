"""A known allocation is seen, by the kernel's mark and by sampling."""

import mmap

import psutil
import pytest
import torch

from actors.memory import PeakMemory

BLOCK_BYTES = 512 * 2**20


def touch_and_free() -> None:
    """Every page of BLOCK_BYTES in and out again: mapped directly, so that malloc keeps nothing."""
    with mmap.mmap(-1, BLOCK_BYTES) as block:
        for page in range(0, BLOCK_BYTES, mmap.PAGESIZE):
            block[page] = 1


@pytest.mark.parametrize(("force_sampling", "method"), [(False, "vmhwm"), (True, "sampled")])
def test_a_known_allocation_is_seen_within_5_percent(force_sampling: bool, method: str) -> None:
    before_bytes = psutil.Process().memory_info().rss
    with PeakMemory([torch.device("cpu")], force_sampling=force_sampling) as memory:
        touch_and_free()
    seen_bytes = memory.columns["peak_rss_bytes"] - before_bytes
    assert memory.columns["peak_rss_method"] == method
    assert abs(seen_bytes - BLOCK_BYTES) < 0.05 * BLOCK_BYTES


def test_an_earlier_peak_is_forgotten() -> None:
    touch_and_free()
    with PeakMemory([torch.device("cpu")]) as memory:
        pass
    assert memory.columns["peak_rss_bytes"] - psutil.Process().memory_info().rss < 0.05 * BLOCK_BYTES


def test_a_cpu_row_has_no_gpu_columns() -> None:
    with PeakMemory([torch.device("cpu")]) as memory:
        pass
    assert set(memory.columns) == {"peak_rss_bytes", "peak_rss_method"}
