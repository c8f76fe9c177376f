"""What nodes have, and which part of it a worker gets: GPUs by what NVML says, cores by affinity.

Pure but for `local_node`, which reads this machine. Knows no Ray: pools bring nodes in and take seats out.
"""

import difflib
import os
import platform
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from sweeps.machines import Machines
from sweeps.task import Seat, Slot

_VENDOR_WORDS: Final = {"nvidia", "geforce", "graphics", "device"}
OTHER_WORDS_FOR_GPU: Final = frozenset({"cuda", "nvidia", "gpus", "geforce", "tesla", "rocm", "mps"})
_TOPOLOGY: Final = "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"


@dataclass(frozen=True)
class Gpu:
    """One card or die, as NVML tells."""

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
    """What rows measured there with Ray's own interpreter say; empty: not asked."""
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where its processes find models and corpora, as variables (actors/ray_surroundings.py)."""


@dataclass
class Floor:
    """The seats of all nodes: which cores and GPUs are taken, and with which interpreter a worker on them starts."""

    nodes: dict[str, Node] = field(default_factory=dict)
    machines: Machines = field(default_factory=Machines)
    _taken: dict[str, tuple[str, frozenset[int], frozenset[str]]] = field(default_factory=dict)
    _barred: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why no worker can start with an interpreter, by node and interpreter."""

    def never(self, slot: Slot) -> str | None:
        """Why no node could offer `slot` even when idle; None if one could."""
        if any(self._choose(slot, node, node.cores, node.gpus) is not None for node in self.nodes.values()):
            return None
        would_fit = [node for node in self.nodes.values() if _fits(slot, node.cores, node.gpus)]
        reasons = [reason for node in would_fit for reason in self._reasons(slot, node)]
        offering = [node for node in self.nodes.values() if node.cores or node.gpus]  # a head node may offer nothing
        have = "; ".join(map(_describe, offering)) or "no node"
        return "; ".join([f"no node can offer [{slot}]{self._meant(slot)}", *reasons, f"the cluster has {have}"])

    def take(self, slot: Slot, worker_id: str) -> tuple[Node, Seat] | None:
        """A seat for `slot` out of what is free now, on the node with least to spare; None if there is none."""
        rooms = [(node, *self._free(node)) for node in self.nodes.values()]
        fitting = [room for room in rooms if self._choose(slot, *room) is not None]
        if not fitting:
            return None
        # A CPU slot goes where no GPU would miss the cores; ties to the fuller node.
        node, cores, gpus = min(fitting, key=lambda room: (len(room[2]) > 0 and not slot.gpus, len(room[1])))
        seat = _seat(slot, worker_id, node, cores[: slot.cores], self._choose(slot, node, cores, gpus) or ())
        self._taken[worker_id] = (node.node_id, frozenset(seat.cores), frozenset(seat.device_uuids))
        return node, seat

    def release(self, worker_id: str) -> None:
        """The worker is gone: its seat is free again."""
        self._taken.pop(worker_id, None)

    def python(self, seat: Seat) -> str | None:
        """The interpreter that a worker on `seat` starts with, the same for all its devices; None: Ray's own."""
        return self.machines.python(seat.device_class.split("+")[0])

    def bar(self, node_id: str, python: str, reason: str) -> None:
        """No worker can start with that interpreter on that node: devices that need it are not offered any more."""
        self._barred[node_id, python] = reason

    def _choose(self, slot: Slot, node: Node, cores: Sequence[int], gpus: Sequence[Gpu]) -> tuple[Gpu, ...] | None:
        """Which GPUs of what is given a worker of `slot` would get, all of one interpreter; None: it does not fit."""
        if len(cores) < slot.cores:
            return None
        if slot.gpus == 0:
            return None if self._bar(node, "cpu") else ()
        usable = [gpu for gpu in gpus if matches(slot.device, gpu) and not self._bar(node, gpu.device_class)]
        for python in dict.fromkeys(self.machines.python(gpu.device_class) for gpu in usable):
            alike = [gpu for gpu in usable if self.machines.python(gpu.device_class) == python]
            if len(alike) >= slot.gpus:
                return tuple(alike[: slot.gpus])
        return None

    def _bar(self, node: Node, device_class: str) -> str | None:
        """Why nothing starts on those devices of a node; None if something does, as far as is known."""
        return self._barred.get((node.node_id, self.machines.python(device_class) or ""))

    def _reasons(self, slot: Slot, node: Node) -> list[str]:
        """Why `slot` does not start on a node that has what it takes."""
        classes = list(dict.fromkeys(gpu.device_class for gpu in node.gpus if matches(slot.device, gpu))) or ["cpu"]
        bars = dict.fromkeys(filter(None, (self._bar(node, device_class) for device_class in classes)))
        if bars:
            return list(bars)
        interpreters = ", ".join(f"{name}: {self.machines.python(name) or 'that of Ray'}" for name in classes)
        return [f"{self.machines.file} has its devices use different interpreters, a worker has one: {interpreters}"]

    def _meant(self, slot: Slot) -> str:
        """Which device a name may stand for that no node knows."""
        known = dict.fromkeys(gpu.device_class for node in self.nodes.values() for gpu in node.gpus)
        if slot.device in ("cpu", "gpu") or any(f"-{slot.device}-" in f"-{name}-" for name in known):
            return ""
        if slot.device in OTHER_WORDS_FOR_GPU:
            return " (a GPU of any class is called 'gpu')"
        by_letters = {re.sub("[^a-z0-9]", "", name): name for name in (*known, "cpu", "gpu")}
        near = difflib.get_close_matches(re.sub("[^a-z0-9]", "", slot.device), by_letters, n=1)
        return f" (did you mean {by_letters[near[0]]!r}?)" if near else ""

    def _free(self, node: Node) -> tuple[tuple[int, ...], tuple[Gpu, ...]]:
        taken = [(cores, uuids) for node_id, cores, uuids in self._taken.values() if node_id == node.node_id]
        cores = tuple(core for core in node.cores if not any(core in cores for cores, _ in taken))
        gpus = tuple(gpu for gpu in node.gpus if not any(gpu.uuid in uuids for _, uuids in taken))
        return cores, gpus


def slug(name: str) -> str:
    """A device's name in lower case with dashes, without the vendor's words."""
    words = re.findall(r"[a-z0-9.]+", name.lower())
    return "-".join(word for word in words if word not in _VENDOR_WORDS)


def matches(device: str, gpu: Gpu) -> bool:
    """Whether a spec's device name means that GPU: `gpu`, its slug, or words in a row of it (`k80`)."""
    return device == "gpu" or f"-{device}-" in f"-{gpu.device_class}-"


def local_node(
    node_id: str = "local", max_cores: int | None = None, environment: Mapping[str, str] = os.environ
) -> Node:
    """This machine: its GPUs, and the physical cores that this process may use (at most `max_cores`).

    GPUs that CUDA_VISIBLE_DEVICES of `environment` hides are left out.
    """
    return Node(
        node_id=node_id,
        host=socket.gethostname(),
        cpu_name=_cpu_name(),
        cores=_physical_cores()[:max_cores],
        gpus=tuple(visible(_gpus(), environment.get("CUDA_VISIBLE_DEVICES"))),
    )


def _fits(slot: Slot, cores: Sequence[int], gpus: Sequence[Gpu]) -> bool:
    """Whether there is enough of everything, whatever it starts with."""
    return len(cores) >= slot.cores and sum(matches(slot.device, gpu) for gpu in gpus) >= slot.gpus


def _seat(slot: Slot, worker_id: str, node: Node, cores: tuple[int, ...], gpus: tuple[Gpu, ...]) -> Seat:
    return Seat(
        worker_id=worker_id,
        slot=slot,
        host=node.host,
        device_class="+".join(gpu.device_class for gpu in gpus) or "cpu",
        device_name=" + ".join(gpu.name for gpu in gpus) or node.cpu_name,
        device_uuids=tuple(gpu.uuid for gpu in gpus),
        cores=cores,
    )


def _describe(node: Node) -> str:
    gpus = ", ".join(gpu.device_class for gpu in node.gpus) or "no GPU"
    return f"{node.host}: {len(node.cores)} cores, {gpus}"


def _physical_cores() -> tuple[int, ...]:
    """One hardware thread of every physical core in this process's affinity."""
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
    """What NVML lists; none where there is no driver."""
    import pynvml  # here: without a driver nothing else of this file needs it

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
    """Those that a CUDA_VISIBLE_DEVICES of indices or UUIDs (or their beginnings) names, in its order."""
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


def host_memory_bytes() -> int:
    """Physical memory of this machine."""
    return int(psutil.virtual_memory().total)
