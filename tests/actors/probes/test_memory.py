"""A known allocation is measured: by the kernel's mark, by sampling, and by CUDA's allocator on every device."""

import json
import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
import torch

from actors.probes import memory as memory_module
from actors.probes.memory import MemoryUse, PeakMemory, memory_use

pytestmark = pytest.mark.slow

BLOCK_BYTES = 512 * 2**20
CPU = [torch.device("cpu")]
TWO_GPUS = [torch.device("cuda", 0), torch.device("cuda", 1)]


@contextmanager
def touched_block() -> Iterator[None]:
    """Hold BLOCK_BYTES of resident memory, mapped directly, so that malloc keeps none of it afterwards."""
    with mmap.mmap(-1, BLOCK_BYTES) as block:
        for page in range(0, BLOCK_BYTES, mmap.PAGESIZE):
            block[page] = 1
        yield


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Return a semaphore that is released each time that a sampler has taken a sample."""
    done = threading.Semaphore(0)
    sample = memory_module._Sampler._sample

    def sample_and_release(sampler: memory_module._Sampler) -> None:
        sample(sampler)
        done.release()

    monkeypatch.setattr(memory_module._Sampler, "_sample", sample_and_release)
    return done


def drain(samples: threading.Semaphore) -> None:
    while samples.acquire(blocking=False):
        pass


def use_and_free(samples: threading.Semaphore, method: str) -> None:
    with touched_block():
        if method == "sampled":  # a sample sees only memory that is held; the second one begins after the first
            drain(samples)
            assert samples.acquire(timeout=10)
            assert samples.acquire(timeout=10)


@pytest.mark.parametrize("method", ["vmhwm", "sampled"])
def test_a_known_allocation_is_seen_within_5_percent(method: str, samples: threading.Semaphore) -> None:
    baseline = memory_use(CPU)
    with PeakMemory(CPU, force_sampling=method == "sampled") as memory:
        use_and_free(samples, method)
    assert memory.columns["peak_rss_method"] == method
    beyond = memory.above_baseline(baseline)
    assert beyond["peak_rss_beyond_model_bytes"] == pytest.approx(BLOCK_BYTES, rel=0.05)
    assert memory.columns["peak_rss_bytes"] == baseline.rss + beyond["peak_rss_beyond_model_bytes"]


@pytest.mark.parametrize("method", ["vmhwm", "sampled"])
def test_an_earlier_peak_is_forgotten(method: str, samples: threading.Semaphore) -> None:
    with touched_block():
        pass
    with PeakMemory(CPU, force_sampling=method == "sampled") as memory:
        pass
    assert memory.columns["peak_rss_bytes"] - psutil.Process().memory_info().rss < 0.05 * BLOCK_BYTES


def test_what_was_there_before_counts_as_rest() -> None:
    with touched_block():
        baseline = memory_use(CPU)
        with PeakMemory(CPU) as memory:
            pass
    assert abs(memory.above_baseline(baseline)["peak_rss_beyond_model_bytes"]) < 0.05 * BLOCK_BYTES
    assert memory.columns["peak_rss_bytes"] > BLOCK_BYTES


def test_a_cpu_row_has_no_gpu_columns() -> None:
    with PeakMemory(CPU) as memory:
        pass
    assert set(memory.columns) == {"peak_rss_bytes", "peak_rss_method"}
    assert set(memory.above_baseline(memory_use(CPU))) == {"peak_rss_beyond_model_bytes"}
    assert memory.by_device == {}


class FakeAllocator:
    """Fakes torch.cuda's counters of two devices: reserved is allocated plus a cache; work counts at the next sync."""

    CACHE = 7

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = dict.fromkeys(TWO_GPUS, 0)
        self.peak = dict(self.now)
        self._running = dict(self.now)
        for name in (
            "synchronize",
            "reset_peak_memory_stats",
            "memory_allocated",
            "memory_reserved",
            "max_memory_allocated",
            "max_memory_reserved",
            "mem_get_info",
        ):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    def launch(self, device: torch.device, allocated: int) -> None:
        """Launch work that needs `allocated` bytes until the next sync."""
        self._running[device] = allocated

    def synchronize(self, device: torch.device) -> None:
        self.peak[device] = max(self.peak[device], self.now[device] + self._running[device])
        self._running[device] = 0

    def reset_peak_memory_stats(self, device: torch.device) -> None:
        self.peak[device] = self.now[device]

    def memory_allocated(self, device: torch.device) -> int:
        return self.now[device]

    def memory_reserved(self, device: torch.device) -> int:
        return self.now[device] + self.CACHE

    def max_memory_allocated(self, device: torch.device) -> int:
        return self.peak[device]

    def max_memory_reserved(self, device: torch.device) -> int:
        return self.peak[device] + 2 * self.CACHE

    def mem_get_info(self, device: torch.device) -> tuple[int, int]:
        return 1000 - self.now[device], 1000


def test_peaks_of_several_devices_by_device_in_sum_and_beyond_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeAllocator(monkeypatch)
    first, second = TWO_GPUS
    cuda.now = {first: 100, second: 50}
    cuda.launch(first, 800)
    baseline = memory_use([*TWO_GPUS, *CPU])
    with PeakMemory([*TWO_GPUS, *CPU]) as memory:
        cuda.launch(first, 10)
        cuda.launch(second, 30)
    assert memory.columns["peak_allocated_bytes"] == 110 + 80
    assert memory.columns["peak_reserved_bytes"] == 110 + 80 + 2 * 14
    assert memory.columns["peak_device_used_bytes"] == 100 + 50
    assert json.loads(memory.by_device["peak_allocated_by_device_bytes"]) == {"cuda:0": 110, "cuda:1": 80}
    assert json.loads(memory.by_device["peak_reserved_by_device_bytes"]) == {"cuda:0": 124, "cuda:1": 94}
    beyond = memory.above_baseline(baseline)
    assert beyond["peak_allocated_beyond_model_bytes"] == 10 + 30
    assert beyond["peak_reserved_beyond_model_bytes"] == 10 + 30 + 2 * 7


def test_rest_is_of_the_devices_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeAllocator(monkeypatch)
    cuda.now = {TWO_GPUS[0]: 100, TWO_GPUS[1]: 50}
    baseline = memory_use(TWO_GPUS[1:])
    assert baseline == MemoryUse({"cuda:1": 50}, {"cuda:1": 57}, baseline.rss)
