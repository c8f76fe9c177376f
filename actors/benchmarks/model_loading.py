"""model_loading: the time that a model's weights take from a drive, or from the page cache, to their devices.

Timed: `from_pretrained`, until every weight is in the memory of its device. Configuration, tokenizer, imports and any
download come before. Nothing stays loaded between two iterations.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field

from actors.benchmarks.base import OneTaskPerCell, Weights, timed_rows
from actors.benchmarks.model import ModelFactors, model_weights
from actors.probes.cache_state import CacheState, bring_into, refuse_hidden_cache
from actors.probes.storage import Storage, storage_of
from sweeps.plan.declaration import Factors, rehearsed_with
from sweeps.schema import COLUMNS, Columns
from sweeps.task import Row, Task

if TYPE_CHECKING:
    import torch

    from models.load import ModelMeta

NS_PER_S: Final = 1e9
DEFAULT_SOURCE: Final = "default"
OWN_IO: Final = Path("/proc/self/io")


def _check_source(source: str) -> str:
    if source != DEFAULT_SOURCE and not source.startswith("/"):
        raise ValueError(f"{source!r} is no source: write 'default', or a directory such as '/mnt/nvme'")
    return source


def _absolute_source(level: Any, base: Path) -> Any:
    """Return a level of `source`, or a list of levels, with its path made absolute."""
    if isinstance(level, list):
        return [_absolute_source(entry, base) for entry in level]
    if not isinstance(level, str) or level in ("", DEFAULT_SOURCE):
        return level
    return os.path.normpath(base / os.path.expanduser(level))  # noqa: PTH111 - pathlib raises for an unknown user


class ModelLoadingFactors(ModelFactors):
    """A model, where it comes from, and whether from the drive or from memory."""

    source: Annotated[str, AfterValidator(_check_source)] = Field(
        default=DEFAULT_SOURCE,
        description='place of the weight files: `"default"` is wherever the model\'s name leads; a directory, on the '
        "drive to measure, is a Hub cache or holds `org/name` or `name`",
        json_schema_extra=rehearsed_with(DEFAULT_SOURCE),
    )
    cache_state: CacheState = Field(
        default="warm",
        description='state of the page cache before each load: `"warm"` files were read before, `"cold"` files are '
        "evicted, and that is checked",
    )


class ModelLoading(OneTaskPerCell):
    """Loading and unloading of a model in every iteration; the worker holds no resource."""

    columns: ClassVar[Columns] = COLUMNS["model_loading"]
    factors: ClassVar[type[Factors]] = ModelLoadingFactors
    paths: ClassVar[Mapping[str, Callable[[Any, Path], Any]]] = {**OneTaskPerCell.paths, "source": _absolute_source}
    resource_kind: ClassVar[str | None] = None
    load_factors: ClassVar[tuple[str, ...]] = ()

    def load(self, factors: ModelLoadingFactors, devices: tuple[str, ...]) -> None:  # noqa: ARG002 - the protocol's
        """Import the libraries: the worker exempts from garbage collection all that is imported when this returns."""
        import models.load  # noqa: F401

    def weights(self, factors: ModelLoadingFactors, devices: tuple[str, ...]) -> Weights:
        """Return the weights that every iteration loads."""
        return model_weights(factors, devices)

    def unload(self, held: None) -> None:
        """Do nothing: the worker holds no resource."""

    def rows(
        self,
        held: None,  # noqa: ARG002 - the protocol's
        task: Task,
        factors: ModelLoadingFactors,
    ) -> Iterator[Row]:
        """Yield a row for each iteration."""
        target = find_target(factors)
        return timed_rows(task, lambda _: measure(target, factors))


@dataclass(frozen=True)
class LoadTarget:
    """A model to load and its devices: everything that is read before the clock starts."""

    meta: "ModelMeta"
    weights: tuple[Path, ...]
    storages: tuple[Storage, ...]
    devices: tuple[str, ...]

    @property
    def load_bytes(self) -> int:
        """Total size of the weight files."""
        return sum(path.stat().st_size for path in self.weights)


def find_target(factors: ModelLoadingFactors) -> LoadTarget:
    """Find the files, read all but the weights, and warm up the libraries of the load.

    Raises:
        ModelUnavailable: the source does not have the model; the message names the paths that were searched.
        Unsupported: files on this storage cannot be made cold.
    """
    from models.load import read_meta
    from models.sources import find, weight_files

    files = find(factors.model, factors.source)
    weights = weight_files(files)
    storages = tuple(dict.fromkeys(map(storage_of, weights)))
    if factors.cache_state == "cold":
        for storage in storages:
            refuse_hidden_cache(storage)
    devices = tuple(f"cuda:{index}" for index in range(factors.slot.gpus)) or ("cpu",)
    _warm_up_libraries(devices, factors.quantization)
    return LoadTarget(read_meta(files), weights, storages, devices)


def measure(target: LoadTarget, factors: ModelLoadingFactors) -> Row:
    """Load once, timed, and unload.

    Returns:
        The metrics of one row.

    Raises:
        Unsupported: the files could not be brought into the cache state of the row.
    """
    import torch

    from actors.probes.memory import PeakMemory, synchronize
    from models.load import load_weights, release_memory, unload
    from models.touch import cpu_tensors, touch

    devices = tuple(map(torch.device, target.devices))
    release_memory()
    baseline_bytes = _memory_bytes(devices)
    with PeakMemory(devices) as memory:
        cached_fraction = bring_into(factors.cache_state, target.weights)
        read_before_bytes = _drive_read_bytes()
        started_ns = time.perf_counter_ns()
        loaded = load_weights(
            target.meta,
            devices=target.devices,
            device_map=factors.device_map,
            max_memory=factors.max_memory,
            quantization=factors.quantization,
            dtype=factors.dtype,
        )
        touch(cpu_tensors(loaded.model))
        synchronize(devices)
        load_time_s = (time.perf_counter_ns() - started_ns) / NS_PER_S
        read_after_bytes = _drive_read_bytes()
    row = memory.columns | {
        "revision": loaded.files.revision,
        "dtype_effective": loaded.dtype_name,
        "device_map_effective": loaded.device_map,
        "quantized_share": loaded.quantized_share,
        "load_time_s": load_time_s,
        "load_rate_per_s": 1 / load_time_s,
        "load_bytes": target.load_bytes,
        "load_rate_bytes_per_s": target.load_bytes / load_time_s,
        "cached_fraction_before": cached_fraction,
        "drive_read_bytes": _difference(read_after_bytes, read_before_bytes),
        "storage_device": _comma_separated(storage.device for storage in target.storages),
        "filesystem": _comma_separated(storage.filesystem for storage in target.storages),
    }
    unload(loaded)
    return row | {"unreleased_bytes": _memory_bytes(devices) - baseline_bytes}


def _warm_up_libraries(devices: Sequence[str], quantization: str) -> None:
    """Make the CUDA contexts and the imports, which would slow down the first load."""
    import torch

    for device in devices:
        if device != "cpu":
            torch.cuda.synchronize(device)
    if quantization != "none":
        with contextlib.suppress(ImportError):  # the load reports what is missing
            import bitsandbytes  # noqa: F401


def _memory_bytes(devices: "Sequence[torch.device]") -> int:
    """Return the bytes that the process holds now: resident on the host, plus allocated on the GPUs."""
    import psutil
    import torch

    allocated_bytes = sum(torch.cuda.memory_allocated(device) for device in devices if device.type == "cuda")
    return psutil.Process().memory_info().rss + allocated_bytes


def _drive_read_bytes() -> int | None:
    """Return the bytes that drives have read for this process, page faults included; None if unknown."""
    with contextlib.suppress(OSError):
        for line in OWN_IO.read_text().splitlines():
            if line.startswith("read_bytes:"):
                return int(line.split()[1])
    return None


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


def _comma_separated(names: Iterable[str | None]) -> str | None:
    return ", ".join(dict.fromkeys(name for name in names if name)) or None
