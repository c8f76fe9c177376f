"""Allocation of cores and GPUs to workers. Pure, and knows no Ray: pools pass the nodes in."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from actors.devices.nodes import Gpu, Node, matches
from sweeps.plan.machines import Machines
from sweeps.task import Allocation, Slot

OTHER_WORDS_FOR_GPU: Final = frozenset({"cuda", "nvidia", "gpus", "geforce", "tesla", "rocm", "mps"})


@dataclass
class Allocator:
    """Cores and GPUs of all nodes: which of them workers hold, and the interpreter that a worker starts with."""

    nodes: dict[str, Node] = field(default_factory=dict)
    machines: Machines = field(default_factory=Machines)
    _taken: dict[str, tuple[str, frozenset[int], frozenset[str]]] = field(default_factory=dict)
    _bans: dict[tuple[str, str], str] = field(default_factory=dict)
    """Reason why no worker can start with an interpreter, by node and interpreter."""

    def infeasible(self, slot: Slot) -> str | None:
        """Return the reason why no node could offer `slot` even when idle; None if a node could."""
        if any(self._choose_gpus(slot, node, node.cores, node.gpus) is not None for node in self.nodes.values()):
            return None
        would_fit = [node for node in self.nodes.values() if _fits(slot, node.cores, node.gpus)]
        reasons = [reason for node in would_fit for reason in self._reasons(slot, node)]
        offering = [node for node in self.nodes.values() if node.cores or node.gpus]  # a head node may offer no device
        have = "; ".join(map(_describe, offering)) or "no node"
        return "; ".join([f"no node can offer [{slot}]{self._suggestion(slot)}", *reasons, f"the cluster has {have}"])

    def allocate(self, slot: Slot, worker_id: str) -> tuple[Node, Allocation] | None:
        """Allocate free devices to a worker of `slot`, on the node with the least to spare; None: no node has them."""
        free = [(node, *self._free(node)) for node in self.nodes.values()]
        fitting = [one for one in free if self._choose_gpus(slot, *one) is not None]
        if not fitting:
            return None
        # A CPU slot goes to a node without free GPUs, so that these keep their cores. Ties go to the fuller node.
        node, cores, gpus = min(fitting, key=lambda one: (len(one[2]) > 0 and not slot.gpus, len(one[1])))
        allocation = _allocation(
            slot, worker_id, node, cores[: slot.cores], self._choose_gpus(slot, node, cores, gpus) or ()
        )
        self._taken[worker_id] = (node.node_id, frozenset(allocation.cores), frozenset(allocation.device_uuids))
        return node, allocation

    def release(self, worker_id: str) -> None:
        """Free the devices of a worker that has ended."""
        self._taken.pop(worker_id, None)

    def python(self, allocation: Allocation) -> str | None:
        """Return the interpreter that a worker starts with, the same for all its devices; None: Ray's own."""
        return self.machines.python(allocation.device_class.split("+")[0])

    def ban_interpreter(self, node_id: str, python: str, reason: str) -> None:
        """Stop offering devices of a node that need this interpreter, because no worker can start with it."""
        self._bans[node_id, python] = reason

    def _choose_gpus(self, slot: Slot, node: Node, cores: Sequence[int], gpus: Sequence[Gpu]) -> tuple[Gpu, ...] | None:
        """Choose GPUs of one interpreter for a worker of `slot`; None: the given cores or GPUs do not suffice."""
        if len(cores) < slot.cores:
            return None
        if slot.gpus == 0:
            return None if self._ban_reason(node, "cpu") else ()
        usable = [gpu for gpu in gpus if matches(slot.device, gpu) and not self._ban_reason(node, gpu.device_class)]
        for python in dict.fromkeys(self.machines.python(gpu.device_class) for gpu in usable):
            alike = [gpu for gpu in usable if self.machines.python(gpu.device_class) == python]
            if len(alike) >= slot.gpus:
                return tuple(alike[: slot.gpus])
        return None

    def _ban_reason(self, node: Node, device_class: str) -> str | None:
        """Return the reason why no worker can start on devices of that class of a node; None if no reason is known."""
        return self._bans.get((node.node_id, self.machines.python(device_class) or ""))

    def _reasons(self, slot: Slot, node: Node) -> list[str]:
        """Return the reasons why no worker of `slot` can start on a node that has enough devices."""
        classes = list(dict.fromkeys(gpu.device_class for gpu in node.gpus if matches(slot.device, gpu))) or ["cpu"]
        bans = dict.fromkeys(filter(None, (self._ban_reason(node, device_class) for device_class in classes)))
        if bans:
            return list(bans)
        interpreters = ", ".join(f"{name}: {self.machines.python(name) or 'that of Ray'}" for name in classes)
        return [f"{self.machines.file} has its devices use different interpreters, a worker has one: {interpreters}"]

    def _suggestion(self, slot: Slot) -> str:
        """Return a suggestion for a device name that no node has; empty without one."""
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


def _fits(slot: Slot, cores: Sequence[int], gpus: Sequence[Gpu]) -> bool:
    """Tell whether cores and matching GPUs are enough for a slot, whatever interpreter they need."""
    return len(cores) >= slot.cores and sum(matches(slot.device, gpu) for gpu in gpus) >= slot.gpus


def _allocation(slot: Slot, worker_id: str, node: Node, cores: tuple[int, ...], gpus: tuple[Gpu, ...]) -> Allocation:
    return Allocation(
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
