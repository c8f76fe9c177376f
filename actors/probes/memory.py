"""Peak memory of timed code, on every device of a model and on the host; always in bytes.

On GPUs: the allocator's peaks, and the device's total use for memory that the allocator does not see. On the host: the
kernel's high-water mark, which is reset before the timed code and read after it, so that no sampling thread runs
meanwhile. A thread samples only if /proc does not allow the reset; then the row's `peak_rss_method` says so.
"""

import contextlib
import gc
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psutil
import torch

CLEAR_REFS: Final = Path("/proc/self/clear_refs")
STATUS: Final = Path("/proc/self/status")
RESET_PEAK_RSS: Final = "5"
SAMPLE_S: Final = 0.005


@dataclass(frozen=True)
class MemoryUse:
    """Bytes in use at one moment, or peaks of them; the allocator's bytes by the name of the CUDA device."""

    allocated: Mapping[str, int]
    reserved: Mapping[str, int]
    rss: int


def memory_use(devices: Sequence[torch.device]) -> MemoryUse:
    """Return the memory in use now; unused memory counts too, until models.load.release_memory returns it."""
    cuda = _cuda_only(devices)
    synchronize(cuda)
    return MemoryUse(
        allocated={str(device): torch.cuda.memory_allocated(device) for device in cuda},
        reserved={str(device): torch.cuda.memory_reserved(device) for device in cuda},
        rss=_rss_bytes(),
    )


class PeakMemory:
    """Context manager that measures peaks; after its exit `columns` holds them."""

    def __init__(self, devices: Sequence[torch.device], *, force_sampling: bool = False) -> None:
        self._cuda = _cuda_only(devices)
        self._sampler = None if not force_sampling and _can_reset_peak() else _Sampler()
        self._peak = MemoryUse({}, {}, 0)
        self.columns: dict[str, Any] = {}

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        for device in self._cuda:
            torch.cuda.reset_peak_memory_stats(device)
        synchronize(self._cuda)
        if self._sampler is None:
            CLEAR_REFS.write_text(RESET_PEAK_RSS)
        else:
            self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        synchronize(self._cuda)
        self._peak = MemoryUse(
            allocated={str(device): torch.cuda.max_memory_allocated(device) for device in self._cuda},
            reserved={str(device): torch.cuda.max_memory_reserved(device) for device in self._cuda},
            rss=_high_water_mark_bytes() if self._sampler is None else self._sampler.stop(),
        )
        self.columns = {
            "peak_rss_bytes": self._peak.rss,
            "peak_rss_method": "sampled" if self._sampler else "vmhwm",
        }
        if self._cuda:
            self.columns |= {
                "peak_allocated_bytes": sum(self._peak.allocated.values()),
                "peak_reserved_bytes": sum(self._peak.reserved.values()),
                "peak_device_used_bytes": sum(map(_device_used_bytes, self._cuda)),
            }

    def above_baseline(self, baseline: MemoryUse) -> dict[str, int]:
        """Return columns of the peaks less `baseline`: the memory in use with the model loaded and nothing running."""
        columns = {"peak_rss_beyond_model_bytes": self._peak.rss - baseline.rss}
        if self._cuda:
            columns |= {
                "peak_allocated_beyond_model_bytes": _sum_above(self._peak.allocated, baseline.allocated),
                "peak_reserved_beyond_model_bytes": _sum_above(self._peak.reserved, baseline.reserved),
            }
        return columns

    @property
    def by_device(self) -> dict[str, str]:
        """Columns of the allocator's peaks as JSON, from device name to bytes; empty without a CUDA device."""
        if not self._cuda:
            return {}
        return {
            "peak_allocated_by_device_bytes": json.dumps(self._peak.allocated),
            "peak_reserved_by_device_bytes": json.dumps(self._peak.reserved),
        }


def synchronize(devices: Sequence[torch.device]) -> None:
    """Wait for every CUDA device of `devices`; torch's own call waits for the current one only."""
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)


def _cuda_only(devices: Sequence[torch.device]) -> list[torch.device]:
    return [device for device in devices if device.type == "cuda"]


def _sum_above(peak: Mapping[str, int], baseline: Mapping[str, int]) -> int:
    return sum(peak[device] - baseline[device] for device in peak)


def _can_reset_peak() -> bool:
    with contextlib.suppress(OSError):
        CLEAR_REFS.write_text(RESET_PEAK_RSS)
        return "VmHWM" in STATUS.read_text()
    return False


def _high_water_mark_bytes() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _device_used_bytes(device: torch.device) -> int:
    free_bytes, total_bytes = torch.cuda.mem_get_info(device)
    return int(total_bytes - free_bytes)


class _Sampler(threading.Thread):
    """Thread that samples the resident set, for systems that do not let the high-water mark be reset."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._peak_bytes = 0

    def run(self) -> None:
        while not self._done.wait(SAMPLE_S):
            self._sample()

    def stop(self) -> int:
        self._done.set()
        self.join()
        self._sample()
        return self._peak_bytes

    def _sample(self) -> None:
        self._peak_bytes = max(self._peak_bytes, _rss_bytes())
