"""Nodes and their devices: the GPUs that NVML lists, and the physical cores that this process may use. Knows no Ray."""

import os
import platform
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_VENDOR_WORDS: Final = {"nvidia", "geforce", "graphics", "device"}
_TOPOLOGY: Final = "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"


@dataclass(frozen=True)
class Gpu:
    """One card or die, as NVML describes it."""

    uuid: str
    name: str
    memory_bytes: int
    compute_capability: tuple[int, int]

    @property
    def device_class(self) -> str:
        """Slug of the name: `Tesla K80` is `tesla-k80`, `NVIDIA GeForce GTX 1070` is `gtx-1070`."""
        return slug(self.name)


@dataclass(frozen=True)
class Node:
    """One machine, or the part of it that one raylet offers."""

    node_id: str
    host: str
    cpu_name: str
    cores: tuple[int, ...]
    """Ids of distinct physical cores."""
    gpus: tuple[Gpu, ...] = ()
    environment_id: str = ""
    """Id of the environment of rows measured on this node with Ray's own interpreter; empty: not known."""
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Environment variables by which its processes find models and corpora (actors/ray_pool/surroundings.py)."""


def slug(name: str) -> str:
    """Return a device's name in lower case with dashes, without the vendor's words."""
    words = re.findall(r"[a-z0-9.]+", name.lower())
    return "-".join(word for word in words if word not in _VENDOR_WORDS)


def matches(device: str, gpu: Gpu) -> bool:
    """Tell whether a spec's device name means that GPU: `gpu`, its slug, or consecutive words of the slug (`k80`)."""
    return device == "gpu" or f"-{device}-" in f"-{gpu.device_class}-"


def local_node(
    node_id: str = "local", max_cores: int | None = None, environment: Mapping[str, str] = os.environ
) -> Node:
    """Describe this machine: its GPUs, and the physical cores that this process may use (at most `max_cores`).

    GPUs that CUDA_VISIBLE_DEVICES of `environment` hides are left out.
    """
    return Node(
        node_id=node_id,
        host=socket.gethostname(),
        cpu_name=_cpu_name(),
        cores=_physical_cores()[:max_cores],
        gpus=tuple(visible(_gpus(), environment.get("CUDA_VISIBLE_DEVICES"))),
    )


def _physical_cores() -> tuple[int, ...]:
    """Return one hardware thread of every physical core in this process's affinity."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    siblings: dict[str, int] = {}
    for core in allowed:
        topology = Path(_TOPOLOGY.format(core=core))
        siblings.setdefault(topology.read_text().strip() if topology.exists() else str(core), core)
    return tuple(sorted(siblings.values()))


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.M) if cpuinfo.exists() else None
    return match[1].strip() if match else platform.processor() or platform.machine()


def _gpus() -> list[Gpu]:
    """Return the GPUs that NVML lists; empty without a driver."""
    import pynvml  # imported here, because only machines with a driver need it

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return [_gpu(handle) for handle in handles]
    finally:
        pynvml.nvmlShutdown()


def visible(gpus: Sequence[Gpu], mask: str | None) -> list[Gpu]:
    """Return the GPUs that a CUDA_VISIBLE_DEVICES of indices or UUIDs (or their beginnings) names, in its order."""
    if mask is None:
        return list(gpus)
    chosen: list[Gpu] = []
    for entry in filter(None, map(str.strip, mask.split(","))):
        named = [gpu for index, gpu in enumerate(gpus) if entry == str(index) or gpu.uuid.startswith(entry)]
        if not named:
            break  # CUDA too stops at the first entry that names nothing
        chosen.append(named[0])
    return chosen


def _gpu(handle: object) -> Gpu:
    import pynvml

    return Gpu(
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        name=pynvml.nvmlDeviceGetName(handle),
        memory_bytes=pynvml.nvmlDeviceGetMemoryInfo(handle).total,
        compute_capability=tuple(pynvml.nvmlDeviceGetCudaComputeCapability(handle)),
    )
